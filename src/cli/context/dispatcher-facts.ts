import { join } from 'node:path'
import type { Context } from './context.ts'

/**
 * Facts about this installation that the dispatcher needs. Imports no board code, because the program of the
 * frequent commands loads this file.
 */
export const dispatcherFacts = ({ home, clock, install, paths, env, output }: Context) => ({
  home,
  clock,
  // Not imported: the frequent commands load this file, and need no host.
  host: process.getBuiltinModule('node:os').hostname(),
  /** The built-in agent, for profiles without `agent.command`. */
  builtIn: (profile: string) => [join(install, 'bin', 'hermes'), '-p', profile, 'kanban', 'work'],
  nodeLabels: env.HERMES_NODE_LABELS,
  controlSocket: paths.controlSocket,
  runDir: paths.runDir,
  env,
  out: output.out,
  err: output.err,
})

/** Facts that `hermes dashboard` needs; it explains what the dispatcher would do. */
export const dashboardFacts = (context: Context) => ({
  ...dispatcherFacts(context),
  install: context.install,
})

/** Facts that the front port needs. */
export const frontPortFacts = (context: Context) => ({ ...meterFacts(context), install: context.install })

/** Facts that the meter, the notifier and the forwarder need. */
export const meterFacts = ({ home, paths, clock, env, output }: Context) => ({
  home,
  paths,
  clock,
  env,
  out: output.out,
  err: output.err,
})
