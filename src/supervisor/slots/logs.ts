import type { ConsoleWriter } from '../../log/io/console.ts'
import { type SharedLogResources, sharedLogResources } from '../../log/io/shared-resources.ts'
import { SlotLog } from '../../log/io/slot-log.ts'
import type { CopyForm } from '../../log/lines.ts'
import { readStamp, STAMP_BYTES } from '../../log/stamp.ts'
import type { Clock } from '../../system/clock.ts'
import { readTail } from '../../system/files/small-file.ts'
import { below } from '../../system/paths.ts'
import { oneLine } from '../../system/text/foreign-text.ts'
import type { SlotLogPlace } from '../launch/launcher.ts'

/** Part of the log in which a process's last line is searched, and the length quoted. */
const TAIL_BYTES = 8192
const MAX_OUTPUT_CHARS = 300

export interface SlotLogsOptions {
  /** Directory of the log FIFOs. */
  readonly fifos: string
  /** The container's stdout. */
  readonly console: ConsoleWriter
  /** `HERMES_LOG_PREFIX`, `LOG_FORMAT` */
  readonly form: CopyForm
  readonly clock: Clock
  readonly warn: (text: string) => void
}

/** Gets whole lines of one slot; the bytes are valid during the call only. */
export type LineListener = (wholeLines: Buffer) => void

interface OpenLog {
  readonly log: SlotLog
  readonly place: SlotLogPlace
  readonly listen: { line: LineListener }
}

/** The logs of all slots, and the listeners for their lines. */
export class SlotLogs {
  readonly #options: SlotLogsOptions
  readonly #shared: SharedLogResources
  readonly #open = new Map<string, OpenLog>()
  readonly #followers = new Map<string, Set<LineListener>>()
  /** Closed logs whose last file is still being synced. */
  readonly #closing = new Set<Promise<void>>()

  constructor(options: SlotLogsOptions) {
    this.#options = options
    this.#shared = sharedLogResources(options.clock, options.warn)
  }

  /** Lines that no file could take since this supervisor started. */
  get linesLost(): number {
    return this.#shared.losses.total
  }

  /**
   * The log of a slot, reading its FIFO. An open one stays unless its settings have changed.
   * @param continued the process has been running since before this supervisor: its last line may go on
   */
  open(slot: string, place: SlotLogPlace, continued: boolean, line: LineListener): void {
    const known = this.#open.get(slot)
    if (known !== undefined) {
      known.listen.line = line
      if (JSON.stringify(known.place) === JSON.stringify(place)) return
      this.close(slot)
    }
    const { fifos, console, form, clock, warn } = this.#options
    const listen = { line }
    try {
      const log = SlotLog.open({
        slot,
        fifo: below(fifos, slot),
        place,
        clock,
        console: place.toConsole ? console : null,
        form,
        warn,
        continued,
        shared: this.#shared,
        tap: (wholeLines) => {
          listen.line(wholeLines)
          for (const follower of this.#followers.get(slot) ?? []) follower(wholeLines)
        },
      })
      this.#open.set(slot, { log, place, listen })
    } catch (error) {
      // A process requested by the last supervisor that never started has no FIFO yet.
      if (continued && (error as NodeJS.ErrnoException).code === 'ENOENT') return
      // The next start tries again. Until then what the process writes waits in its FIFO, and then it does.
      warn(`the log of ${slot} cannot be read: ${(error as Error).message}`)
    }
  }

  /** Writes all output of the slot's process to its file; call this before handling its exit. */
  endOfProcess(slot: string): void {
    const open = this.#open.get(slot)
    open?.log.drain()
    open?.log.endOfProcess()
  }

  /**
   * Returns the last complete line of a process (an indented line continues the one before it).
   * @param sinceWallMs start of the process: output of an earlier one explains nothing
   * @returns undefined when it wrote none, or the file cannot be read
   */
  lastOutput(slot: string, sinceWallMs: number): string | undefined {
    const open = this.#open.get(slot)
    if (open === undefined) return undefined
    const { text } = readTail(below(open.place.dir, open.place.name ?? 'current'), TAIL_BYTES)
    const line = text?.split('\n').findLast((one) => /^\S/.test(one.slice(STAMP_BYTES)))
    if (line === undefined) return undefined
    const stamp = readStamp(line)
    if (stamp === undefined || stamp.atMs < sinceWallMs - 1) return undefined
    const message = line.slice(STAMP_BYTES, STAMP_BYTES + MAX_OUTPUT_CHARS).replace(/^hermes: /, '')
    return oneLine(message).trim()
  }

  close(slot: string): void {
    const open = this.#open.get(slot)
    if (open === undefined) return
    this.#open.delete(slot)
    const closing = open.log.close().finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
  }

  /** Drains, syncs and closes all of them; the console's reader has what it reads. */
  async closeAll(): Promise<void> {
    for (const slot of [...this.#open.keys()]) this.close(slot)
    await Promise.all([...this.#closing, this.#options.console.emptied()])
  }

  /** @returns ends it */
  follow(slot: string, line: LineListener): () => void {
    const followers = this.#followers.get(slot) ?? new Set()
    this.#followers.set(slot, followers.add(line))
    return () => {
      followers.delete(line)
      if (followers.size === 0 && this.#followers.get(slot) === followers) this.#followers.delete(slot)
    }
  }
}
