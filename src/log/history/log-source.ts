import { closeSync, fstatSync, readdirSync, type Stats, statSync } from 'node:fs'
import { join } from 'node:path'
import { openRegular } from '../../system/files/small-file.ts'
import { archiveAtMs, sortArchives } from '../archives.ts'
import { type LogLine, lineParser } from '../line.ts'
import { lastLines, linesFrom, wholeLinesEnd } from './file-lines.ts'

export interface LogSource {
  readonly slot: string
  readonly dir: string
  /**
   * Absent: `current` and its dated archives. Given: a file of that name, with archives `<name>.1`, `<name>.2`, … the
   * older the higher.
   */
  readonly name?: string
}

export interface HistoryQuery {
  /** Only the last so many lines. */
  readonly lines?: number
  /** Only lines from this instant on, Unix ms. */
  readonly sinceMs?: number
  /** Without a last line that has no newline yet: a follower will get it when it is finished. */
  readonly wholeLines?: boolean
}

interface OpenFile {
  readonly fd: number
  readonly identity: string
  readonly size: number
}

const identityOf = ({ dev, ino }: Stats): string => `${dev}:${ino}`

/**
 * One log: its archives and the file that is being written. Files are known by their identity (device and inode),
 * because a rotation renames them. A file that is missing or cannot be read is skipped: it may be there the next time.
 */
export class SourceReader {
  readonly #source: LogSource
  readonly #path: string
  readonly #parse: (raw: string) => LogLine
  #started = false
  /** The file being followed; undefined: there was none yet. */
  #file: OpenFile | undefined
  /** End of the last whole line that was given out. */
  #offset = 0
  /** The newest archive older than that file. */
  #newestArchive = ''

  constructor(source: LogSource) {
    this.#source = source
    this.#path = join(source.dir, source.name ?? 'current')
    this.#parse = lineParser(source.slot)
  }

  /** From here on everything is news. */
  start(): void {
    this.close()
    this.#started = true
    const file = open(this.#path)
    if (file) this.#follow(file, wholeLinesEnd(file.fd, file.size))
  }

  /** Lines written so far, oldest first; news goes on behind the last of them. */
  *history({ lines, sinceMs, wholeLines = false }: HistoryQuery): Generator<LogLine> {
    this.start()
    const wanted: { readonly file: OpenFile; readonly from: number }[] = []
    let left = lines ?? Number.POSITIVE_INFINITY
    const take = (file: OpenFile, size: number): void => {
      const last = Number.isFinite(left) ? lastLines(file.fd, size, left) : { from: 0, found: 0 }
      left -= last.found
      wanted.unshift({ file, from: last.from })
    }
    try {
      const current = this.#file
      if (current) take(current, wholeLines ? this.#offset : current.size)
      for (const name of this.#archives().reverse()) {
        // Every line of an archive is older than its name says.
        const rotatedAtMs = archiveAtMs(name)
        if (left <= 0 || (sinceMs !== undefined && rotatedAtMs !== undefined && rotatedAtMs < sinceMs)) break
        const file = open(join(this.#source.dir, name))
        if (!file) continue
        if (file.identity === current?.identity) closeSync(file.fd)
        else take(file, file.size)
      }
      for (const { file, from } of wanted) {
        const following = file === this.#file
        for (const { text, nextAt } of linesFrom(file.fd, from, !(following && wholeLines))) {
          if (following) this.#offset = nextAt
          const line = this.#parse(text)
          if (sinceMs === undefined || line.atMs >= sinceMs) yield line
        }
      }
    } finally {
      for (const { file } of wanted) if (file !== this.#file) closeSync(file.fd)
    }
  }

  /** Reads the lines written since the last call (or history), across any number of rotations. */
  *newLines(): Generator<LogLine> {
    if (!this.#started) this.start()
    const file = this.#file
    const named = statOf(this.#path)
    yield* this.#rest()
    // Missing for a moment: between the two steps of a rotation, or a directory that will be made again.
    if (!named || identityOf(named) === file?.identity) return
    const next = open(this.#path)
    if (!next) return
    const older = this.#newestArchive
    this.#follow(next, 0)
    if (file) {
      closeSync(file.fd)
      for (const archive of this.#archives()) {
        if (this.#source.name === undefined && isAfter(archive, older)) yield* this.#whole(archive, [file, next])
      }
    }
    yield* this.#rest()
  }

  close(): void {
    if (this.#file) closeSync(this.#file.fd)
    this.#file = undefined
  }

  *#rest(): Generator<LogLine> {
    if (!this.#file) return
    const { fd } = this.#file
    const { size } = fstatSync(fd)
    if (size < this.#offset) this.#offset = 0 // emptied in place
    if (size === this.#offset) return
    for (const { text, nextAt } of linesFrom(fd, this.#offset, false)) {
      this.#offset = nextAt
      yield this.#parse(text)
    }
  }

  /**
   * An archive that came and went between two looks. The end of our old file that was unfinished stands in the file
   * after it.
   */
  *#whole(name: string, seen: readonly OpenFile[]): Generator<LogLine> {
    const archive = open(join(this.#source.dir, name))
    if (!archive) return
    if (!seen.some(({ identity }) => identity === archive.identity)) {
      for (const { text } of linesFrom(archive.fd, 0, true)) yield this.#parse(text)
    }
    closeSync(archive.fd)
  }

  #follow(file: OpenFile, offset: number): void {
    this.#file = file
    this.#offset = offset
    // Listed after the file was opened: if it has been rotated in between, it is among them, and its identity shows
    // which one it is.
    this.#newestArchive =
      this.#archives().findLast((name) => {
        const stats = statOf(join(this.#source.dir, name))
        return stats !== undefined && identityOf(stats) !== file.identity
      }) ?? ''
  }

  /** Oldest first. */
  #archives(): string[] {
    const { dir, name } = this.#source
    let names: string[]
    try {
      names = readdirSync(dir)
    } catch {
      return [] // not there (yet), or not for us
    }
    if (name === undefined) return [...sortArchives(names)]
    const numbered = names.flatMap((entry) => {
      const number = entry.startsWith(`${name}.`) ? Number(entry.slice(name.length + 1)) : Number.NaN
      return Number.isInteger(number) ? [{ entry, number }] : []
    })
    return numbered.sort((a, b) => b.number - a.number).map(({ entry }) => entry)
  }
}

const isAfter = (name: string, older: string): boolean => (archiveAtMs(name) ?? 0) > (archiveAtMs(older) ?? -1)

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined // no way to it now; the next look may find one
  }
}

function open(path: string): OpenFile | undefined {
  try {
    const { fd, stat } = openRegular(path, 'followed')
    return { fd, identity: identityOf(stat), size: stat.size }
  } catch {
    return undefined // likewise
  }
}
