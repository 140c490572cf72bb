import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Context } from './context.ts'

/**
 * Facts about this installation that the dispatcher needs. Imports no board code, because the hot program loads this
 * file.
 */
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

/** Facts that `hermes dashboard` needs; it explains what the dispatcher would do. */
export const dashboardFacts = (context: Context) => ({
  ...dispatcherFacts(context),
  install: context.install,
})
