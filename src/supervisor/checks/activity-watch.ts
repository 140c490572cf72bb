import type { OpenRequests } from '../../profile/state/open-requests.ts'
import type { Cancel, Clock } from '../../system/clock.ts'
import { byParent, descendantsIn, listProcesses, type ProcessFacts } from '../../system/programs/proc.ts'
import { type Activity, activityText, judgeActivity, usesCpu } from './activity.ts'
import type { HealthReport } from './liveness.ts'

/** Time between two looks; what seems stuck is reported at one of them and acted upon at the next. */
export const LOOK_EVERY_MS = 5_000
/** USER_HZ, which the kernel fixes for user space (proc_pid_stat(5)). */
const TICK_MS = 10

export interface WatchedProcess {
  readonly pid: number
  /** Requests that it has open. */
  readonly requests: () => OpenRequests | undefined
  /** It seems stuck, for these reasons. Called at each look at which it does; `looks`: 1 for the first in a row. */
  readonly stuck: (evidence: readonly string[], looks: number) => void
  /** It seemed stuck at the look before, and does not any more. */
  readonly recovered: () => void
}

export interface ActivityReport {
  /** It has printed whole lines. */
  printed(): void
  /** @returns its health, and further observations that belong to no health */
  report(): HealthReport & { readonly more: (health: HealthReport['health']) => string[] }
  close(): void
}

interface Watched {
  readonly process: WatchedProcess
  activeAtMs: number
  lookedAtMs?: number
  /** CPU ticks of each of its processes, by pid and start time. */
  ticks: ReadonlyMap<string, number>
  cpu?: NonNullable<Activity['cpu']>
  isStopped: boolean
  stuckLooks: number
}

/** Looks at what processes do, at all of them in one look, however many there are. */
export class ActivityWatch {
  readonly #clock: Clock
  readonly #list: () => readonly ProcessFacts[]
  readonly #watched = new Set<Watched>()
  #cancel: Cancel | undefined

  constructor(clock: Clock, list = listProcesses) {
    this.#clock = clock
    this.#list = list
  }

  watch(process: WatchedProcess): ActivityReport {
    const watched: Watched = {
      process,
      activeAtMs: this.#clock.nowMs(),
      ticks: new Map(),
      isStopped: false,
      stuckLooks: 0,
    }
    this.#watched.add(watched)
    this.#cancel ??= this.#later()
    return {
      printed: () => {
        watched.activeAtMs = this.#clock.nowMs()
      },
      report: () => {
        const activity = this.#activityOf(watched)
        return { ...judgeActivity(activity), more: (health) => activityText(activity, health) }
      },
      close: () => {
        this.#watched.delete(watched)
        if (this.#watched.size > 0) return
        this.#cancel?.()
        this.#cancel = undefined
      },
    }
  }

  #later(): Cancel {
    return this.#clock.at(this.#clock.nowMs() + LOOK_EVERY_MS, () => {
      this.#cancel = undefined
      this.#look()
      if (this.#watched.size > 0) this.#cancel ??= this.#later()
    })
  }

  #look(): void {
    const nowMs = this.#clock.nowMs()
    const all = this.#list()
    const processes = new Map(all.map((one) => [one.pid, one]))
    const children = byParent(all)
    for (const watched of [...this.#watched]) {
      const own = processes.get(watched.process.pid)
      if (own === undefined) continue // its end is about to be reported
      this.#note(watched, [own, ...descendantsIn(children, own.pid)], nowMs)
      this.#judge(watched)
    }
  }

  #note(watched: Watched, tree: readonly ProcessFacts[], nowMs: number): void {
    const before = watched.ticks
    watched.isStopped = tree[0]?.state === 'T'
    watched.ticks = new Map(tree.map(({ pid, startTime, cpuTicks }) => [`${pid} ${startTime}`, cpuTicks]))
    if (watched.lookedAtMs !== undefined) {
      const used = [...watched.ticks].reduce((sum, [one, ticks]) => sum + ticks - (before.get(one) ?? 0), 0)
      watched.cpu = { usedMs: used * TICK_MS, ofMs: nowMs - watched.lookedAtMs }
      // A process that has ended took its count with it: something has happened, too.
      if (usesCpu(watched.cpu) || [...before.keys()].some((one) => !watched.ticks.has(one))) watched.activeAtMs = nowMs
    }
    watched.lookedAtMs = nowMs
  }

  #judge(watched: Watched): void {
    const { health, evidence } = judgeActivity(this.#activityOf(watched))
    const { stuck, recovered } = watched.process
    if (health === 'stuck') stuck(evidence, ++watched.stuckLooks)
    else if (watched.stuckLooks > 0) {
      watched.stuckLooks = 0
      recovered()
    }
  }

  #activityOf({ process, activeAtMs, isStopped, cpu }: Watched): Activity {
    const requests = process.requests()
    return {
      isStopped,
      idleMs: this.#clock.nowMs() - activeAtMs,
      ...(cpu !== undefined && { cpu }),
      ...(requests !== undefined && {
        requests: { open: requests.open, oldestMs: Math.max(0, this.#clock.wallMs() - requests.oldestAtMs) },
      }),
    }
  }
}
