import { closeSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { openRegular, type RegularFile } from '../../system/files/small-file.ts'
import { sortArchives } from '../archives.ts'
import { type LogLine, lineParser } from '../line.ts'
import { readStamp } from '../stamp.ts'
import { lastLines, linesFrom, wholeLinesEnd } from './file-lines.ts'

export interface PageQuery {
  readonly lines: number
  /** As an earlier page gave it: what comes before that page. */
  readonly before?: string | undefined
  /** Unix ms: without `before`, what was written up to then. */
  readonly untilMs?: number | undefined
  /** Only lines that hold this text, in any case. */
  readonly search?: string | undefined
}

export interface LogPage {
  readonly lines: readonly LogLine[]
  /** Where this page begins; absent: at the log's beginning. */
  readonly before?: string
}

/** So much is looked through for one page of a search; `before` goes on from there. */
const SEARCH_BYTES = 16 * 1024 * 1024
const SEARCH_LINES = 5000

interface OpenFile {
  readonly fd: number
  readonly inode: string
  readonly end: number
}

/**
 * A page of a slot's log, read from its end: archives and `current`. A place in it is a file's inode and an offset,
 * which rotation does not change; a place in a file that has been deleted since then is the beginning.
 * @param dir directory of `current`; one that is not there is an empty log
 */
export function readLogPage(slot: string, dir: string, { lines, before, untilMs, search }: PageQuery): LogPage {
  const files = openAll(dir)
  try {
    const start = before === undefined && untilMs !== undefined ? placeAfter(files, untilMs) : placeOf(files, before)
    if (start === undefined) return { lines: [] }
    const found: LogLine[] = []
    const wanted = search?.toLowerCase()
    let { index, offset } = start
    let looked = 0
    while (index >= 0 && found.length < lines && looked < SEARCH_BYTES) {
      const file = files[index]!
      const { from } = lastLines(
        file.fd,
        offset,
        wanted === undefined ? lines - found.length : SEARCH_LINES,
        SEARCH_BYTES,
      )
      const parse = lineParser(slot)
      const page: LogLine[] = []
      const starts: number[] = []
      let at = from
      for (const { text, nextAt } of linesFrom(file.fd, from, true)) {
        if (at >= offset) break
        const line = parse(text)
        if (wanted === undefined || line.text.toLowerCase().includes(wanted)) {
          page.push(line)
          starts.push(at)
        }
        at = nextAt
      }
      looked += offset - from
      const room = lines - found.length
      found.unshift(...page.slice(-room))
      // More matches than fit: the next page begins right before the first one shown.
      offset = page.length > room ? (starts.at(-room) ?? from) : from
      if (offset === 0) {
        index--
        offset = files[index]?.end ?? 0
      }
    }
    const next = files[index]
    return { lines: found, ...(next === undefined ? {} : { before: `${next.inode}:${offset}` }) }
  } finally {
    for (const { fd } of files) closeSync(fd)
  }
}

function placeOf(
  files: readonly OpenFile[],
  before: string | undefined,
): { index: number; offset: number } | undefined {
  if (before === undefined)
    return files.length === 0 ? undefined : { index: files.length - 1, offset: files.at(-1)!.end }
  const [inode, offset] = before.split(':')
  const index = files.findIndex((file) => file.inode === inode)
  const at = Number(offset)
  if (index === -1 || !Number.isSafeInteger(at) || at < 0) return undefined
  return { index, offset: Math.min(at, files[index]!.end) }
}

/** Where the lines end that were written up to then: files that begin later are not read through. */
function placeAfter(files: readonly OpenFile[], untilMs: number): { index: number; offset: number } | undefined {
  for (let index = files.length - 1; index >= 0; index--) {
    const { fd, end } = files[index]!
    let offset = 0
    let isStamped = false
    for (const { text, nextAt } of linesFrom(fd, 0, true)) {
      const stamp = readStamp(text)
      // Lines without a stamp belong to the one before them; at the beginning of a file, to the end of the one before.
      if (stamp !== undefined && stamp.atMs > untilMs) break
      if (nextAt > Math.min(end, SEARCH_BYTES)) return { index, offset }
      offset = nextAt
      if (stamp !== undefined) isStamped = true
    }
    if (isStamped || offset === end) return { index, offset }
  }
  return undefined
}

/** Oldest first, each file once: `current` may be renamed while we look. */
function openAll(dir: string): readonly OpenFile[] {
  let names: readonly string[]
  try {
    names = sortArchives(readdirSync(dir))
  } catch {
    return [] // not there (yet), or not for us
  }
  const files: OpenFile[] = []
  for (const name of [...names, 'current']) {
    const file = openOne(dir, name)
    if (file === undefined) continue
    if (files.some(({ inode }) => inode === file.inode)) closeSync(file.fd)
    else files.push(file)
  }
  return files
}

function openOne(dir: string, name: string): OpenFile | undefined {
  let file: RegularFile
  try {
    file = openRegular(join(dir, name), 'refused')
  } catch {
    return undefined // rotated away, or not for us: the others are still worth showing
  }
  const { fd, stat } = file
  // The last line of `current` may be half written; followers of the log get it when it is whole.
  const end = name === 'current' ? wholeLinesEnd(fd, stat.size) : stat.size
  return { fd, inode: String(stat.ino), end }
}
