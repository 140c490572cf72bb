/** Lines on their way to a target. Pure. */

/** A line of a log as it is sent. */
export interface SentLine {
  /** Its stamp, Unix ms; of a line without one, that of the line before it. */
  readonly atMs: number
  /** Unix ns, which only goes up within a slot: some servers sort by it, and drop what is equal. */
  readonly ns: bigint
  readonly text: string
}

/** Lines of one slot, oldest first. */
export interface SlotLines {
  readonly slot: string
  readonly profile: string | undefined
  readonly lines: readonly SentLine[]
}

export interface Batch {
  /** Name of this node or machine. */
  readonly node: string
  readonly slots: readonly SlotLines[]
}

const NS_PER_MS = 1_000_000n
/** A clock that goes back further has been corrected; otherwise lines of that time would wait for it. */
const MOST_BACK_NS = 3_600_000n * NS_PER_MS

/**
 * The instant of the next line: its own, or just after that of the line before it. The same lines always get the same
 * instants, so a server that drops equal lines keeps one of those that were sent twice.
 * @param beforeNs of the line before it in this slot
 */
export function nextNs(beforeNs: bigint, atMs: number): bigint {
  const own = BigInt(Math.trunc(atMs)) * NS_PER_MS
  return own > beforeNs || beforeNs - own > MOST_BACK_NS ? own : beforeNs + 1n
}

export const linesIn = ({ slots }: Batch): number => slots.reduce((sum, { lines }) => sum + lines.length, 0)
