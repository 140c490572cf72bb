/** A slot as s6 sees it: a service that is up, one whose finish script runs, or one that is down. Pure. */

import type { ServiceStatus } from '../../protocol/s6.ts'
import { childOf, type Slot } from '../../slot/slot.ts'

export type Phase = 'down' | 'up' | 'finishing'

export function phaseOf(slot: Slot): Phase {
  if (slot.state === 'stopping' && slot.cause === 'finish') return 'finishing'
  return childOf(slot) === null ? 'down' : 'up'
}

/** Time of the living process's readiness, CLOCK_MONOTONIC ms; kept while the process is being stopped. */
const readyAtMs = (slot: Slot): number | undefined =>
  slot.state === 'up' || slot.state === 'stopping' ? slot.readyAtMs : undefined

/**
 * The events for subscribers, one byte each, in order: `u` and `U`, up and ready; `d`, dead; `O`, not to be
 * restarted; `D`, finished.
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

/** More waiting events than any client needs to distinguish. */
const TOO_MANY_EVENTS = 64

/**
 * Number of waiting events that can be sent at once: up to the end of a life, not into the next one, and not from a
 * death to the failure that it is. s6-svlisten 2.11 drops events that it reads together with the awaited one, so
 * `s6-svc -wR` would wait indefinitely for a start that follows at once.
 */
export function batchLength(events: string): number {
  const end = events.search(/D|d(?=O)/)
  return end === -1 || events.length > TOO_MANY_EVENTS ? events.length : end + 1
}

/** Facts that s6 remembers about a service besides its process: instants in Unix ms. */
export interface Stamps {
  /** The last start or death of the service. */
  readonly changedAtMs: number
  /** Time of readiness, or of being down and finished. */
  readonly readyAtMs: number
}

/**
 * The stamps after an event.
 * @param events result of {@link eventsBetween}
 * @param before undefined: unknown
 * @param wallOf converts CLOCK_MONOTONIC to Unix ms
 */
export function stampsAfter(
  events: string,
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
    changedAtMs: before === undefined || /[ud]/.test(events) ? changed : before.changedAtMs,
    readyAtMs: before === undefined || /[UD]/.test(events) ? ready : before.readyAtMs,
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
