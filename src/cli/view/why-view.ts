import type { SlotStatus } from '../../protocol/control.ts'
import { profileOfSlot } from '../../system/paths.ts'
import { slotCommands } from '../../system/programs/slot-commands.ts'
import { elapsedText, listText } from '../../system/text/span.ts'

/** One sentence for people: what the slot does and why, and where there is one, the next step. */
export function whyText(slot: SlotStatus, wallMs: number): string {
  const name = profileOfSlot(slot.slot) ?? slot.slot
  const next = nextStep(slot)
  return `${name} ${predicate(slot, wallMs)}${next === undefined ? '' : `; ${next}`}.`
}

function predicate(slot: SlotStatus, wallMs: number): string {
  const forText = elapsedText(Math.max(0, wallMs - Date.parse(slot.since)))
  const because = slot.reason === undefined ? '' : `: ${slot.reason}`
  const until = slot.nextStartAt && elapsedText(Math.max(0, Date.parse(slot.nextStartAt) - wallMs))
  switch (slot.state) {
    case 'up': {
      const found = slot.evidence === undefined ? '' : listText(slot.evidence)
      if (slot.health === 'stuck') return `runs (pid ${slot.pid}) but seems stuck: it ${found}`
      if (slot.health === 'quiet') return `runs (pid ${slot.pid}) but is quiet: it ${found}`
      return `has been up for ${listText([forText, ...(slot.evidence ?? [])])}`
    }
    case 'starting':
      return `has been starting for ${forText}${slot.reason === undefined ? '' : ` and ${slot.reason}`}`
    case 'stopping':
      return `has been stopping for ${forText}`
    case 'backoff':
      return `waits ${until} for its next start${because}`
    case 'parked':
      return `is parked and not started again by itself${because}`
    case 'done':
      return `was done ${forText} ago`
    case 'down':
      if (until !== undefined) return `runs at times; the next one is in ${until}`
      if (slot.wanted === 'down') return slot.reason === undefined ? 'is stopped' : `is down${because}`
      // A slot that is down wants nothing itself: that it is wanted up comes with the reason why it waits.
      return slot.reason ?? 'is down although it is wanted up'
  }
}

function nextStep({ slot, state, wanted, health, nextStartAt }: SlotStatus): string | undefined {
  const { start, logs } = slotCommands(slot)
  if (state === 'parked' || (state === 'down' && wanted === 'down' && nextStartAt === undefined))
    return `next: ${start}`
  return state === 'backoff' || state === 'starting' || health === 'stuck' ? `next: ${logs}` : undefined
}
