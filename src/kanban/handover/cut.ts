/** Cuts what is handed over to the room that there is. */

export interface Entry {
  /** undefined: older than all others. */
  readonly atMs: number | null
  readonly heading: string
  /** '' if the heading says everything. */
  readonly text: string
}

export interface Cut<E extends Entry> {
  /** In the order in which they were given. */
  readonly kept: readonly E[]
  /** Entries that were left out, all older than those kept. */
  readonly dropped: number
  /** Entries whose text was shortened. */
  readonly shortened: number
}

/** Less text than this is not worth its heading. */
const LEAST_TEXT_BYTES = 200

const encoder = new TextEncoder()
/** Size of a text in UTF-8. */
export const byteLength = (text: string): number => encoder.encode(text).length

/** An entry as it stands in the prompt. */
export const entryText = ({ heading, text }: Entry): string => (text === '' ? heading : `${heading}\n\n${text}`)

/** With the blank line that separates it from the next one. */
const sizeOf = (entry: Entry): number => byteLength(entryText(entry)) + 2

/**
 * Fits entries into a room. From the newest to the oldest, each takes what it needs, but no more than half of what is
 * left, unless the older ones need less. One that gets too little is shortened; when nothing useful is left, the
 * older ones are left out.
 * @param roomBytes for all entries, each with the blank line behind it
 */
export function cutEntries<E extends Entry>(entries: readonly E[], roomBytes: number): Cut<E> {
  const order = entries
    .map((entry, at) => ({ entry, at, size: sizeOf(entry) }))
    .sort((a, b) => (b.entry.atMs ?? -1) - (a.entry.atMs ?? -1) || b.at - a.at)
  const kept = new Map<number, E>()
  let left = roomBytes
  let older = order.reduce((sum, { size }) => sum + size, 0)
  let shortened = 0
  for (const { entry, at, size } of order) {
    older -= size
    const allowed = Math.max(Math.floor(left / 2), left - older)
    const fitting = size <= allowed ? entry : shorten(entry, allowed)
    if (fitting === undefined) break
    if (fitting !== entry) shortened += 1
    kept.set(at, fitting)
    left -= sizeOf(fitting)
  }
  return { kept: entries.flatMap((_, at) => kept.get(at) ?? []), dropped: entries.length - kept.size, shortened }
}

/** @returns undefined: there is no room for anything useful */
function shorten<E extends Entry>(entry: E, allowedBytes: number): E | undefined {
  if (entry.text === '') return undefined
  const whole = byteLength(entry.text)
  const note = (bytes: number): string => `\n[… the first ${bytes} of ${whole} bytes]`
  const room = allowedBytes - sizeOf({ ...entry, text: note(whole) })
  if (room < Math.min(LEAST_TEXT_BYTES, whole)) return undefined
  const start = firstBytes(entry.text, room)
  return { ...entry, text: start + note(byteLength(start)) }
}

/** The beginning of a text, in whole characters. */
export function firstBytes(text: string, bytes: number): string {
  const target = new Uint8Array(Math.max(0, bytes))
  return text.slice(0, encoder.encodeInto(text, target).read)
}
