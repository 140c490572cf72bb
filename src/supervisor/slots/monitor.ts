import { dueAt, type Slot, type SlotEvent } from '../../slot/slot.ts'
import type { Cancel, Clock } from '../../system/clock.ts'
import type { Kernel } from '../../system/native/child-ending.ts'
import type { Launch } from '../launch/launch.ts'
import { type Watcher, watchReadiness } from './readiness.ts'

export interface SlotMonitorOptions {
  readonly clock: Clock
  /** Reports how the command of a check ended. */
  readonly kernel?: Kernel
  readonly warn: (text: string) => void
  readonly dispatch: (key: string, event: SlotEvent) => void
}

interface MonitoredSlot {
  readonly key: string
  readonly slot: Slot
  readonly launch: Launch
}

/**
 * Watches each slot for what its state waits for: an alarm, and a readiness check that only the supervisor can run.
 * Both follow from the state alone, so a slot that was read from its file gets them too.
 */
export class SlotMonitor {
  readonly #options: SlotMonitorOptions
  readonly #alarms = new Map<string, { readonly atMs: number; readonly cancel: Cancel }>()
  readonly #watchers = new Map<string, { readonly child: number; readonly watch: Watcher }>()

  constructor(options: SlotMonitorOptions) {
    this.#options = options
  }

  /** The slot is in this state now. */
  follow(watched: MonitoredSlot): void {
    this.#setAlarm(watched)
    this.#watchReadiness(watched)
  }

  /** Whole lines of the slot's process. */
  lines(key: string, wholeLines: Buffer): void {
    this.#watchers.get(key)?.watch.lines(wholeLines)
  }

  forget(key: string): void {
    this.#alarms.get(key)?.cancel()
    this.#alarms.delete(key)
    this.#watchers.get(key)?.watch.close()
    this.#watchers.delete(key)
  }

  #setAlarm({ key, slot }: MonitoredSlot): void {
    const atMs = dueAt(slot)
    const alarm = this.#alarms.get(key)
    if (atMs === (alarm?.atMs ?? null)) return
    alarm?.cancel()
    this.#alarms.delete(key)
    if (atMs === null) return
    const cancel = this.#options.clock.at(atMs, () => {
      this.#alarms.delete(key)
      this.#options.dispatch(key, { type: 'due' })
    })
    this.#alarms.set(key, { atMs, cancel })
  }

  #watchReadiness({ key, slot, launch }: MonitoredSlot): void {
    const child = slot.state === 'starting' && slot.policy.readiness === 'announced' ? slot.child?.id : undefined
    const watcher = this.#watchers.get(key)
    if (child === watcher?.child) return
    watcher?.watch.close()
    this.#watchers.delete(key)
    if (child === undefined) return
    const { clock, warn, dispatch, kernel } = this.#options
    const ready = (): void => dispatch(key, { type: 'ready', child, atMs: clock.nowMs() })
    const watch = watchReadiness(launch.readiness, clock, ready, (text) => warn(`${key}: ${text}`), kernel)
    if (watch !== undefined) this.#watchers.set(key, { child, watch })
  }
}
