/** Handles commands to a slot: from an operator, from the boot, and at the container's end. */
import { awaitFinish, enter, finish, type In, resetDeaths, type SlotStep, start, stop } from './moves.ts'
import { isOwnJudgement, type Slot, type Wanted } from './slot.ts'

export function want(slot: Slot, wanted: Wanted, nowMs: number): SlotStep {
  switch (slot.state) {
    case 'down':
      return wanted === 'down' ? [slot] : start(resetDeaths(slot, nowMs), wanted, false, nowMs)
    case 'backoff':
    case 'parked':
      if (wanted === 'down') return [enter(slot, { state: 'down' }, nowMs, { wanted })]
      return start(resetDeaths(slot, nowMs), wanted, true, nowMs)
    case 'starting':
    case 'up':
      if (wanted === 'down') return stop(slot, 'asked', wanted, false, nowMs)
      return slot.wanted === wanted ? [slot] : [{ ...slot, wanted }]
    case 'stopping':
      return redirect(slot, wanted, false, nowMs)
    case 'done':
      if (wanted !== 'down') return [slot]
      return slot.policy.finish === undefined
        ? [enter(slot, { state: 'down' }, nowMs, { wanted })]
        : finish({ ...slot, wanted }, { to: 'down' }, nowMs)
  }
}

export function restart(slot: Slot, nowMs: number): SlotStep {
  switch (slot.state) {
    case 'down':
      return start(resetDeaths(slot, nowMs), 'up', slot.request > 0, nowMs)
    case 'backoff':
    case 'parked':
      return start(resetDeaths(slot, nowMs), 'up', true, nowMs)
    case 'starting':
      // Its process does not exist yet, so it will be as new as after a restart.
      if (slot.child === null) return slot.wanted === 'up' ? [slot] : [{ ...slot, wanted: 'up' }]
      return stop(resetDeaths(slot, nowMs), 'asked', 'up', true, nowMs)
    case 'up':
      return stop(resetDeaths(slot, nowMs), 'asked', 'up', true, nowMs)
    case 'stopping':
      return redirect(slot, 'up', true, nowMs)
    case 'done':
      return slot.policy.finish === undefined
        ? start(resetDeaths(slot, nowMs), 'up', true, nowMs)
        : finish(resetDeaths(slot, nowMs), { to: 'start', again: true }, nowMs)
  }
}

/** A command while the process is ending: it decides the slot's next state. */
function redirect(slot: In<'stopping'>, wanted: Wanted, isRestart: boolean, nowMs: number): SlotStep {
  if (slot.cause === 'halt') return [slot]
  const { verdict, ...rest } = slot
  if (!isRestart && wanted === slot.wanted && (verdict === undefined || slot.cause === 'stray')) return [slot]
  // The supervisor's own judgement counts as a death unless an operator stops or restarts the slot before the process
  // ends.
  const cause = isOwnJudgement(slot) && (isRestart || wanted === 'down') ? 'asked' : slot.cause
  if (wanted === 'down') return [{ ...rest, wanted, cause, again: false }]
  const followsDeath = verdict !== undefined && verdict.to !== 'down'
  const again = slot.again || isRestart || followsDeath
  return [{ ...rest, wanted, cause, again, deathsInRow: 0, commandAtMs: nowMs }]
}

export function halt(slot: Slot, nowMs: number): SlotStep {
  switch (slot.state) {
    case 'down':
    case 'parked':
      return [slot]
    case 'backoff':
      return [enter(slot, { state: 'down' }, nowMs, { wanted: 'down' })]
    case 'done':
      // init undoes it when its turn among the services comes, and reports the end.
      return slot.policy.finish === undefined
        ? [enter(slot, { state: 'down' }, nowMs, { wanted: 'down' })]
        : [awaitFinish({ ...slot, wanted: 'down' }, { to: 'down' }, nowMs)]
    case 'starting':
    case 'up':
      return stop(slot, 'halt', 'down', false, nowMs)
    case 'stopping': {
      const { verdict: _, ...rest } = slot
      return [{ ...rest, wanted: 'down', cause: slot.cause === 'finish' ? 'finish' : 'halt', again: false }]
    }
  }
}
