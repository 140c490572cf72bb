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

/**
 * Tells whether the slot `dispatcher` should be up: a board exists, and the configuration does not leave dispatching
 * to another program. A stopped container, or one that does not hold the volume, has no slots; the supervisor handles
 * that.
 */
export const dispatcherWanted = (facts: { readonly boards: number; readonly dispatchInGateway: boolean }): boolean =>
  facts.boards > 0 && facts.dispatchInGateway
