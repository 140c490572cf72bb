import type { Effect, Slot, SlotEvent } from '../../slot/slot.ts'
import type { Launch } from '../launch/launch.ts'
import type { StoredSlot } from './store.ts'

/** A slot at work. Everything that must outlive this process is in {@link StoredSlot}. */
export interface SlotEntry extends Readonly<StoredSlot> {
  readonly key: string
  readonly launch: Launch
  /** It goes as soon as its process is gone. */
  readonly removing: boolean
}

/** A change of a slot; `before` and `entry.slot` differ, except for a repeated effect. */
export interface Transition {
  readonly entry: SlotEntry
  readonly before: Slot
  readonly event: SlotEvent
}

/** Learns what happens to slots. */
export interface SlotObserver {
  /** Its finish program is about to be started. */
  finishing(entry: SlotEntry): void
  /** After the slot was written and its effects were performed. */
  changed(transition: Transition): void
  /** A new slot was registered and is down; one that is started at once has a transition. */
  registered(entry: SlotEntry): void
  /** The slot is gone; what shows of it in the scan directory is to go. */
  removed(entry: SlotEntry): void
  /** A slot has ended by itself: parked, ended for good, or a job's result. */
  ended(entry: SlotEntry, effect: Extract<Effect, { type: 'ended' }>): void
}
