import type { OpenRequests } from '../../profile/state/open-requests.ts'
import type { Slot, SlotEvent } from '../../slot/slot.ts'
import type { Cancel, Clock } from '../../system/clock.ts'
import type { Kernel } from '../../system/native/child-ending.ts'
import type { ProcessFacts } from '../../system/programs/proc.ts'
import { listText, spanText } from '../../system/text/span.ts'
import type { Health } from '../launch/launch.ts'
import { type ActivityReport, ActivityWatch, LOOK_EVERY_MS } from './activity-watch.ts'
import { type HealthReport, type LivenessWatch, watchLiveness, worstOf } from './liveness.ts'
import { MemoryWatch } from './memory.ts'

export interface HealthChecksOptions {
  readonly clock: Clock
  /** Reports how the command of a check ended. */
  readonly kernel?: Kernel
  /** Called with what should happen to a process: `condemned` or `outdated`. */
  readonly dispatch: (key: string, event: SlotEvent) => void
  readonly log: (level: 'info' | 'warn', text: string) => void
  /** Requests that the process of a slot has open. */
  readonly openRequests: (key: string, pid: number) => OpenRequests | undefined
  /** For tests; otherwise those of /proc. */
  readonly processes?: () => readonly ProcessFacts[]
}

interface CheckedProcess {
  readonly child: number
  readonly life?: LivenessWatch | undefined
  readonly activity?: ActivityReport | undefined
  readonly close: () => void
}

type UpSlot = Extract<Slot, { readonly state: 'up' }>

/**
 * Looks after the running processes of all slots that have rules for it, gateways and services alike. A slot without
 * rules costs nothing.
 */
export class HealthChecks {
  readonly #options: HealthChecksOptions
  readonly #memory: MemoryWatch
  readonly #activity: ActivityWatch
  readonly #checked = new Map<string, CheckedProcess>()

  constructor(options: HealthChecksOptions) {
    this.#options = options
    this.#memory = new MemoryWatch(options.clock)
    this.#activity = new ActivityWatch(options.clock, options.processes)
  }

  /** The slot is in this state now. @param health the rules its process was started with */
  follow(key: string, slot: Slot, health: Health | undefined): void {
    const known = this.#checked.get(key)
    const checked = slot.state === 'up' && health !== undefined ? { slot, health } : undefined
    if (known?.child === checked?.slot.child.id) return
    this.forget(key)
    if (checked !== undefined) this.#checked.set(key, this.#check(key, checked.slot, checked.health))
  }

  /** The slot's process has printed whole lines. */
  printed(key: string): void {
    const checked = this.#checked.get(key)
    checked?.life?.printed()
    checked?.activity?.printed()
  }

  /** Undefined: nothing watches whether it works. */
  report(key: string): HealthReport | undefined {
    const { life, activity } = this.#checked.get(key) ?? {}
    if (activity === undefined) return undefined
    const { more, ...seen } = activity.report()
    const { health, evidence } = worstOf([...(life === undefined ? [] : [life.report()]), seen])
    return { health, evidence: [...evidence, ...more(health)] }
  }

  forget(key: string): void {
    this.#checked.get(key)?.close()
    this.#checked.delete(key)
  }

  #check(key: string, slot: UpSlot, { liveness, onStuck, memoryLimitBytes, maxAgeMs }: Health): CheckedProcess {
    const { clock, kernel, dispatch } = this.#options
    const { id: child, pid } = slot.child
    const condemn = (why: string): void => dispatch(key, { type: 'condemned', child, why })
    const life = liveness && watchLiveness(liveness, { clock, kernel, condemn })
    const ends: Cancel[] = []
    const activity = (liveness ?? onStuck) && this.#watchActivity(key, pid, onStuck ?? 'report', condemn)
    if (life) ends.push(() => life.close())
    if (activity) ends.push(() => activity.close())
    if (memoryLimitBytes) ends.push(this.#memory.watch(pid, memoryLimitBytes, condemn))
    if (maxAgeMs) {
      const why = `has reached its max_age of ${spanText(maxAgeMs)}`
      ends.push(clock.at(outdatedAt(slot, maxAgeMs), () => dispatch(key, { type: 'outdated', child, why })))
    }
    return {
      child,
      life,
      activity,
      close() {
        for (const end of ends) end()
      },
    }
  }

  #watchActivity(
    key: string,
    pid: number,
    onStuck: 'report' | 'restart',
    condemn: (why: string) => void,
  ): ActivityReport {
    const { log, openRequests } = this.#options
    return this.#activity.watch({
      pid,
      requests: () => openRequests(key, pid),
      stuck(evidence, looks) {
        const why = `seems stuck: it ${listText(evidence)}`
        if (looks === 1) log('warn', `${key} ${why}; ${THEN[onStuck]}`)
        else if (onStuck === 'restart') condemn(why)
      },
      recovered: () => log('info', `${key} does not seem stuck any more`),
    })
  }
}

const THEN = {
  report: 'it is left alone (on_stuck: report)',
  restart: `it is restarted if it still does in ${LOOK_EVERY_MS / 1000} s (on_stuck: restart)`,
} as const

/** Fractions of multiples of it are spread evenly (Knuth, The Art of Computer Programming, volume 3, 6.4). */
const GOLDEN_RATIO = 0.618_033_988_749_895

/**
 * Up to a tenth earlier than `maxAgeMs`: a hundred gateways that a boot has started must not all restart at once. The
 * same for each supervisor, so one that comes later does not begin anew.
 */
const outdatedAt = ({ child, readyAtMs }: UpSlot, maxAgeMs: number): number =>
  readyAtMs + maxAgeMs * (1 - ((child.id * GOLDEN_RATIO) % 1) / 10)
