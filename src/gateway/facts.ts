import type { Clock } from '../system/clock.ts'
import type { Environment } from '../system/programs/install.ts'

/** Facts about a gateway: where it runs, and for which profile. */
export interface GatewayFacts {
  readonly profile: string
  readonly dir: string
  readonly home: string
  readonly install: string
  readonly runDir: string
  /** Where the slots' directories lie. */
  readonly scanDir: string
  readonly controlSocket: string
  readonly env: Environment
  readonly uid: number
  readonly clock: Clock
  /** This process is a slot's. */
  readonly supervised: boolean
  /** One or more whole lines to standard output, the slot's log. */
  readonly out: (text: string) => void
  /** One or more whole lines to standard error. */
  readonly err: (text: string) => void
}
