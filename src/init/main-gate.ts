import type { Clock } from '../system/clock.ts'
import type { Variables } from './environment.ts'
import type { Level } from './own-console.ts'

const NAME_EVERY_MS = 10_000

export interface MainGateOptions {
  readonly clock: Clock
  /** The container's environment. */
  readonly env: Variables
  readonly say: (level: Level, text: string) => void
}

/**
 * Holds the main program back until the services it needs are up, as s6-overlay does: for S6_CMD_WAIT_FOR_SERVICES_MAXTIME at most
 * (ms; 0, the default: without limit).
 */
export class MainGate {
  readonly #o: MainGateOptions
  readonly #passed = Promise.withResolvers<void>()
  #awaited = 0

  constructor(options: MainGateOptions) {
    this.#o = options
  }

  waitFor(services: number): void {
    this.#awaited = services
  }

  /** They are up, or nothing is waited for any more. */
  pass(): void {
    this.#awaited = 0
    this.#passed.resolve()
  }

  async open(): Promise<void> {
    if (this.#awaited === 0) return
    const { clock, env, say } = this.#o
    const maxMs = Number(/^\d{1,9}$/.exec(env.S6_CMD_WAIT_FOR_SERVICES_MAXTIME ?? '')?.[0] ?? 0)
    const late = (): void => {
      say(
        'warn',
        `services are not up after ${maxMs} ms (S6_CMD_WAIT_FOR_SERVICES_MAXTIME); the main program starts without them`,
      )
      this.pass()
    }
    const cancel = maxMs === 0 ? () => undefined : clock.at(clock.nowMs() + maxMs, late)
    this.#nameIt()
    await this.#passed.promise
    cancel()
  }

  #nameIt(): void {
    const { clock, say } = this.#o
    clock.at(clock.nowMs() + NAME_EVERY_MS, () => {
      if (this.#awaited === 0) return
      say('warn', 'the main program still waits for services; "hermes service list" shows which')
      this.#nameIt()
    })
  }
}
