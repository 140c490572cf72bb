import type { Cancel, Clock } from '../../system/clock.ts'
import type { Level } from '../../system/level.ts'
import type { Variables } from '../facts/environment.ts'
import { goesOnAfterFailure } from './hooks.ts'

const NAME_EVERY_MS = 10_000
/** Exit code of `s6-rc -t` after its time is over, which s6-overlay then passes on. */
const TIMED_OUT = 2

export interface ServicesGateOptions {
  readonly clock: Clock
  /** The container's environment. */
  readonly env: Variables
  /** The container ends with this code. */
  readonly stopWith: (code: number, why: string) => void
  readonly log: (level: Level, text: string) => void
}

/**
 * Holds the main program back until the services it needs are up, like s6-overlay. The time limit for hooks and
 * services together is S6_CMD_WAIT_FOR_SERVICES_MAXTIME (ms; 0, the default: none); afterwards
 * S6_BEHAVIOUR_IF_STAGE2_FAILS decides.
 */
export class ServicesGate {
  readonly #options: ServicesGateOptions
  readonly #passed = Promise.withResolvers<void>()
  #awaited = 0
  #cancel: Cancel = () => undefined

  constructor(options: ServicesGateOptions) {
    this.#options = options
  }

  /** The first hook is about to run: from now on the time counts. */
  begin(): void {
    const { clock, env } = this.#options
    const maxMs = Number(/^\d{1,10}$/.exec(env.S6_CMD_WAIT_FOR_SERVICES_MAXTIME ?? '')?.[0] ?? 0)
    if (maxMs > 0) this.#cancel = clock.at(clock.nowMs() + maxMs, () => this.#late(maxMs))
  }

  waitFor(services: number): void {
    this.#awaited = services
  }

  /** They are up, or nothing is waited for any more. */
  pass(): void {
    this.#awaited = 0
    this.#cancel()
    this.#passed.resolve()
  }

  async open(): Promise<void> {
    if (this.#awaited === 0) return this.pass()
    this.#nameIt()
    await this.#passed.promise
  }

  #late(maxMs: number): void {
    const { env, log, stopWith } = this.#options
    const why = `hooks and services are not done after ${maxMs} ms (S6_CMD_WAIT_FOR_SERVICES_MAXTIME)`
    if (goesOnAfterFailure(env)) {
      log('warn', `${why}; the main program starts without them`)
      this.pass()
    } else stopWith(TIMED_OUT, `${why}; S6_BEHAVIOUR_IF_STAGE2_FAILS=1 would go on`)
  }

  #nameIt(): void {
    const { clock, log } = this.#options
    clock.at(clock.nowMs() + NAME_EVERY_MS, () => {
      if (this.#awaited === 0) return
      log('warn', 'the main program still waits for services; "hermes service list" shows which')
      this.#nameIt()
    })
  }
}
