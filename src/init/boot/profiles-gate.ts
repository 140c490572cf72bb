import type { Clock } from '../../system/clock.ts'
import type { Level } from '../../system/level.ts'

/** A supervisor that cannot do it, or a volume that does not answer, must not keep the main program away. */
const LONGEST_MS = 30_000

export interface ProfilesGateOptions {
  readonly clock: Clock
  readonly log: (level: Level, text: string) => void
}

/** Holds the main program back until the supervisor has filled a new volume and given every profile its slot. */
export class ProfilesGate {
  readonly #options: ProfilesGateOptions
  readonly #passed = Promise.withResolvers<void>()

  constructor(options: ProfilesGateOptions) {
    this.#options = options
  }

  /** It has, or nothing is waited for any more. */
  pass(): void {
    this.#passed.resolve()
  }

  async open(): Promise<void> {
    const { clock, log } = this.#options
    const cancel = clock.at(clock.nowMs() + LONGEST_MS, () => {
      log('warn', `the profiles are not registered after ${LONGEST_MS / 1000} s; the main program starts without them`)
      this.pass()
    })
    await this.#passed.promise
    cancel()
  }
}
