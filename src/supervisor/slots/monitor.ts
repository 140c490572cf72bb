import { dueAt, type Slot, type SlotEvent } from '../../slot/slot.ts'
import type { Cancel, Clock } from '../../system/clock.ts'
import type { Kernel } from '../../system/native/child-ending.ts'
import { FileWatches } from '../checks/file-watch.ts'
import { HealthChecks, type HealthChecksOptions } from '../checks/health.ts'
import type { HealthReport } from '../checks/liveness.ts'
import { type Watcher, watchReadiness } from '../checks/readiness.ts'
import { SecretWatches, type SecretWatchOptions } from '../checks/secrets.ts'
import type { Launch } from '../launch/launch.ts'

/** Pieces of output that may come between a start and init's report of it: a moment's. */
const MAX_EARLY = 16

export interface SlotMonitorOptions {
  readonly clock: Clock
  /** Reports how the command of a check ended. */
  readonly kernel?: Kernel
  readonly launcher: SecretWatchOptions['launcher']
  readonly log: (level: 'info' | 'warn', text: string) => void
  /** Requests that the process of a slot has open. */
  readonly openRequests: HealthChecksOptions['openRequests']
  readonly dispatch: (key: string, event: SlotEvent) => void
}

interface MonitoredSlot {
  readonly key: string
  readonly slot: Slot
  readonly launch: Launch
}

/**
 * Watches each slot for what its state waits for: an alarm, a readiness check that only the supervisor can run, and
 * what could be wrong with a process that is up. All of them follow from the state alone, so a slot that was read from
 * its file gets them too.
 */
export class SlotMonitor {
  readonly #options: SlotMonitorOptions
  readonly #alarms = new Map<string, { readonly atMs: number; readonly cancel: Cancel }>()
  readonly #watchers = new Map<string, { readonly child: number; readonly watch: Watcher }>()

  /**
   * Lines of a process that init has started and not reported yet: it may have announced already that it is ready. A
   * process before it has no lines left: they were read before its end was judged.
   */
  readonly #early = new Map<string, Buffer[]>()

  readonly #health: HealthChecks
  readonly #files: FileWatches
  readonly #secrets: SecretWatches

  constructor(options: SlotMonitorOptions) {
    this.#options = options
    const { clock, kernel, launcher, log, openRequests, dispatch } = options
    const warn = (text: string): void => log('warn', text)
    this.#secrets = new SecretWatches({ clock, kernel, launcher, log, dispatch })
    this.#files = new FileWatches({ clock, warn, dispatch })
    this.#health = new HealthChecks({
      clock,
      kernel,
      dispatch,
      log,
      openRequests,
    })
  }

  /** The slot is in this state now. */
  follow(watched: MonitoredSlot): void {
    this.#setAlarm(watched)
    this.#watchReadiness(watched)
    const { key, slot, launch } = watched
    this.#health.follow(key, slot, launch.health)
    this.#files.follow(key, slot, launch.health?.watch)
    this.#secrets.follow(key, slot, launch)
  }

  /** Whole lines of the slot's process. */
  lines(key: string, wholeLines: Buffer): void {
    this.#health.printed(key)
    const watcher = this.#watchers.get(key)
    if (watcher !== undefined) {
      watcher.watch.lines(wholeLines)
      return
    }
    const early = this.#early.get(key)
    // A copy: the memory is the reader's, and is read into again.
    if (early !== undefined && early.length < MAX_EARLY) early.push(Buffer.from(wholeLines))
  }

  /** Undefined: nothing watches whether it works. */
  health(key: string): HealthReport | undefined {
    return this.#health.report(key)
  }

  /** Names of the secrets that its start waits for; undefined: it does not. */
  awaitedSecrets(key: string): readonly string[] | undefined {
    return this.#secrets.awaited(key)
  }

  forget(key: string): void {
    this.#alarms.get(key)?.cancel()
    this.#alarms.delete(key)
    this.#watchers.get(key)?.watch.close()
    this.#watchers.delete(key)
    this.#early.delete(key)
    this.#health.forget(key)
    this.#files.forget(key)
    this.#secrets.forget(key)
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
    const isAwaited = slot.state === 'starting' && slot.policy.readiness === 'announced'
    const child = isAwaited ? slot.child?.id : undefined
    const early = this.#early.get(key)
    if (isAwaited && child === undefined && launch.readiness.by === 'log') this.#early.set(key, early ?? [])
    else this.#early.delete(key)
    const watcher = this.#watchers.get(key)
    if (child === watcher?.child) return
    watcher?.watch.close()
    this.#watchers.delete(key)
    if (child === undefined) return
    const { clock, log, dispatch, kernel } = this.#options
    const ready = (): void => dispatch(key, { type: 'ready', child, atMs: clock.nowMs() })
    const watch = watchReadiness(launch.readiness, clock, ready, (text) => log('warn', `${key}: ${text}`), kernel)
    if (watch === undefined) return
    this.#watchers.set(key, { child, watch })
    for (const lines of early ?? []) watch.lines(lines)
  }
}
