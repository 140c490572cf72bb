import { isClosedVariable } from '../../system/dashboard-secrets.ts'
import { SUPERVISED_MARKER } from '../../system/markers.ts'
import type { Environment } from '../../system/programs/install.ts'

/** Variables that only the dashboard has: secrets, and markers that make a program believe it runs in a slot. */
const isOwn = (name: string): boolean =>
  isClosedVariable(name) || ['HERMES_DASHBOARD', 'HERMES_SLOT', 'HERMES_MAIN', SUPERVISED_MARKER].includes(name)

/** The environment of a program on a terminal. */
export const terminalEnvironment = (env: Environment): Readonly<Record<string, string>> => ({
  ...Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && !isOwn(entry[0])),
  ),
  TERM: 'xterm-256color',
  COLORTERM: 'truecolor',
})
