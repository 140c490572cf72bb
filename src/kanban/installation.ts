import type { Clock } from '../system/clock.ts'

/** Facts about an installation that every tick needs. */
export interface Installation {
  readonly home: string
  readonly clock: Clock
  readonly host: string
  /** HERMES_NODE_LABELS; absent: it is not set. */
  readonly nodeLabels?: string | undefined
  /** Command of the built-in agent, for profiles without `agent.command`. */
  readonly builtIn: (profile: string) => readonly string[]
}
