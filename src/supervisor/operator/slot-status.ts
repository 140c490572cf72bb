import type { Death, SlotStatus, Warning } from '../../protocol/control.ts'
import { childOf, type DeathRecord } from '../../slot/slot.ts'
import { type Clock, wallTimeOf } from '../../system/clock.ts'
import { below, profileOfSlot, slotLogDir } from '../../system/paths.ts'
import { slotCommands } from '../../system/programs/slot-commands.ts'
import type { HealthReport } from '../checks/liveness.ts'
import type { ServiceNote } from '../services/image-services.ts'
import type { SlotEntry } from '../slots/entry.ts'

const rfc3339 = (wallMs: number): string => new Date(wallMs).toISOString()

export const deathOf = ({ wallMs, upMs, ending }: DeathRecord): Death => ({
  at: rfc3339(wallMs),
  ...(upMs !== undefined && { upMs: Math.round(upMs) }),
  ...ending,
})

/** A slot as every reader of the control socket sees it. */
export function slotStatus(
  entry: SlotEntry,
  home: string,
  clock: Clock,
  { health, ...note }: ServiceNote & { readonly health?: HealthReport | undefined } = {},
): SlotStatus {
  const { key, slot, sinceWallMs, job } = entry
  const profile = job?.profile ?? profileOfSlot(key)
  const child = slot.state === 'stopping' && slot.cause === 'finish' ? null : childOf(slot)
  const death = slot.deaths.at(-1)
  return {
    slot: key,
    ...(profile !== undefined && { profile }),
    state: slot.state,
    wanted: note.wanted ?? slot.wanted,
    ready: slot.state === 'up' || slot.state === 'done',
    ...(child && { pid: child.pid }),
    since: rfc3339(sinceWallMs),
    restarts: slot.restarts,
    ...(death && { lastDeath: deathOf(death) }),
    ...(slot.state === 'backoff' && { nextStartAt: rfc3339(wallTimeOf(clock, slot.startAtMs)) }),
    ...(note.nextStartAtMs !== undefined && { nextStartAt: rfc3339(note.nextStartAtMs) }),
    ...('reason' in slot && slot.reason !== undefined && { reason: slot.reason }),
    ...(note.reason !== undefined && { reason: note.reason }),
    ...health,
    log: job?.logFile ?? below(slotLogDir(home, key), 'current'),
  }
}

/** This many deaths in a row are called a crash loop. */
const LOOP = 3

/** Warnings about slots for the operator. */
export function slotWarnings(entries: readonly SlotEntry[]): readonly Warning[] {
  return entries.flatMap(({ key, slot }): readonly Warning[] => {
    if (slot.state === 'parked') {
      const { logs, start } = slotCommands(key)
      const text = `${key} is parked: ${slot.reason}. Fix the cause (log: ${logs}), then: ${start}`
      return [{ code: 'SLOT_PARKED', slot: key, text }]
    }
    if (slot.deathsInRow < LOOP || slot.wanted === 'down') return []
    const last = reasonOf(slot.state === 'backoff' ? slot.reason : undefined)
    const text = `${key} is in a crash loop: ${slot.deathsInRow} deaths in a row${last}`
    return [{ code: 'CRASH_LOOP', slot: key, text }]
  })
}

const reasonOf = (reason: string | undefined): string => (reason === undefined ? '' : `, the last one ${reason}`)
