import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Context } from './context.ts'

/** What the dispatcher needs to know of this installation. Imports nothing of the board: the hot program loads it. */
export const dispatcherFacts = ({ home, clock, install, paths, env, output }: Context) => ({
  home,
  clock,
  host: hostname(),
  /** The built-in agent, for profiles without `agent.command`. */
  builtIn: (profile: string) => [join(install, 'bin', 'hermes'), '-p', profile, 'kanban', 'work'],
  controlSocket: paths.controlSocket,
  env,
  out: output.out,
  err: output.err,
})

/** What `hermes dashboard` needs to know; it explains what the dispatcher would do. */
export const dashboardFacts = (context: Context) => ({
  ...dispatcherFacts(context),
  install: context.install,
})
