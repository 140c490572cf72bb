/**
 * The state machine of a slot. docs/slots.md describes every pair of state and event. Pure: no I/O, no clock and no
 * randomness of its own, so a history of events always leads to the same slot.
 */

import { halt, restart, want } from './commands.ts'
import type { SlotStep } from './moves.ts'
import { condemned, due, exited, gone, outdated, ready, spawnFailed, take } from './reports.ts'
import type { Slot, SlotEvent } from './slot.ts'

export type { SlotStep }

/**
 * Applies one event to a slot.
 * @param nowMs CLOCK_MONOTONIC; the only source of time
 * @returns the new slot (the same object if nothing changed), and its effects, to be performed in this order after
 * the slot has been written to its file
 */
export function step(slot: Slot, event: SlotEvent, nowMs: number): SlotStep {
  switch (event.type) {
    case 'want':
      return want(slot, event.wanted, nowMs)
    case 'restart':
      return restart(slot, nowMs)
    case 'condemned':
      return condemned(slot, event, nowMs)
    case 'outdated':
      return outdated(slot, event, nowMs)
    case 'configured':
      return [{ ...slot, policy: event.policy }]
    case 'spawned':
      return slot.request === event.request ? take(slot, event.child, undefined, nowMs) : [slot]
    case 'spawn-failed':
      return spawnFailed(slot, event, nowMs)
    case 'ready':
      return ready(slot, event, nowMs)
    case 'exited':
      return exited(slot, event, nowMs)
    case 'due':
      return due(slot, nowMs)
    case 'adopted':
      return take(slot, event.child, event.readyAtMs, nowMs)
    case 'gone':
      return gone(slot, event, nowMs)
    case 'halt':
      return halt(slot, nowMs)
  }
}
