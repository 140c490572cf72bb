import type { Liveness, ServiceRules } from '../../services/definition.ts'
import type { Slot } from '../../slot/slot.ts'
import type { Cancel, Clock } from '../../system/clock.ts'
import type { Kernel } from '../../system/native/child-ending.ts'
import { descendants, listProcesses, type ProcessFacts, readPageBytes } from '../../system/programs/proc.ts'
import { checkProblem } from '../slots/check.ts'

/** Interval of memory measurements. */
const MEASURE_EVERY_MS = 5_000

export interface HealthChecksOptions {
  readonly clock: Clock
  /** Reports how the command of a check ended. */
  readonly kernel?: Kernel
  /** This process of the service must not stay, for this reason. */
  readonly condemn: (name: string, child: number, why: string) => void
}

interface CheckedProcess {
  readonly child: number
  readonly close: () => void
}

/** Health checks of running services: asks whether they answer, and measures their memory. */
export class HealthChecks {
  readonly #options: HealthChecksOptions
  readonly #checked = new Map<string, CheckedProcess>()

  constructor(options: HealthChecksOptions) {
    this.#options = options
  }

  /** The service's slot is in this state now. */
  follow({ name, liveness, memoryLimitBytes }: ServiceRules, slot: Slot): void {
    const child = slot.state === 'up' ? slot.child : undefined
    const known = this.#checked.get(name)
    if (known?.child === child?.id) return
    known?.close()
    this.#checked.delete(name)
    if (child === undefined) return
    const condemn = (why: string): void => this.#options.condemn(name, child.id, why)
    const checks = [
      ...(liveness === null ? [] : [this.#checkLiveness(liveness, condemn)]),
      ...(memoryLimitBytes === null ? [] : [this.#checkMemory(child.pid, memoryLimitBytes, condemn)]),
    ]
    const close = (): void => {
      for (const end of checks) end()
    }
    if (checks.length > 0) this.#checked.set(name, { child: child.id, close })
  }

  close(): void {
    for (const { close } of this.#checked.values()) close()
    this.#checked.clear()
  }

  #checkLiveness({ check, everyMs, timeoutMs, failures }: Liveness, condemn: (why: string) => void): Cancel {
    const { clock, kernel } = this.#options
    const asking = new AbortController()
    let failed = 0
    let cancel: Cancel
    const later = (): void => {
      cancel = clock.at(clock.nowMs() + everyMs, () => {
        void checkProblem(check, timeoutMs, clock, asking.signal, kernel).then((problem) => {
          if (asking.signal.aborted) return
          failed = problem === undefined ? 0 : failed + 1
          if (failed >= failures)
            condemn(`does not answer${failures === 1 ? '' : `, ${failures} times in a row`}: ${problem}`)
          else later()
        })
      })
    }
    later()
    return () => {
      cancel()
      asking.abort()
    }
  }

  #checkMemory(pid: number, limitBytes: number, condemn: (why: string) => void): Cancel {
    const { clock } = this.#options
    const pageBytes = readPageBytes()
    let cancel: Cancel
    const later = (): void => {
      cancel = clock.at(clock.nowMs() + MEASURE_EVERY_MS, () => {
        const bytes = pagesOf(pid, listProcesses()) * pageBytes
        if (bytes > limitBytes) condemn(`holds ${mebibytes(bytes)} of memory; memory_limit is ${mebibytes(limitBytes)}`)
        else later()
      })
    }
    later()
    return () => cancel()
  }
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`

/** Resident pages of a process and everything below it; pages that they share count for each of them. */
function pagesOf(pid: number, all: readonly ProcessFacts[]): number {
  const own = all.find((one) => one.pid === pid)?.residentPages ?? 0
  return descendants(all, pid).reduce((sum, { residentPages }) => sum + residentPages, own)
}
