import { median } from './statistics.ts'
import type { Subject } from './subject.ts'

/** One line of the table. */
export interface Row {
  readonly title: string
  readonly unit: string
  /** Budget for our build, in the row's unit; null: there is no budget. */
  readonly budget: number | null
  /** Whether more is better (throughput). */
  readonly more?: boolean
  readonly cells: Readonly<Record<string, Cell>>
}

export type Cell = { readonly median: number; readonly samples: readonly number[] } | { readonly missing: string }

export const cell = (samples: readonly number[]): Cell => ({ median: median(samples), samples })

/** How much is measured: `quick` only proves that every row works. */
export interface Effort {
  readonly quick: boolean
  /** Measure for minutes, for effects that only show with time. */
  readonly long: boolean
  say(line: string): void
}

/**
 * Measures every subject in turn, round after round, so that a machine that slows down slows all of them.
 * A subject that fails is left out of the rest, and its cell says why.
 * @param measure one sample per key
 * @param atOnce measures the subjects of a round together: for a quick round of what mostly waits
 */
export async function interleaved<K extends string>(
  subjects: readonly Subject[],
  rounds: number,
  measure: (subject: Subject) => Promise<Readonly<Record<K, number | readonly number[]>>>,
  atOnce = false,
): Promise<(key: K) => Readonly<Record<string, Cell>>> {
  const samples = new Map<string, Map<string, number[]>>(subjects.map((subject) => [subject.name, new Map()]))
  const failures = new Map<string, string>()
  const measureOne = async (subject: Subject): Promise<void> => {
    if (failures.has(subject.name)) return
    try {
      const measured = await measure(subject)
      for (const [key, value] of Object.entries<number | readonly number[]>(measured)) {
        const list = samples.get(subject.name)?.get(key) ?? []
        list.push(...(typeof value === 'number' ? [value] : value))
        samples.get(subject.name)?.set(key, list)
      }
    } catch (error) {
      failures.set(subject.name, error instanceof Error ? error.message : String(error))
    }
  }
  for (let round = 0; round < rounds; round++) {
    // In turn also within a round: what comes second finds a warmer machine.
    const order = round % 2 === 0 ? subjects : subjects.toReversed()
    if (atOnce) await Promise.all(order.map(measureOne))
    else for (const subject of order) await measureOne(subject)
  }
  return (key) =>
    Object.fromEntries(
      subjects.map(({ name }) => {
        const failure = failures.get(name)
        const list = samples.get(name)?.get(key) ?? []
        return [name, failure === undefined && list.length > 0 ? cell(list) : { missing: failure ?? 'not measured' }]
      }),
    )
}

/** Cells for subjects that were not asked to hold so many slots. */
export const tooMany = (subjects: readonly Subject[], slots: number): Readonly<Record<string, Cell>> =>
  Object.fromEntries(
    subjects
      .filter((subject) => subject.mostSlots < slots)
      .map(({ name, mostSlots }) => [name, { missing: `not asked for more than ${mostSlots} slots` }]),
  )
