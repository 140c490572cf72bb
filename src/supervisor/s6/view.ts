/** A slot as s6 sees it: a service that is up, whose finish script runs, or that is down. Pure. */

import type { ServiceStatus } from '../../protocol/s6.ts'
import { childOf, type Slot } from '../../slot/slot.ts'

export type Phase = 'down' | 'up' | 'finishing'

export function phaseOf(slot: Slot): Phase {
  if (slot.state === 'stopping' && slot.cause === 'finish') return 'finishing'
  return childOf(slot) === null ? 'down' : 'up'
}

/** When the living process said that it is ready, CLOCK_MONOTONIC ms; also while it is told to end. */
const readyAtMs = (slot: Slot): number | undefined =>
  slot.state === 'up' || slot.state === 'stopping' ? slot.readyAtMs : undefined

/**
 * The events that subscribers are told of, a letter each, in their order: `u` and `U`, up and ready; `d`, dead; `O`, not to be
 * started again; `D`, finished.
 */
export function eventsBetween(before: Slot, after: Slot): string {
  const was = phaseOf(before)
  const is = phaseOf(after)
  if (was === 'up' && is === 'up' && childOf(before)?.id === childOf(after)?.id)
    return after.state === 'up' && before.state !== 'up' ? 'U' : ''
  // Its start was lost with a supervisor, its end was not.
  const unseen = was === 'down' && after.lastEnding?.pid !== undefined && after.lastEnding !== before.lastEnding
  const died = was === 'up' ? 'd' : unseen ? 'ud' : ''
  const wasThere = was !== 'down' || unseen
  const finished = wasThere && is !== 'finishing' ? (after.state === 'parked' ? 'OD' : 'D') : ''
  const started = is === 'up' ? (readyAtMs(after) === undefined ? 'u' : 'uU') : ''
  return died + finished + started
}

/** So many letters that wait are more than any client needs to tell apart. */
const TOO_MANY_LETTERS = 64

/**
 * How many of the letters that wait can be told in one go: to the end of a life, not into the next one, and not from a death to
 * the failure that it is. s6-svlisten 2.11 forgets what it reads together with the letter it was waiting for, so `s6-svc -wR`
 * would wait for ever for a start that comes at once.
 */
export function lengthOfStretch(letters: string): number {
  const end = letters.search(/D|d(?=O)/)
  return end === -1 || letters.length > TOO_MANY_LETTERS ? letters.length : end + 1
}

/** What s6 remembers of a service besides its process: instants in Unix ms. */
export interface Stamps {
  /** The last start or death of the service. */
  readonly changedAtMs: number
  /** When readiness was said, or when it was down and finished. */
  readonly readyAtMs: number
}

/**
 * The stamps after an event.
 * @param letters what {@link eventsBetween} said of it
 * @param before undefined: none is known
 * @param wallOf turns CLOCK_MONOTONIC into Unix ms
 */
export function stampsAfter(
  letters: string,
  slot: Slot,
  before: Stamps | undefined,
  wallOf: (atMs: number) => number,
): Stamps {
  const readyAt = readyAtMs(slot)
  const child = childOf(slot)
  const died = slot.lastEnding?.wallMs
  const isUp = phaseOf(slot) === 'up'
  const changed = isUp && child !== null ? wallOf(child.spawnedAtMs) : (died ?? wallOf(slot.sinceMs))
  const ready = readyAt === undefined ? wallOf(slot.sinceMs) : wallOf(readyAt)
  return {
    changedAtMs: before === undefined || /[ud]/.test(letters) ? changed : before.changedAtMs,
    readyAtMs: before === undefined || /[UD]/.test(letters) ? ready : before.readyAtMs,
  }
}

/** @param paused stopped by a signal through us */
export function serviceStatus(slot: Slot, stamps: Stamps, paused: boolean): ServiceStatus {
  const phase = phaseOf(slot)
  return {
    ...stamps,
    pid: childOf(slot)?.pid ?? null,
    finishing: phase === 'finishing',
    // Down and finished counts as ready: ready to be brought up.
    ready: phase === 'up' ? readyAtMs(slot) !== undefined : phase === 'down',
    wantedUp: slot.wanted === 'up' && slot.state !== 'parked',
    paused: paused && phase === 'up',
    ...(slot.lastEnding !== undefined && { lastEnding: slot.lastEnding.ending }),
  }
}
