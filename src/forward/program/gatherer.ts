/** Gathers the next batch of a target from the logs, and remembers where the one after it begins. */
import type { ForwardTarget } from '../../profile/config/kinds/forward-kinds.ts'
import type { SlotLines } from '../batch.ts'
import { LogTail } from '../logs/log-tail.ts'
import { FIRST, type Position } from '../logs/place.ts'
import { forwardSources } from '../logs/sources.ts'

/** Size from which a batch takes no more lines, and what one slot adds to it at most while others wait. */
const BATCH_BYTES = 900_000
const SLOT_BYTES = 256_000

export interface Gathered {
  readonly slots: readonly SlotLines[]
  /** There may be more to send at once. */
  readonly isFull: boolean
  /** Where the slots go on once this is settled; only those that have moved. */
  readonly positions: ReadonlyMap<string, Position>
  /** Slots of which lines had been removed. */
  readonly gaps: readonly { readonly slot: string; readonly bytes: number }[]
}

export class Gatherer {
  readonly #home: string
  readonly #positions: Map<string, Position>
  readonly #tails = new Map<string, LogTail>()
  /** Slot that the next batch begins behind, so that a loud one does not keep the others out. */
  #last = ''

  /** @param positions undefined: the target is new, and gets what is written from now on */
  constructor(home: string, target: ForwardTarget, positions: ReadonlyMap<string, Position> | undefined) {
    this.#home = home
    this.#positions = new Map(positions)
    if (positions !== undefined) return
    for (const { slot, dir } of forwardSources(home, target.profiles))
      this.#positions.set(slot, this.#tail(slot, dir).end())
  }

  get positions(): ReadonlyMap<string, Position> {
    return this.#positions
  }

  gather(target: ForwardTarget, wallMs: number): Gathered {
    const slots: SlotLines[] = []
    const positions = new Map<string, Position>()
    const gaps: { slot: string; bytes: number }[] = []
    let left = BATCH_BYTES
    for (const { slot, profile, dir } of this.#turns(target)) {
      if (left <= 0) break
      const before = this.#positions.get(slot) ?? FIRST
      const tail = this.#tail(slot, dir)
      if (tail.isAtEnd(before)) continue
      const { lines, bytes, position, lostBytes } = tail.take(before, Math.min(left, SLOT_BYTES), wallMs)
      left -= bytes
      this.#last = slot
      if (lostBytes !== undefined) gaps.push({ slot, bytes: lostBytes })
      if (lines.length > 0) slots.push({ slot, profile, lines })
      if (!isSame(before, position)) positions.set(slot, position)
    }
    const isFull = left <= 0 || slots.some(({ slot }) => this.#hasMore(slot, positions))
    return { slots, isFull, positions, gaps }
  }

  /** Called when a batch is settled: the next one goes on behind it. */
  settled({ positions }: Gathered): void {
    for (const [slot, position] of positions) this.#positions.set(slot, position)
  }

  /** Looks at the files that wait, so that what is removed from now on is counted. */
  observe(): void {
    for (const [slot, tail] of this.#tails) tail.observe(this.#positions.get(slot) ?? FIRST)
  }

  #hasMore(slot: string, positions: ReadonlyMap<string, Position>): boolean {
    const position = positions.get(slot)
    return position !== undefined && this.#tails.get(slot)?.isAtEnd(position) === false
  }

  #turns({ profiles }: ForwardTarget) {
    const sources = forwardSources(this.#home, profiles)
    const from = sources.findIndex(({ slot }) => slot === this.#last) + 1
    return [...sources.slice(from), ...sources.slice(0, from)]
  }

  #tail(slot: string, dir: string): LogTail {
    const known = this.#tails.get(slot)
    if (known !== undefined) return known
    const made = new LogTail(dir)
    this.#tails.set(slot, made)
    return made
  }
}

const isSame = (one: Position, other: Position): boolean =>
  one.afterMs === other.afterMs && one.inode === other.inode && one.offset === other.offset && one.head === other.head
