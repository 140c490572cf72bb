import { closeSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, writeSync } from 'node:fs'
import type { JobSpec } from '../protocol/control.ts'
import { isSlotKey } from '../protocol/init.ts'
import type { Slot } from '../slot/slot.ts'
import { below } from '../system/paths.ts'
import { readSmallFile } from '../system/small-file.ts'
import type { Launch } from './launch.ts'
import type { DirId } from './reconcile.ts'

const VERSION = 1
const MAX_STATE_BYTES = 1_000_000
const STATES: readonly string[] = [
  'down',
  'starting',
  'up',
  'stopping',
  'backoff',
  'parked',
  'done',
] satisfies Slot['state'][]

/** All that the next supervisor of this container life has to know about a slot. */
export interface StoredSlot {
  readonly slot: Slot
  /** How its process was started last; absent: never. */
  readonly launch?: Launch
  /** Wall time at which `state` was entered, for display. */
  readonly sinceWallMs: number
  /** It starts with the container: the operator's last word that is kept, else what it was registered with. */
  readonly normallyUp: boolean
  readonly job?: JobSpec
  /** The directory its process was started in, whatever its name is by now. */
  readonly startedIn?: DirId
}

/**
 * One file per slot in the run directory. Not synced: the files have to outlive a process, not the machine, whose boot clears
 * the directory.
 */
export class SlotStore {
  readonly #dir: string
  readonly #warn: (text: string) => void
  #failing = false

  constructor(dir: string, warn: (text: string) => void) {
    this.#dir = dir
    this.#warn = warn
  }

  /** Write, then rename: a supervisor that is killed meanwhile leaves the last state, never half of one. */
  save(key: string, stored: StoredSlot): void {
    const file = below(this.#dir, key)
    const scratch = below(this.#dir, `.${key}`)
    try {
      const fd = openSync(scratch, 'w', 0o600)
      try {
        writeSync(fd, JSON.stringify({ v: VERSION, ...stored }))
      } finally {
        closeSync(fd)
      }
      renameSync(scratch, file)
      this.#failing = false
    } catch (error) {
      // The slot works on; only a crash of the supervisor would now lose what it cannot write.
      if (!this.#failing)
        this.#warn(`cannot write ${file}: ${(error as Error).message}; free some space in ${this.#dir}`)
      this.#failing = true
    }
  }

  remove(key: string): void {
    rmSync(below(this.#dir, key), { force: true })
  }

  /** What an earlier supervisor of this life left, in order of name. A file that cannot be understood is reported and left out. */
  load(): ReadonlyMap<string, StoredSlot> {
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 })
    const found = new Map<string, StoredSlot>()
    for (const name of readdirSync(this.#dir).sort()) {
      if (!isSlotKey(name)) continue
      const file = below(this.#dir, name)
      const { text, problem } = readSmallFile(file, MAX_STATE_BYTES)
      const stored = text === undefined ? undefined : parse(text)
      if (stored !== undefined) found.set(name, stored)
      else this.#warn(`${file} ${problem ?? 'is not the state of a slot'}; the slot is made anew`)
    }
    return found
  }
}

/** We wrote the file, so its shape is trusted once its version and its state are ours; a torn or foreign one is not. */
function parse(text: string): StoredSlot | undefined {
  try {
    const value = JSON.parse(text) as {
      v?: unknown
      slot?: { state?: unknown; policy?: unknown; deaths?: unknown }
    } | null
    const sound =
      value?.v === VERSION &&
      typeof value.slot === 'object' &&
      STATES.includes(String(value.slot.state)) &&
      typeof value.slot.policy === 'object' &&
      Array.isArray(value.slot.deaths)
    return sound ? (value as unknown as StoredSlot) : undefined
  } catch {
    return undefined // not JSON: the caller reports it
  }
}
