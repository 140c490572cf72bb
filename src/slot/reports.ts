/** Handles init's reports about the processes of a slot, and the passing of time. */
import { isPermanentFailure } from './ending.ts'
import { judgeEnding, judgeFailure, wantedVerdict } from './judge.ts'
import {
  askToEnd,
  awaitFinish,
  enter,
  finish,
  type In,
  killGroup,
  type SlotStep,
  settle,
  start,
  stop,
} from './moves.ts'
import {
  type Child,
  childOf,
  type DeathRecord,
  dueAt,
  type Ending,
  isOwnJudgement,
  MAX_DEATHS,
  type Slot,
  type SlotEvent,
  type Verdict,
} from './slot.ts'

type Of<T extends SlotEvent['type']> = Extract<SlotEvent, { readonly type: T }>

/** A process exists: the requested one, the one already known, or an unexpected one. */
export function take(slot: Slot, child: Child, readyAtMs: number | undefined, nowMs: number): SlotStep {
  const known = childOf(slot)
  // The end of this child was already processed.
  if (child.id <= slot.lastChild || (known !== null && child.id < known.id)) return [slot]
  if (known !== null && child.id > known.id) {
    // init holds one child per slot, so the known one is gone, and its end was lost together with a state file.
    const inFlight = enter({ ...slot, lastChild: known.id }, { state: 'starting', child: null }, nowMs)
    return take(inFlight, child, readyAtMs, nowMs)
  }
  switch (slot.state) {
    case 'starting': {
      const readyThen = readyAtMs ?? slot.readyAtMs
      if (readyThen !== undefined) return [enter(slot, { state: 'up', child, readyAtMs: readyThen }, nowMs)]
      return known === null ? [enter(slot, { state: 'starting', child }, nowMs)] : [slot]
    }
    case 'up':
      return [slot]
    case 'stopping':
      return takeToStop(slot, child, known === null, nowMs)
    case 'backoff':
      return take(enter(slot, { state: 'starting', child: null }, nowMs), child, readyAtMs, nowMs)
    case 'down':
    case 'done':
    case 'parked': {
      // The slot should not be up. A parked slot is parked again once the process has ended.
      const verdict: Verdict = slot.state === 'parked' ? { to: 'parked', reason: slot.reason } : { to: 'down' }
      const killAtMs = nowMs + slot.policy.stopTimeoutMs
      const stray = { state: 'stopping', child, cause: 'stray', killAtMs, verdict, again: false } as const
      return [enter(slot, stray, nowMs), askToEnd(slot.policy, child)]
    }
  }
}

/** A signal may have been lost with the supervisor that was about to send it, so it is sent again. */
function takeToStop(slot: In<'stopping'>, child: Child, isNew: boolean, nowMs: number): SlotStep {
  if (slot.cause === 'halt') return [isNew ? { ...slot, child } : slot]
  if (slot.cause === 'finish') {
    if (!isNew) return slot.killAtMs === null ? [slot, killGroup(child)] : [slot]
    return [{ ...slot, child, killAtMs: child.spawnedAtMs + (slot.policy.finish?.timeoutMs ?? 0) }]
  }
  if (!isNew && slot.killAtMs === null) return [slot, killGroup(child)]
  const killAtMs = isNew ? nowMs + slot.policy.stopTimeoutMs : slot.killAtMs
  return [{ ...slot, child, killAtMs }, askToEnd(slot.policy, child)]
}

export function ready(slot: Slot, event: Of<'ready'>, nowMs: number): SlotStep {
  if (slot.state !== 'starting' || event.child <= slot.lastChild) return [slot]
  if (slot.child === null) return [{ ...slot, readyAtMs: event.atMs }]
  if (slot.child.id !== event.child) return [slot]
  return [enter(slot, { state: 'up', child: slot.child, readyAtMs: event.atMs }, nowMs)]
}

/** A process that is being replaced or stopped is not condemned again. */
export function condemned(slot: Slot, { child, why }: Of<'condemned'>, nowMs: number): SlotStep {
  if (slot.state !== 'up' || slot.child.id !== child) return [slot]
  return stop(slot, 'condemned', slot.wanted, true, nowMs, why)
}

/** Its end is not a death, whatever the exit status: it has done nothing wrong. */
export function outdated(slot: Slot, { child, why }: Of<'outdated'>, nowMs: number): SlotStep {
  switch (slot.state) {
    case 'starting':
    case 'up':
      return slot.child?.id === child ? stop(slot, 'asked', slot.wanted, true, nowMs, why) : [slot]
    case 'backoff':
      return slot.lastChild === child ? start(slot, slot.wanted, true, nowMs) : [slot]
    case 'down':
    case 'stopping':
    case 'parked':
    case 'done':
      return [slot]
  }
}

export function due(slot: Slot, nowMs: number): SlotStep {
  const at = dueAt(slot)
  if (at === null || nowMs < at) return [slot]
  switch (slot.state) {
    case 'starting': {
      if (slot.child === null) return [slot]
      if (slot.policy.readiness === 'alive')
        return [enter(slot, { state: 'up', child: slot.child, readyAtMs: at }, nowMs)]
      return stop(slot, 'start-timeout', slot.wanted, true, nowMs)
    }
    case 'stopping':
      return slot.child === null ? [slot] : [{ ...slot, killAtMs: null }, killGroup(slot.child)]
    case 'backoff':
      return start(slot, slot.wanted, true, nowMs)
    case 'down':
    case 'up':
    case 'parked':
    case 'done':
      return [slot]
  }
}

export function exited(slot: Slot, event: Of<'exited'>, nowMs: number): SlotStep {
  if (event.child <= slot.lastChild) return [slot] // a replay of what has been dealt with
  const lastChild = event.child
  if (slot.state === 'down' || slot.state === 'backoff' || slot.state === 'parked' || slot.state === 'done')
    return [{ ...slot, lastChild }]
  if (slot.child !== null && slot.child.id !== event.child) return [slot] // not ours: init holds one child per slot
  const { ending, atMs, wallMs, pid, random } = event
  if (slot.state === 'stopping' && slot.cause === 'finish') return finished({ ...slot, lastChild }, ending, nowMs)

  const own = isOwnJudgement(slot)
  const readyAtMs = slot.state === 'up' || slot.state === 'starting' || own ? readyOf(slot) : undefined
  const upMs = readyAtMs === undefined ? undefined : Math.max(0, atMs - readyAtMs)
  const asked = slot.state === 'stopping' && !own
  const lastEnding = { atMs, wallMs, pid, ending, ...(asked && { asked }) }
  const seen: Slot = { ...slot, lastChild, lastEnding }
  const death: DeathRecord = { atMs, wallMs, ...(upMs !== undefined && { upMs }), ending }
  const { verdict, counts, isDeath } = judgeEnding(seen, death, random, event)
  const forgiven = upMs !== undefined && upMs >= slot.policy.forgetAfterMs
  const judged: Slot = {
    ...seen,
    deathsInRow: (forgiven ? 0 : slot.deathsInRow) + (counts ? 1 : 0),
    deaths: isDeath ? [...slot.deaths, death].slice(-MAX_DEATHS) : slot.deaths,
  }
  const { finish: program, kind } = slot.policy
  if (program === undefined || kind === 'oneshot') return settle(judged, verdict, nowMs)
  const halting = slot.state === 'stopping' && slot.cause === 'halt'
  return halting && program.atStop ? [awaitFinish(judged, verdict, nowMs)] : finish(judged, verdict, nowMs)
}

const readyOf = (slot: Slot): number | undefined => ('readyAtMs' in slot ? slot.readyAtMs : undefined)

/**
 * The finish program has ended, or could not be started (null); its exit code 125 means: do not start this slot
 * again.
 */
function finished(slot: In<'stopping'>, ending: Ending | null, nowMs: number): SlotStep {
  if (ending !== null && isPermanentFailure(ending) && slot.wanted !== 'down') {
    const reason = 'its finish program exited with code 125: it asks not to be started again'
    return settle(slot, { to: 'parked', reason }, nowMs)
  }
  return settle(slot, slot.verdict ?? wantedVerdict(slot), nowMs)
}

export function spawnFailed(slot: Slot, event: Of<'spawn-failed'>, nowMs: number): SlotStep {
  if (event.request !== slot.request) return [slot]
  if (slot.state === 'starting' && slot.child === null)
    return failed(slot, `cannot be started: ${event.error}`, event.random, nowMs)
  return slot.state === 'stopping' && slot.child === null ? vanished(slot, nowMs) : [slot]
}

export function gone(slot: Slot, event: Of<'gone'>, nowMs: number): SlotStep {
  if (event.request !== slot.request) return [slot]
  const reason = 'its process is gone, and how it ended is not known'
  switch (slot.state) {
    case 'down':
    case 'backoff':
    case 'parked':
    case 'done':
      return [slot]
    case 'starting':
      // The request died with the supervisor that made it, so it is repeated.
      if (slot.child === null) return start(slot, slot.wanted, false, nowMs)
      return failed(slot, reason, event.random, nowMs)
    case 'up':
      return failed(slot, reason, event.random, nowMs)
    case 'stopping':
      return vanished(slot, nowMs)
  }
}

function failed(slot: In<'starting'> | In<'up'>, reason: string, random: number, nowMs: number): SlotStep {
  const { verdict, counts } = judgeFailure(slot, reason, random, nowMs)
  const lastChild = Math.max(slot.lastChild, slot.child?.id ?? 0)
  return settle({ ...slot, lastChild, deathsInRow: slot.deathsInRow + (counts ? 1 : 0) }, verdict, nowMs)
}

function vanished(slot: In<'stopping'>, nowMs: number): SlotStep {
  const lastChild = Math.max(slot.lastChild, slot.child?.id ?? 0)
  return finished({ ...slot, lastChild }, null, nowMs)
}
