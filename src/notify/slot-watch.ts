/** When a slot's changes are worth a message. Pure; what it remembers is kept in the outbox. */
import type { SlotStatus } from '../protocol/control.ts'
import { slotCommands } from '../system/programs/slot-commands.ts'
import type { Observed } from './notification.ts'

/** Facts about a slot that does not work; a slot that works has none. */
export interface SlotMemory {
  /** When it began not to work, Unix ms. */
  readonly troubleAtMs: number
  /** The last report, if there was one. */
  readonly reported?: 'parked' | 'backoff'
  /** When it was parked, as far as that was reported and it still is. */
  readonly parkedAtMs?: number
}

export interface SlotLook {
  readonly memory: SlotMemory | undefined
  readonly observed?: Observed
  /** Time of the next look, if nothing changes until then: Unix ms. */
  readonly lookAtMs?: number
}

export type WatchedSlot = Pick<SlotStatus, 'slot' | 'profile' | 'state' | 'wanted' | 'since' | 'reason'>

/** A slot that has not worked for so long is reported as `backoff`. */
export const BACKOFF_MS = 300_000
/** A slot that has been up for so long works again. */
export const HEALTHY_MS = 10_000
/** Instants of one event differ less than this between two supervisors. */
const SAME_MS = 1000

export function watchSlot(memory: SlotMemory | undefined, slot: WatchedSlot, wallMs: number): SlotLook {
  const sinceMs = Math.min(Date.parse(slot.since), wallMs)
  switch (slot.state) {
    case 'parked':
      return lookAtParked(memory, slot, sinceMs)
    case 'backoff':
    case 'starting':
    case 'stopping':
      if (slot.wanted === 'down') return { memory: undefined }
      if (memory === undefined && slot.state !== 'backoff') return { memory: undefined }
      return lookAtTrouble(memory ?? { troubleAtMs: sinceMs }, slot, wallMs)
    case 'up':
      if (memory === undefined || slot.wanted === 'down') return { memory: undefined }
      if (wallMs < sinceMs + HEALTHY_MS) return { memory: unparked(memory), lookAtMs: sinceMs + HEALTHY_MS }
      return { memory: undefined, ...(memory.reported && { observed: recovered(memory, slot, wallMs) }) }
    case 'down':
    case 'done':
      // Stopped by a command, or at its end: nothing to recover from.
      return { memory: undefined }
  }
}

function lookAtParked(memory: SlotMemory | undefined, slot: WatchedSlot, sinceMs: number): SlotLook {
  if (memory?.parkedAtMs !== undefined && Math.abs(memory.parkedAtMs - sinceMs) <= SAME_MS) return { memory }
  return {
    memory: { troubleAtMs: memory?.troubleAtMs ?? sinceMs, reported: 'parked', parkedAtMs: sinceMs },
    observed: {
      ...subject(slot),
      event: 'parked',
      atMs: sinceMs,
      text: `${slot.slot} is parked: ${slot.reason ?? 'it is not started again'}; ${next(slot)}`,
    },
  }
}

function lookAtTrouble(memory: SlotMemory, slot: WatchedSlot, wallMs: number): SlotLook {
  const known = unparked(memory)
  const { troubleAtMs, reported } = known
  if (reported !== undefined) return { memory: known }
  if (wallMs < troubleAtMs + BACKOFF_MS) return { memory: known, lookAtMs: troubleAtMs + BACKOFF_MS }
  const minutes = Math.round((wallMs - troubleAtMs) / 60_000)
  return {
    memory: { ...known, reported: 'backoff' },
    observed: {
      ...subject(slot),
      event: 'backoff',
      atMs: wallMs,
      text: `${slot.slot} has not come up for ${minutes} min${slot.reason === undefined ? '' : `: ${slot.reason}`}; ${next(slot)}`,
    },
  }
}

const unparked = ({ parkedAtMs: _, ...memory }: SlotMemory): SlotMemory => memory

const recovered = ({ troubleAtMs }: SlotMemory, slot: WatchedSlot, atMs: number): Observed => ({
  ...subject(slot),
  event: 'recovered',
  atMs,
  text: `${slot.slot} is up again, after ${Math.max(1, Math.round((atMs - troubleAtMs) / 60_000))} min`,
})

const subject = ({ slot, profile }: WatchedSlot) => ({ slot, ...(profile !== undefined && { profile }) })

function next({ slot }: WatchedSlot): string {
  const { logs, start } = slotCommands(slot)
  return `fix the cause (log: ${logs}), then: ${start}`
}
