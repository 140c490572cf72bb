import { childOf, type Slot, type SlotEvent } from '../../slot/slot.ts'
import type { Cancel, Clock } from '../../system/clock.ts'
import { oneLine } from '../../system/text/foreign-text.ts'
import { changedFile, type FilesLook, lookAtFiles, MOST_FILES } from './files-look.ts'

/** Time between two looks. A look and not an event, because mounts of other machines send none. */
const LOOK_EVERY_MS = 1_000
/** Many files take longer: a look takes this share of the time at most. */
const LOOK_SHARE = 0.05

export interface FileWatchesOptions {
  readonly clock: Clock
  readonly warn: (text: string) => void
  /** Called with what should happen to a process: `outdated`. */
  readonly dispatch: (key: string, event: SlotEvent) => void
}

/**
 * Replaces the processes of slots when files have changed that they were started with. A slot that waits for its next
 * start after a death is started at once: the change may be the repair.
 */
export class FileWatches {
  readonly #options: FileWatchesOptions
  readonly #watched = new Map<string, { readonly child: number; readonly close: Cancel }>()

  constructor(options: FileWatchesOptions) {
    this.#options = options
  }

  /** The slot is in this state now. @param paths absolute; undefined: nothing is watched */
  follow(key: string, slot: Slot, paths: readonly string[] | undefined): void {
    const child = paths === undefined ? undefined : processOf(slot)
    if (this.#watched.get(key)?.child === child) return
    this.forget(key)
    if (child === undefined || paths === undefined) return
    const { clock, warn, dispatch } = this.#options
    const changed = (path: string): void =>
      dispatch(key, { type: 'outdated', child, why: `has to read ${oneLine(path)} again, which has changed` })
    const close = watchFiles(paths, { clock, warn: (text) => warn(`${key}: watch: ${text}`), changed })
    this.#watched.set(key, { child, close })
  }

  forget(key: string): void {
    this.#watched.get(key)?.close()
    this.#watched.delete(key)
  }
}

const processOf = (slot: Slot): number | undefined =>
  slot.state === 'backoff' ? slot.lastChild || undefined : childOf(slot)?.id

interface WatchOptions {
  readonly clock: Clock
  readonly warn: (text: string) => void
  /** A path has changed, and nothing has changed since then for one look. */
  readonly changed: (path: string) => void
}

function watchFiles(paths: readonly string[], { clock, warn, changed }: WatchOptions): Cancel {
  let closed = false
  let cancel: Cancel = () => undefined
  let known: FilesLook | undefined
  let last: FilesLook | undefined
  const look = async (): Promise<void> => {
    const beganAtMs = clock.nowMs()
    const now = await lookAtFiles(paths)
    if (closed) return
    const nextMs = Math.max(LOOK_EVERY_MS, (clock.nowMs() - beganAtMs) / LOOK_SHARE)
    cancel = clock.at(clock.nowMs() + nextMs, () => void look(), { coarse: true })
    if (known === undefined && now.size >= MOST_FILES) warn(`only the first ${MOST_FILES} files are looked at`)
    known ??= now
    const path = changedFile(known, now)
    const isQuiet = last !== undefined && changedFile(last, now) === undefined
    last = now
    if (path === undefined || !isQuiet) return
    known = now
    changed(path)
  }
  void look()
  return () => {
    closed = true
    cancel()
  }
}
