/** Takes the lines of one log from a position on, archives first. Nothing of it stays open between two looks. */
import { createHash } from 'node:crypto'
import { closeSync, readdirSync, readSync, type Stats, statSync } from 'node:fs'
import { join } from 'node:path'
import { archiveAtMs, sortArchives } from '../../log/archives.ts'
import { linesFrom, wholeLinesEnd } from '../../log/history/file-lines.ts'
import { readStamp, STAMP_BYTES } from '../../log/stamp.ts'
import { unlessCode } from '../../system/error-code.ts'
import { openRegular, UnreadableFile } from '../../system/files/small-file.ts'
import { nextNs, type SentLine } from '../batch.ts'
import { FIRST, headBytes, isFileOf, type Position } from './place.ts'

const CURRENT = 'current'
/** Looks at a directory that is rotated between each two of them; then the next look may have more luck. */
const TRIES = 5

export interface Taken {
  readonly lines: readonly SentLine[]
  readonly bytes: number
  readonly position: Position
  /**
   * Lines were removed before they were taken: at least so many bytes of them, as far as their files were seen.
   * undefined: none were
   */
  readonly lostBytes: number | undefined
}

interface Archive {
  readonly name: string
  readonly atMs: number
}

interface OpenFile {
  readonly fd: number
  readonly stat: Stats
  /** undefined: it is `current`. */
  readonly archive: Archive | undefined
}

export class LogTail {
  readonly #dir: string
  /** Sizes of the files that wait, by inode. */
  #sizes = new Map<number, number>()

  constructor(dir: string) {
    this.#dir = dir
  }

  /** Behind the last whole line that is there now. */
  end(): Position {
    const archives = this.#archives()
    const position = { ...FIRST, afterMs: archives.at(-1)?.atMs ?? -1 }
    const file = this.#open(position)
    if (file === undefined) return position
    const { fd, stat } = file
    try {
      if (file.archive !== undefined) return this.end() // rotated in between
      const offset = wholeLinesEnd(fd, stat.size)
      return { ...position, inode: stat.ino, offset, head: headOf(fd, offset) }
    } finally {
      closeSync(fd)
    }
  }

  /** Tells whether nothing has been written since; costs one stat. */
  isAtEnd({ inode, offset }: Position): boolean {
    const stat = unlessCode(['ENOENT', 'ENOTDIR'], () => statSync(join(this.#dir, CURRENT)), undefined)
    return stat !== undefined && stat.ino === inode && stat.size === offset
  }

  /**
   * @param maxBytes reading ends behind the line that reaches it
   * @param wallMs of lines that have no stamp, where none before them has one
   */
  take(position: Position, maxBytes: number, wallMs: number): Taken {
    const lines: SentLine[] = []
    let at = position
    let bytes = 0
    let lostBytes: number | undefined
    for (let file = this.#open(at); file !== undefined; file = this.#open(at)) {
      const { fd, stat, archive } = file
      try {
        if (!isFileOf(at, { inode: stat.ino, size: stat.size, head: headOf(fd, Math.min(at.offset, stat.size)) })) {
          const gone = this.#goneBytes(at)
          if (archive !== undefined || gone > 0) lostBytes = (lostBytes ?? 0) + gone
          at = { ...at, head: '', offset: 0 }
        }
        let { offset, ns } = at
        for (const { text: raw, nextAt } of linesFrom(fd, offset, false)) {
          const line = lineOf(raw, ns, wallMs)
          lines.push(line)
          bytes += nextAt - offset
          offset = nextAt
          ns = line.ns
          if (bytes >= maxBytes) break
        }
        at = { ...at, inode: stat.ino, head: headOf(fd, offset), offset, ns }
        if (bytes >= maxBytes || archive === undefined) break
        at = { ...FIRST, afterMs: archive.atMs, ns }
      } finally {
        closeSync(fd)
      }
    }
    this.observe(at)
    return { lines, bytes, position: at, lostBytes }
  }

  /** Remembers the sizes of what is not taken yet, so that a loss can be counted. */
  observe(position: Position): void {
    if (this.isAtEnd(position)) {
      this.#sizes = new Map([[position.inode, position.offset]])
      return
    }
    const waiting = this.#archives().filter(({ atMs }) => atMs > position.afterMs)
    this.#sizes = new Map(
      this.#stats([...waiting.map(({ name }) => name), CURRENT]).map(({ ino, size }) => [ino, size]),
    )
  }

  /** Bytes behind the position in files that were seen, and are there no more. */
  #goneBytes({ inode, offset }: Position): number {
    const there = this.#stats([...this.#archives().map(({ name }) => name), CURRENT])
    const kept = new Set(there.map(({ ino }) => ino))
    const gone = [...this.#sizes].filter(([known]) => !kept.has(known))
    return gone.reduce((sum, [known, size]) => sum + Math.max(0, known === inode ? size - offset : size), 0)
  }

  #stats(names: readonly string[]): readonly Stats[] {
    return names.flatMap(
      (name) => unlessCode(['ENOENT', 'ENOTDIR'], () => [statSync(join(this.#dir, name))], undefined) ?? [],
    )
  }

  /** The file of a position, or the one after it. undefined: there is none now. */
  #open(position: Position): OpenFile | undefined {
    let { afterMs } = position
    for (let tries = 0; tries < TRIES; tries++) {
      const archive = this.#after(afterMs)
      const file = this.#opened(archive?.name ?? CURRENT)
      if (file === 'gone' && archive !== undefined) continue
      if (file === 'gone') return undefined
      if (file === 'foreign') {
        // Lines come from regular files only.
        if (archive === undefined) return undefined
        afterMs = archive.atMs
        continue
      }
      // It is the file after that archive only if none has come in between.
      if (archive !== undefined || this.#after(afterMs) === undefined) return { ...file, archive }
      closeSync(file.fd)
    }
    return undefined
  }

  #opened(name: string): { readonly fd: number; readonly stat: Stats } | 'gone' | 'foreign' {
    try {
      return unlessCode(['ENOENT', 'ENOTDIR'], () => openRegular(join(this.#dir, name), 'refused'), 'gone')
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (error instanceof UnreadableFile || code === 'ELOOP' || code === 'ENXIO' || code === 'EACCES') return 'foreign'
      throw error
    }
  }

  #after(afterMs: number): Archive | undefined {
    return this.#archives().find(({ atMs }) => atMs > afterMs)
  }

  /** Oldest first. */
  #archives(): readonly Archive[] {
    const names = unlessCode(['ENOENT', 'ENOTDIR'], () => readdirSync(this.#dir), [])
    return sortArchives(names).map((name) => ({ name, atMs: archiveAtMs(name) as number }))
  }
}

/** Of the beginning of a file, as far as it tells a position's file from others. */
function headOf(fd: number, offset: number): string {
  const bytes = Buffer.alloc(headBytes(offset))
  const length = readSync(fd, bytes, 0, bytes.length, 0)
  return length === 0 ? '' : createHash('sha256').update(bytes.subarray(0, length)).digest('base64url').slice(0, 22)
}

function lineOf(raw: string, before: bigint, wallMs: number): SentLine {
  const stamp = readStamp(raw)
  const unstampedMs = before === 0n ? wallMs : Number(before / 1_000_000n)
  const atMs = stamp?.atMs ?? unstampedMs
  return { atMs, ns: nextNs(before, atMs), text: stamp === undefined ? raw : raw.slice(STAMP_BYTES) }
}
