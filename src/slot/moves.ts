/** The transitions of a slot from one state to another, each with its effects. */
import {
  type Child,
  type Effect,
  newSlot,
  type Slot,
  type SlotFacts,
  type SlotPolicy,
  type Verdict,
  type Wanted,
} from './slot.ts'

export type SlotStep = readonly [Slot, ...Effect[]]
export type In<S extends Slot['state']> = Extract<Slot, { readonly state: S }>
type Variant = Slot extends infer V ? (V extends Slot ? Omit<V, keyof SlotFacts> : never) : never

const factsOf = (slot: Slot): SlotFacts => ({
  policy: slot.policy,
  wanted: slot.wanted,
  sinceMs: slot.sinceMs,
  request: slot.request,
  lastChild: slot.lastChild,
  deathsInRow: slot.deathsInRow,
  deaths: slot.deaths,
  commandAtMs: slot.commandAtMs,
  restarts: slot.restarts,
  ...(slot.lastEnding && { lastEnding: slot.lastEnding }),
})

/** Returns the slot in another state: facts of all states are kept, facts of the old state are dropped. */
export const enter = (slot: Slot, variant: Variant, nowMs: number, change: Partial<SlotFacts> = {}): Slot => {
  const sinceMs = slot.state === variant.state ? slot.sinceMs : nowMs
  return { ...factsOf(slot), sinceMs, ...change, ...variant }
}

/** @param again counts as a restart */
export function start(slot: Slot, wanted: Wanted, again: boolean, nowMs: number): SlotStep {
  const request = slot.request + 1
  const restarts = slot.restarts + (again ? 1 : 0)
  const next = enter(slot, { state: 'starting', child: null }, nowMs, { wanted, request, restarts })
  return [next, { type: 'spawn', request, program: 'run' }]
}

/** A slot whose file is lost although a process of it lives: it behaves as if that process had just been requested. */
export const rediscoveredSlot = (policy: SlotPolicy, nowMs: number): Slot =>
  start(newSlot(policy, nowMs), 'up', false, nowMs)[0]

/** Start by an operator: earlier deaths no longer count against the slot. */
export const resetDeaths = <S extends Slot>(slot: S, nowMs: number): S => ({
  ...slot,
  deathsInRow: 0,
  commandAtMs: nowMs,
})

/** Stops the process; one that is still being started is stopped as soon as it exists. */
export function stop(
  slot: In<'starting'> | In<'up'>,
  cause: In<'stopping'>['cause'],
  wanted: Wanted,
  again: boolean,
  nowMs: number,
  why?: string,
): SlotStep {
  const { child, readyAtMs } = slot
  const facts = { ...(readyAtMs !== undefined && { readyAtMs }), ...(why !== undefined && { why }) }
  const target = { state: 'stopping', cause, again, ...facts } as const
  const change = { wanted }
  if (child === null || cause === 'halt') return [enter(slot, { ...target, child, killAtMs: null }, nowMs, change)]
  const killAtMs = nowMs + slot.policy.stopTimeoutMs
  return [enter(slot, { ...target, child, killAtMs }, nowMs, change), askToEnd(slot.policy, child)]
}

export const askToEnd = (policy: SlotPolicy, child: Child): Effect => ({
  type: 'signal',
  child: child.id,
  pid: child.pid,
  signal: policy.stopSignal,
  target: 'process',
  cont: true,
})

export const killGroup = (child: Child): Effect => ({
  type: 'signal',
  child: child.id,
  pid: child.pid,
  signal: 'KILL',
  target: 'group',
  cont: false,
})

/** Requests the finish program; after its end the slot takes `verdict`. */
export function finish(slot: Slot, verdict: Verdict, nowMs: number): SlotStep {
  const request = slot.request + 1
  return [awaitFinish({ ...slot, request }, verdict, nowMs), { type: 'spawn', request, program: 'finish' }]
}

/** The same during container shutdown: init runs the finish program without a request. */
export const awaitFinish = (slot: Slot, verdict: Verdict, nowMs: number): Slot =>
  enter(slot, { state: 'stopping', child: null, cause: 'finish', killAtMs: null, verdict, again: false }, nowMs)

/** Neither process nor finish program is left: the slot moves to its decided state. */
export function settle(slot: Slot, verdict: Verdict, nowMs: number): SlotStep {
  const ending = slot.lastEnding?.ending
  const ended = (reason: string): Effect => ({ type: 'ended', ...(ending && { ending }), reason })
  switch (verdict.to) {
    case 'down': {
      const { reason } = verdict
      const down = enter(slot, { state: 'down', ...(reason !== undefined && { reason }) }, nowMs, { wanted: 'down' })
      return reason === undefined ? [down] : [down, ended(reason)]
    }
    case 'start':
      return start(slot, slot.wanted, verdict.again, nowMs)
    case 'backoff': {
      const { to: _, ...backoff } = verdict
      if (backoff.startAtMs <= nowMs) return start(slot, slot.wanted, true, nowMs)
      return [enter(slot, { state: 'backoff', ...backoff }, nowMs)]
    }
    case 'parked':
      return [enter(slot, { state: 'parked', reason: verdict.reason }, nowMs), ended(verdict.reason)]
    case 'done':
      return [enter(slot, { state: 'done' }, nowMs)]
  }
}
