import type { Secrets } from '../../profile/config/kinds/program-kinds.ts'
import { readRecord } from '../../profile/environment/secrets-record.ts'
import { type Child, childOf, type Slot, type SlotEvent } from '../../slot/slot.ts'
import type { Cancel, Clock } from '../../system/clock.ts'
import type { Kernel } from '../../system/native/child-ending.ts'
import { profileOfSlot } from '../../system/paths.ts'
import { oneLine } from '../../system/text/foreign-text.ts'
import { spanText } from '../../system/text/span.ts'
import type { Launch } from '../launch/launch.ts'
import type { Launcher } from '../launch/launcher.ts'
import { type CheckResult, SecretChecks } from './secret-checks.ts'

/** Time between two looks whether the secrets of a start are there. */
const LOOK_EVERY_MS = 100

export interface SecretWatchOptions {
  readonly clock: Clock
  readonly kernel?: Kernel
  readonly launcher: Pick<Launcher, 'secretsRecord' | 'secretsCheck'>
  readonly log: (level: 'info' | 'warn', text: string) => void
  /** Called with what happens to a process: `ready` or `outdated`. */
  readonly dispatch: (key: string, event: SlotEvent) => void
}

interface Watched {
  readonly child: number
  readonly state: 'starting' | 'up'
  /** The start has not got them yet. */
  awaited?: readonly string[]
  readonly close: Cancel
}

/**
 * Follows the secrets of slots: whether a start has got them, and whether they have changed since then. The values
 * never get here: a program of the profile fetches them, and compares them with digests.
 */
export class SecretWatches {
  readonly #options: SecretWatchOptions
  readonly #watched = new Map<string, Watched>()
  readonly #checks: SecretChecks

  constructor(options: SecretWatchOptions) {
    this.#options = options
    this.#checks = new SecretChecks(options)
  }

  /** The slot is in this state now. */
  follow(key: string, slot: Slot, { secrets, readiness }: Pick<Launch, 'secrets' | 'readiness'>): void {
    const child = secrets === undefined ? null : childOf(slot)
    const known = this.#watched.get(key)
    if (known?.child === child?.id && known?.state === (child === null ? undefined : slot.state)) return
    this.forget(key)
    if (child === null || secrets === undefined) return
    if (slot.state === 'starting') this.#await(key, child, secrets, slot.policy.readyAfterMs, readiness)
    if (slot.state === 'up') this.#refresh(key, child, secrets, slot.readyAtMs)
  }

  /** Names of the secrets that its start waits for; undefined: it does not. */
  awaited(key: string): readonly string[] | undefined {
    return this.#watched.get(key)?.awaited
  }

  forget(key: string): void {
    this.#watched.get(key)?.close()
    this.#watched.delete(key)
  }

  #await(
    key: string,
    { id, pid }: Child,
    secrets: Secrets,
    readyAfterMs: number,
    readiness: Launch['readiness'],
  ): void {
    const { clock, launcher, dispatch } = this.#options
    let cancel: Cancel = () => undefined
    const watched: Watched = { child: id, state: 'starting', awaited: Object.keys(secrets), close: () => cancel() }
    this.#watched.set(key, watched)
    const file = launcher.secretsRecord(key)
    const look = (): void => {
      if (readRecord(file)?.pid !== pid) {
        cancel = clock.at(clock.nowMs() + LOOK_EVERY_MS, look)
        return
      }
      delete watched.awaited
      if (readiness.by !== 'fetched') return
      const ready = (): void => dispatch(key, { type: 'ready', child: id, atMs: clock.nowMs() })
      cancel = clock.at(clock.nowMs() + readyAfterMs, ready)
    }
    look()
  }

  #refresh(key: string, { id, pid }: Child, secrets: Secrets, readyAtMs: number): void {
    const profile = profileOfSlot(key)
    const plan = new RefreshPlan(secrets, readyAtMs, this.#options.clock.nowMs())
    if (profile === undefined || plan.nextAtMs === undefined) return
    const { clock, launcher, dispatch } = this.#options
    let cancel: Cancel = () => undefined
    const closed = new AbortController()
    const failing = new Set<string>()
    const wait = (): void => {
      if (plan.nextAtMs !== undefined) cancel = clock.at(plan.nextAtMs, check, { coarse: true })
    }
    const check = (): void => {
      const names = plan.due(clock.nowMs())
      const program = (): ReturnType<Launcher['secretsCheck']> =>
        launcher.secretsCheck(key, { profile, secrets, pid, names })
      void this.#checks.run(program, { secrets, names, signal: closed.signal }).then((result) => {
        if (closed.signal.aborted) return
        plan.done(names, clock.nowMs())
        this.#warnOnce(key, result, failing, secrets)
        const [name] = result.changed
        if (name === undefined) wait()
        else dispatch(key, { type: 'outdated', child: id, why: `has to start with the new value of secret ${name}` })
      })
    }
    const close = (): void => {
      cancel()
      closed.abort()
    }
    this.#watched.set(key, { child: id, state: 'up', close })
    wait()
  }

  /** A secret that cannot be fetched again has one line, until it can. */
  #warnOnce(key: string, { failed, names }: CheckResult, failing: Set<string>, secrets: Secrets): void {
    const now = new Map(failed.map(({ name, problem }) => [name, problem]))
    for (const name of names)
      if (!now.has(name) && failing.delete(name)) this.#options.log('info', `${key}: secret ${name} is fetched again`)
    for (const [name, problem] of now) {
      if (failing.has(name)) continue
      failing.add(name)
      const again = spanText(secrets[name]?.refreshMs ?? 0)
      this.#options.log(
        'warn',
        `${key}: secret ${name} cannot be fetched again, so it keeps its value: ${oneLine(problem)}; tried again every ${again}`,
      )
    }
  }
}

/** When which secret is looked at again. */
class RefreshPlan {
  readonly #next = new Map<string, number>()
  readonly #every = new Map<string, number>()

  /** @param readyAtMs the intervals are counted from here, also by a supervisor that comes later */
  constructor(secrets: Secrets, readyAtMs: number, nowMs: number) {
    for (const [name, { refreshMs }] of Object.entries(secrets)) {
      if (refreshMs === undefined) continue
      this.#every.set(name, refreshMs)
      const passed = Math.max(0, Math.floor((nowMs - readyAtMs) / refreshMs))
      this.#next.set(name, readyAtMs + (passed + 1) * refreshMs)
    }
  }

  get nextAtMs(): number | undefined {
    return this.#next.size === 0 ? undefined : Math.min(...this.#next.values())
  }

  due(nowMs: number): readonly string[] {
    // A coarse alarm rings up to a millisecond early.
    return [...this.#next].filter(([, atMs]) => atMs <= nowMs + 1).map(([name]) => name)
  }

  done(names: readonly string[], nowMs: number): void {
    for (const name of names) this.#next.set(name, nowMs + (this.#every.get(name) ?? 0))
  }
}
