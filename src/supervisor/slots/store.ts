import type { JobSpec } from '../../protocol/control.ts'
import type { Slot } from '../../slot/slot.ts'
import type { DirId } from '../../system/files/dir-id.ts'
import type { Launch } from '../launch/launch.ts'
import { storedSlotProblem } from './schema.ts'
import type { StateStore } from './state-store.ts'

const VERSION = 1

/** Everything about a slot for the next supervisor of this container's life. */
export interface StoredSlot {
  readonly slot: Slot
  /** How its process was last started; absent: never. */
  readonly launch?: Launch
  /** Wall time at which `state` was entered, for display. */
  readonly sinceWallMs: number
  /** It starts with the container: by the operator's last stored command, or as registered. */
  readonly normallyUp: boolean
  readonly job?: JobSpec
  /** The directory its process was started in, whatever its name is by now. */
  readonly startedIn?: DirId
}

export const saveSlot = (stateStore: Pick<StateStore, 'keep'>, key: string, stored: StoredSlot): void =>
  stateStore.keep(key, JSON.stringify({ v: VERSION, ...stored }))

/**
 * Parses the state of a slot from an earlier supervisor. Only root could have changed the text; it can still be of
 * another version, or truncated by a full disk.
 * @throws Error that says what is wrong with it
 */
export function parseSlot(text: string): StoredSlot {
  const value: unknown = JSON.parse(text)
  const why = storedSlotProblem(value, VERSION)
  if (why !== undefined) throw new Error(why)
  return value as StoredSlot
}
