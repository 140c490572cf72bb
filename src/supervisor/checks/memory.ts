import type { Cancel, Clock } from '../../system/clock.ts'
import { byParent, descendantsIn, listProcesses, type ProcessFacts, readPageBytes } from '../../system/programs/proc.ts'

/** Interval of memory measurements. */
const MEASURE_EVERY_MS = 5_000

interface Measured {
  readonly pid: number
  readonly limitBytes: number
  readonly condemn: (why: string) => void
}

/** Measures all processes that have a memory limit in one look, however many there are. */
export class MemoryWatch {
  readonly #clock: Clock
  readonly #measured = new Set<Measured>()
  #cancel: Cancel | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @param condemn called at most once, when the process and its descendants use more than the limit */
  watch(pid: number, limitBytes: number, condemn: (why: string) => void): Cancel {
    const measured = { pid, limitBytes, condemn }
    this.#measured.add(measured)
    if (this.#cancel === undefined) this.#later()
    return () => {
      this.#measured.delete(measured)
      if (this.#measured.size > 0) return
      this.#cancel?.()
      this.#cancel = undefined
    }
  }

  #later(): void {
    this.#cancel = this.#clock.at(this.#clock.nowMs() + MEASURE_EVERY_MS, () => {
      this.#cancel = undefined
      this.#measure()
      if (this.#measured.size > 0 && this.#cancel === undefined) this.#later()
    })
  }

  #measure(): void {
    const pageBytes = readPageBytes()
    const all = listProcesses()
    const processes = new Map(all.map((one) => [one.pid, one]))
    const children = byParent(all)
    for (const { pid, limitBytes, condemn } of [...this.#measured]) {
      const own = processes.get(pid)
      if (own === undefined) continue // its end is about to be reported
      const bytes = pagesOf(own, children) * pageBytes
      if (bytes > limitBytes) condemn(`holds ${mebibytes(bytes)} of memory; memory_limit is ${mebibytes(limitBytes)}`)
    }
  }
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`

/** Resident pages of a process and everything below it; pages that they share count for each of them. */
const pagesOf = (own: ProcessFacts, children: ReturnType<typeof byParent>): number =>
  descendantsIn(children, own.pid).reduce((sum, { residentPages }) => sum + residentPages, own.residentPages)
