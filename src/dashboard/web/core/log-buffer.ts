/**
 * The lines of a log that the page holds: a bounded run of entries, and those of them that pass the filter. Entries
 * carry numbers that count up downwards; a page of older lines is numbered below the first one, so a row keeps its key
 * whatever is added.
 */

import { type CoarseLevel, coarse, follow, type LineFacts, type ReadLine, readLine } from '../../../log/line-facts.ts'
import type { LogLine } from '../../contract/logs.ts'
import { type LevelFilter, passes } from './log-level.ts'
import { type Span, shownText } from './log-text.ts'

export type Entry =
  | {
      readonly kind: 'line'
      readonly seq: number
      readonly at?: string
      /** As a terminal would show it. */
      readonly text: string
      /** Absent: it is `text`. */
      readonly raw?: string
      /** Parts of `text` in their styles; absent: it has none. */
      readonly spans?: readonly Span[]
      readonly level?: CoarseLevel
      /** Facts from the line itself, and facts derived from the lines before it. */
      readonly own: ReadLine
      readonly facts: LineFacts
    }
  /** `missed` absent: the connection was interrupted, and the number is unknown. */
  | { readonly kind: 'gap'; readonly seq: number; readonly missed?: number }

export interface Filter {
  /** Case-insensitive; empty: everything. */
  readonly text: string
  readonly level: LevelFilter
}

export class LogBuffer {
  readonly #max: number
  #entries: Entry[] = []
  #shown: Entry[] = []
  #filter: Filter = { text: '', level: 'all' }
  #longest = 0

  /** @param max entries held */
  constructor(max: number) {
    this.#max = max
  }

  /** Entries that pass the filter, oldest first. The array is replaced, never changed. */
  get shown(): readonly Entry[] {
    return this.#shown
  }

  get size(): number {
    return this.#entries.length
  }

  get full(): boolean {
    return this.size >= this.#max
  }

  /** Characters of the longest line that was ever held: the width of the list only grows, so it does not jump. */
  get longest(): number {
    return this.#longest
  }

  /** Texts of the last lines as they came, oldest first. */
  tail(count: number): string[] {
    return this.#entries.slice(-count).flatMap((entry) => (entry.kind === 'line' ? [entry.raw ?? entry.text] : []))
  }

  clear(): void {
    this.#entries = []
    this.#shown = []
    this.#longest = 0
  }

  setFilter(filter: Filter): void {
    this.#filter = filter
    this.#shown = this.#entries.filter((entry) => this.#passes(entry))
  }

  /** Newer lines. @returns how many of the oldest had to go, and how many of them were shown */
  append(lines: readonly LogLine[]): { dropped: number; droppedShown: number } {
    let seq = (this.#entries.at(-1)?.seq ?? -1) + 1
    let before = this.#entries.at(-1)
    const added = lines.slice(-this.#max).map((line) => {
      before = this.#entry(line, seq++, before)
      return before
    })
    return this.#appendEntries(added)
  }

  /** Marks the place where lines are missing. */
  appendGap(missed?: number): void {
    const seq = (this.#entries.at(-1)?.seq ?? -1) + 1
    this.#appendEntries([{ kind: 'gap', seq, ...(missed === undefined ? {} : { missed }) }])
  }

  /** Older lines. @returns how many were put above what is shown; `cut`: so many of the newest had to go */
  prepend(lines: readonly LogLine[]): { added: number; cut: number } {
    let seq = (this.#entries[0]?.seq ?? lines.length) - lines.length
    let before: Entry | undefined
    const older = lines.map((line) => {
      before = this.#entry(line, seq++, before)
      return before
    })
    // The first lines held may be the rest of the last older one.
    const held = this.#entries.map((entry) => {
      if (entry.kind === 'gap' || entry.own.continues === undefined || before === undefined) {
        before = undefined
        return entry
      }
      before = this.#entry({ ...entry, text: entry.raw ?? entry.text }, entry.seq, before)
      return before
    })
    const all = [...older, ...held]
    const shownOlder = older.filter((entry) => this.#passes(entry))
    this.#entries = all.slice(0, this.#max)
    this.#shown = this.#entries.filter((entry) => this.#passes(entry))
    return { added: shownOlder.length, cut: all.length - this.#entries.length }
  }

  #appendEntries(added: readonly Entry[]): { dropped: number; droppedShown: number } {
    const dropped = Math.max(0, this.#entries.length + added.length - this.#max)
    this.#entries.push(...added)
    this.#entries.splice(0, dropped)
    const first = this.#entries[0]?.seq ?? 0
    const from = dropped === 0 ? 0 : firstFrom(this.#shown, first)
    this.#shown = [...this.#shown.slice(from), ...added.filter((entry) => this.#passes(entry))]
    return { dropped, droppedShown: from }
  }

  #entry({ at, text: raw }: LogLine, seq: number, before: Entry | undefined): Entry {
    const { text, spans } = shownText(raw)
    this.#longest = Math.max(this.#longest, text.length)
    const own = readLine(text)
    const facts = follow(before?.kind === 'line' ? before.facts : undefined, own)
    const level = facts.level === undefined ? {} : { level: coarse(facts.level) }
    const styles = { ...(text !== raw && { raw }), ...(spans !== undefined && { spans }) }
    return { kind: 'line', seq, text, ...styles, ...(at === undefined ? {} : { at }), ...level, own, facts }
  }

  #passes(entry: Entry): boolean {
    if (entry.kind === 'gap') return true
    const { text, level } = this.#filter
    return passes(entry.level, level) && (text === '' || entry.text.toLowerCase().includes(text.toLowerCase()))
  }
}

/** Index of the first entry whose number is `seq` or higher. */
function firstFrom(entries: readonly Entry[], seq: number): number {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((entries[middle]?.seq ?? 0) < seq) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * Finds where `next` continues `held`: the number of its first lines that are already held. A page of the file and
 * the live stream meet there, and their time stamps differ (the file's is the time at which the supervisor read the
 * line), so only the texts can tell. Of several matches the last one is used: in a log of equal lines, nothing is
 * shown twice.
 * @returns 0 if they have nothing in common
 */
export function continuesAt(held: readonly string[], next: readonly string[]): number {
  for (let known = next.length; known > 0; known--) {
    const length = Math.min(known, held.length)
    const from = known - length
    const last = held.length - length
    let same = length > 0
    for (let index = 0; same && index < length; index++) same = next[from + index] === held[last + index]
    if (same) return known
  }
  return 0
}
