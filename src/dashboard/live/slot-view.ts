/** The known state of all slots: the last status, with every change since. Pure. */
import type { SlotEventMessage, StatusResult } from '../../protocol/control.ts'

export function withSlotEvent(status: StatusResult, { type, slot }: SlotEventMessage): StatusResult {
  const others = status.slots.filter((one) => one.slot !== slot.slot)
  if (type === 'removed') return { ...status, slots: others }
  const known = others.length < status.slots.length
  return {
    ...status,
    slots: known ? status.slots.map((one) => (one.slot === slot.slot ? slot : one)) : [...status.slots, slot],
  }
}
