import { ftruncateSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock } from '../../system/clock.ts'
import { below } from '../../system/paths.ts'
import type { RotationPlan } from '../archives.ts'
import { countLines, fitLines, NEWLINE, newline } from '../lines.ts'
import { STAMP_BYTES, stampText } from '../stamp.ts'
import { ArchiveList } from './archive-list.ts'
import { CurrentFile } from './current-file.ts'
import type { SharedLogResources } from './shared-resources.ts'

/**
 * After a failure, lines are given up without trying for so long: an attempt that throws costs as much as writing 20
 * kB.
 */
const RETRY_MS = 250
/** How often a file in use is compared with what its name stands for. */
const CHECK_MS = 1000

/** Where a log lies, and how much of it is kept. */
export interface LogPlace {
  readonly dir: string
  /**
   * Absent: `current`, with dated archives. Given (a job's log): a file of that name, whose one archive is `<name>.1`.
   */
  readonly name?: string
  readonly maxBytes: number
  readonly archives: number
}

export interface LogFileOptions {
  readonly place: LogPlace
  /** A stamp before each line; default: true. */
  readonly stamped?: boolean
  readonly clock: Clock
  readonly shared: Pick<SharedLogResources, 'stamper' | 'disk' | 'losses'>
}

/**
 * A stamped log file with rotation. Nothing here throws: what cannot be written is counted, reported and given up, and
 * every later write tries again. The file then holds whole lines, and a line that says how many are missing.
 */
export class LogFile {
  readonly path: string
  readonly #options: LogFileOptions
  readonly #archives: ArchiveList
  #file: CurrentFile | undefined
  /** Given up in the middle of a line: nothing more is written until the next one begins. */
  #skipping = false
  #lostLines = 0
  #error = ''
  #retryAtMs = Number.NEGATIVE_INFINITY
  #checkAtMs = Number.NEGATIVE_INFINITY
  #stampedMs = Number.NaN
  #stampBytes = Buffer.alloc(0)

  constructor(options: LogFileOptions) {
    this.#options = options
    const { dir, name = 'current', archives } = options.place
    this.#archives = new ArchiveList(dir, archives, options.clock)
    this.path = below(dir, name)
    this.#ready()
  }

  /** The unfinished last line without its stamp; empty when the file ends with a newline. */
  openLine(): Buffer {
    const openAt = this.#file?.openAt
    return openAt === undefined ? Buffer.alloc(0) : (this.#file as CurrentFile).tail(openAt).subarray(STAMP_BYTES)
  }

  /** Ends the unfinished line, if there is one. */
  endLine(): void {
    if (this.#file?.openAt !== undefined && this.#ready()) this.#put(newline)
  }

  /**
   * @param chunk no longer than the stamper was made for
   * @param midLine the first bytes go on with the line that the last call left open
   */
  append(chunk: Buffer, midLine: boolean): void {
    let from = 0
    if (this.#skipping && midLine) {
      from = chunk.indexOf(NEWLINE) + 1
      if (from === 0) return
      this.#lose(chunk.subarray(0, from))
      if (from === chunk.length) return
      midLine = false
    }
    this.#skipping = false
    const ready = this.#ready()
    const continues = midLine && this.#file?.openAt !== undefined
    const bare = chunk.subarray(from)
    const { stamped: isStamped = true, shared } = this.#options
    const stamped = isStamped ? shared.stamper.stamp(bare, this.#stamp(), continues) : bare
    const rest = ready && this.#putRepairs(continues) ? this.#put(stamped) : stamped
    if (rest.length > 0) this.#lose(rest)
  }

  /** Rotates at once, unless no whole line is there to archive. An unfinished line goes along to the new file. */
  rotate(): void {
    if (this.#ready() && this.#file !== undefined && this.#file.wholeBytes > 0) this.#rotate(this.#file)
  }

  /**
   * Closes the file, and syncs and closes its archives. A later append opens it again. The file itself is left to the
   * kernel, as while it is written: a sync for each of many slots was most of the time of a container's stop.
   */
  async close(): Promise<void> {
    this.#file?.close()
    this.#file = undefined
    await this.#options.shared.disk.settle(dirname(this.path))
  }

  /** Writes the text that has to stand before new lines. @returns false: it could not be written */
  #putRepairs(continues: boolean): boolean {
    // An unfinished line at the end of the file: its writer is gone.
    if (!continues && this.#file?.openAt !== undefined && this.#put(newline).length > 0) return false
    if (this.#lostLines === 0) return true
    const stamp = stampText(this.#options.clock.wallMs())
    const gap = `${stamp}hermes: lines missing here: ${this.#lostLines}; they could not be written: ${this.#error}\n`
    if (this.#put(Buffer.from(gap)).length > 0) return false
    this.#lostLines = 0
    this.#options.shared.losses.resumed(this.path)
    return true
  }

  /** One stamp per chunk; chunks of one millisecond share it. */
  #stamp(): Buffer {
    const wallMs = this.#options.clock.wallMs()
    if (wallMs !== this.#stampedMs) {
      this.#stampedMs = wallMs
      this.#stampBytes = Buffer.from(stampText(wallMs))
    }
    return this.#stampBytes
  }

  /** Writes stamped bytes, rotating before a write that would pass the limit. @returns what could not be written */
  #put(bytes: Buffer): Buffer {
    let rest = bytes
    while (rest.length > 0 && this.#file !== undefined) {
      let take = fitLines(rest, this.#options.place.maxBytes - this.#file.size)
      if (take === 0 && this.#file.wholeBytes > 0) {
        if (this.#rotate(this.#file)) continue
        break
      }
      // A line longer than a file has one of its own.
      if (take === 0) take = rest.indexOf(NEWLINE) + 1 || rest.length
      const { written, error } = this.#file.append(rest.subarray(0, take))
      rest = rest.subarray(written)
      if (error === undefined) continue
      this.#fail(error)
      break
    }
    return rest
  }

  /** Makes sure that there is a file to write to, and that it is the one its name stands for. */
  #ready(): boolean {
    const nowMs = this.#options.clock.nowMs()
    if (nowMs < this.#retryAtMs) return false
    try {
      if (nowMs >= this.#checkAtMs) {
        this.#dropIfGone()
        this.#checkAtMs = nowMs + CHECK_MS
      }
      this.#file ??= new CurrentFile(this.path)
      return true
    } catch (error) {
      this.#fail(error)
      return false
    }
  }

  #dropIfGone(): void {
    if (this.#file === undefined || this.#file.isStillThere()) return
    this.#file.close()
    this.#file = undefined
  }

  /** An unfinished line goes along to the new file, so that no line is ever cut in two. */
  #rotate(old: CurrentFile): boolean {
    try {
      this.#dropIfGone() // what gets an archive's name must be what we have written
      if (this.#file === undefined) {
        this.#file = new CurrentFile(this.path)
        return true
      }
      const { archive, remove } = this.#moveAside()
      this.#file = undefined
      try {
        this.#file = new CurrentFile(this.path)
        if (old.openAt === undefined) return true
        // Written before it is taken from the old file: a kill in between doubles half a line and loses none.
        const { error } = this.#file.append(old.tail(old.openAt))
        if (error !== undefined) throw error
        ftruncateSync(old.fd, old.openAt)
        return true
      } finally {
        this.#options.shared.disk.archived(archive, old.fd)
        for (const path of remove) this.#options.shared.disk.remove(path)
      }
    } catch (error) {
      this.#fail(error)
      return false
    }
  }

  /** Gives the file its archive's name. @returns paths: the archive's, and of what is now too much */
  #moveAside(): RotationPlan {
    const { place, shared } = this.#options
    const { dir, name } = place
    const leaving = (): readonly string[] => shared.disk.leaving(dirname(this.path))
    const plan = name === undefined ? this.#archives.plan(leaving) : { archive: `${name}.1`, remove: [] }
    const archive = below(dir, plan.archive)
    renameSync(this.path, archive)
    this.#archives.done(plan)
    return { archive, remove: plan.remove.map((old) => below(dir, old)) }
  }

  #lose(bytes: Buffer): void {
    const lines = countLines(bytes)
    this.#lostLines += lines
    this.#skipping = bytes.at(-1) !== NEWLINE
    this.#options.shared.losses.lost(this.path, lines, this.#error)
  }

  #fail(error: unknown): void {
    this.#error = describe(error)
    this.#retryAtMs = this.#options.clock.nowMs() + RETRY_MS
  }
}

/** `ENOSPC: no space left on device` of Node's `ENOSPC: no space left on device, write`. */
const describe = (error: unknown): string =>
  error instanceof Error ? error.message.replace(/, \w+( '.*)?$/, '') : String(error)
