import { SUPERVISED_MARKER } from '../../system/markers.ts'
import type { Environment } from '../../system/programs/install.ts'

/** Variables that only the dashboard has: secrets, and markers that make a program believe it runs in a slot. */
const OWN = /^(HERMES_DASHBOARD(_.*)?|HERMES_(METRICS_TOKEN|KANBAN_DATABASE)(_FILE)?|HERMES_SLOT|HERMES_MAIN)$/

/** The environment of a program on a terminal. */
export const terminalEnvironment = (env: Environment): Readonly<Record<string, string>> => ({
  ...Object.fromEntries(
    Object.entries(env).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && !OWN.test(entry[0]) && entry[0] !== SUPERVISED_MARKER,
    ),
  ),
  TERM: 'xterm-256color',
  COLORTERM: 'truecolor',
})
