import type { Clock } from '../../system/clock.ts'
import { directoryEntries, FirstInOrder } from '../../system/files/directory.ts'
import { archiveAtMs, planRotation, type RotationPlan } from '../archives.ts'

/** The directory is listed at most so often: others may have put archives there, or taken some away. */
const LIST_MS = 1000
/** Listing takes this share of the time at most, however many names other programs have put there. */
const LIST_SHARE = 0.01
/** So many are removed at a rotation at most; the next one goes on. */
const MAX_REMOVED = 32

interface Dated {
  readonly name: string
  readonly atMs: number
}

const isOlder = (a: Dated, b: Dated): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.name < b.name)

/** The archives of one log, kept in memory between rotations: a flood rotates many times a second. */
export class ArchiveList {
  readonly #dir: string
  readonly #keep: number
  readonly #clock: Clock
  /** Oldest first: those to remove and those to keep; what lies between them is met at a later listing. */
  #names: readonly string[] = []
  #listAtMs = Number.NEGATIVE_INFINITY

  constructor(dir: string, keep: number, clock: Clock) {
    this.#dir = dir
    this.#keep = keep
    this.#clock = clock
  }

  /**
   * What the next rotation does.
   * @param leaving names of archives whose removal is under way: they are taken, whether they are still seen or not
   * @throws the error of the file system
   */
  plan(leaving: () => readonly string[]): RotationPlan {
    const nowMs = this.#clock.nowMs()
    if (nowMs >= this.#listAtMs) {
      this.#names = this.#list()
      const tookMs = this.#clock.nowMs() - nowMs
      this.#listAtMs = nowMs + Math.max(LIST_MS, tookMs / LIST_SHARE)
    }
    const names = new Set([...this.#names, ...leaving()])
    const { archive, remove } = planRotation([...names], this.#clock.wallMs(), this.#keep)
    return { archive, remove: remove.slice(0, MAX_REMOVED) }
  }

  /** The plan has been carried out. */
  done({ archive, remove }: RotationPlan): void {
    const gone = new Set(remove)
    this.#names = [...this.#names, archive].filter((name) => !gone.has(name))
  }

  /** Of very many the oldest and the newest; a list of them all would have no limit. */
  #list(): readonly string[] {
    const oldest = new FirstInOrder<Dated>(MAX_REMOVED, isOlder)
    const newest = new FirstInOrder<Dated>(this.#keep + 1, (a, b) => isOlder(b, a))
    for (const { name } of directoryEntries(this.#dir)) {
      const atMs = archiveAtMs(name)
      if (atMs === undefined) continue
      oldest.add({ name, atMs })
      newest.add({ name, atMs })
    }
    return [...new Set([...oldest.first, ...newest.first.toReversed()].map(({ name }) => name))]
  }
}
