import type { Slot } from '../../slot/slot.ts'
import type { Clock } from '../../system/clock.ts'
import type { Kernel } from '../../system/native/child-ending.ts'
import type { Health } from '../launch/launch.ts'
import { watchLiveness } from './liveness.ts'
import { MemoryWatch } from './memory.ts'

export interface HealthChecksOptions {
  readonly clock: Clock
  /** Reports how the command of a check ended. */
  readonly kernel?: Kernel
  /** This process of the slot must not stay, for this reason. */
  readonly condemn: (key: string, child: number, why: string) => void
}

interface CheckedProcess {
  readonly child: number
  readonly printed?: () => void
  readonly close: () => void
}

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
    const child = slot.state === 'up' && health !== undefined ? slot.child : undefined
    if (known?.child === child?.id) return
    this.forget(key)
    if (child !== undefined && health !== undefined)
      this.#checked.set(key, { child: child.id, ...this.#check(key, child, health) })
  }

  /** The slot's process has printed whole lines. */
  printed(key: string): void {
    this.#checked.get(key)?.printed?.()
  }

  forget(key: string): void {
    this.#checked.get(key)?.close()
    this.#checked.delete(key)
  }

  #check(
    key: string,
    child: { readonly id: number; readonly pid: number },
    { liveness, memoryLimitBytes }: Health,
  ): Omit<CheckedProcess, 'child'> {
    const { clock, kernel } = this.#options
    const condemn = (why: string): void => this.#options.condemn(key, child.id, why)
    const life = liveness && watchLiveness(liveness, { clock, kernel, condemn })
    const unwatch = memoryLimitBytes && this.#memory.watch(child.pid, memoryLimitBytes, condemn)
    return {
      ...(life && { printed: life.printed }),
      close() {
        life?.close()
        if (unwatch) unwatch()
      },
    }
  }
}
