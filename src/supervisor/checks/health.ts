import type { Slot, SlotEvent } from '../../slot/slot.ts'
import type { Cancel, Clock } from '../../system/clock.ts'
import type { Kernel } from '../../system/native/child-ending.ts'
import { spanText } from '../../system/text/span.ts'
import type { Health } from '../launch/launch.ts'
import { type HealthReport, type LivenessWatch, watchLiveness } from './liveness.ts'
import { MemoryWatch } from './memory.ts'

export interface HealthChecksOptions {
  readonly clock: Clock
  /** Reports how the command of a check ended. */
  readonly kernel?: Kernel
  /** Called with what should happen to a process: `condemned` or `outdated`. */
  readonly dispatch: (key: string, event: SlotEvent) => void
}

interface CheckedProcess {
  readonly child: number
  readonly life?: LivenessWatch
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
  readonly #checked = new Map<string, CheckedProcess>()

  constructor(options: HealthChecksOptions) {
    this.#options = options
    this.#memory = new MemoryWatch(options.clock)
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
    this.#checked.get(key)?.life?.printed()
  }

  /** Undefined: nothing watches whether it works. */
  report(key: string): HealthReport | undefined {
    return this.#checked.get(key)?.life?.report()
  }

  forget(key: string): void {
    this.#checked.get(key)?.close()
    this.#checked.delete(key)
  }

  #check(key: string, slot: UpSlot, { liveness, memoryLimitBytes, maxAgeMs }: Health): CheckedProcess {
    const { clock, kernel, dispatch } = this.#options
    const { id: child, pid } = slot.child
    const condemn = (why: string): void => dispatch(key, { type: 'condemned', child, why })
    const life = liveness && watchLiveness(liveness, { clock, kernel, condemn })
    const ends: Cancel[] = []
    if (life) ends.push(() => life.close())
    if (memoryLimitBytes) ends.push(this.#memory.watch(pid, memoryLimitBytes, condemn))
    if (maxAgeMs) {
      const why = `has reached its max_age of ${spanText(maxAgeMs)}`
      ends.push(clock.at(outdatedAt(slot, maxAgeMs), () => dispatch(key, { type: 'outdated', child, why })))
    }
    return {
      child,
      ...(life && { life }),
      close() {
        for (const end of ends) end()
      },
    }
  }
}

/** Fractions of multiples of it are spread evenly (Knuth, The Art of Computer Programming, volume 3, 6.4). */
const GOLDEN_RATIO = 0.618_033_988_749_895

/**
 * Up to a tenth earlier than `maxAgeMs`: a hundred gateways that a boot has started must not all restart at once. The
 * same for each supervisor, so one that comes later does not begin anew.
 */
const outdatedAt = ({ child, readyAtMs }: UpSlot, maxAgeMs: number): number =>
  readyAtMs + maxAgeMs * (1 - ((child.id * GOLDEN_RATIO) % 1) / 10)
