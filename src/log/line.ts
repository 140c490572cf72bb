import { readLine } from './line-facts.ts'
import { readStamp, STAMP_BYTES } from './stamp.ts'

/** A line of a log as readers see it. */
export interface LogLine {
  readonly slot: string
  /**
   * RFC 3339 UTC. A line without a stamp (a foreign file, a torn line) has the time it names itself, else that of the
   * line before it; absent: there is none.
   */
  readonly at?: string
  readonly atMs: number
  readonly text: string
  /** It has no stamp where the lines before it have one: the rest of what was written at once. */
  readonly goesOn?: true
}

/** Turns the raw lines of one log, in order, into LogLines. */
export function lineParser(slot: string): (raw: string) => LogLine {
  let last: { readonly at?: string; readonly atMs: number } = { atMs: 0 }
  let areStamped = false
  return (raw) => {
    const stamp = readStamp(raw)
    if (stamp) {
      last = stamp
      areStamped = true
      return { slot, ...last, text: raw.slice(STAMP_BYTES) }
    }
    const { atMs, continues } = readLine(raw)
    if (atMs !== undefined && continues === undefined) last = { at: new Date(atMs).toISOString(), atMs }
    else if (areStamped) return { slot, ...last, text: raw, goesOn: true }
    return { slot, ...last, text: raw }
  }
}

/**
 * Merges logs by time. Lines of one log keep their order even where the clock went back; of equal instants the earlier
 * log comes first.
 */
export function* mergeByTime(logs: readonly Iterable<LogLine>[]): Generator<LogLine> {
  const heads = logs.flatMap((log) => {
    const lines = log[Symbol.iterator]()
    const first = lines.next()
    return first.done ? [] : [{ lines, line: first.value }]
  })
  while (heads.length > 0) {
    let earliest = 0
    for (let i = 1; i < heads.length; i++) if (heads[i]!.line.atMs < heads[earliest]!.line.atMs) earliest = i
    const head = heads[earliest]!
    yield head.line
    const next = head.lines.next()
    if (next.done) heads.splice(earliest, 1)
    else head.line = next.value
  }
}
