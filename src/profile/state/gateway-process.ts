import { basename } from 'node:path'
import { HermesError } from '../../system/errors.ts'
import { gatewaySlot } from '../../system/paths.ts'
import { gatewayRun, splitCommandLine } from '../../system/programs/command-line.ts'
import { readProcess, readProcessList } from '../../system/programs/proc.ts'
import { readActiveProfile } from '../active.ts'

/**
 * Tells whether a process is the gateway of a profile: the one in its slot, or a `hermes gateway run` started by
 * hand.
 * @param home the volume
 */
export function runsGatewayOf(pid: number, profile: string, home: string): boolean {
  const environment = new Set(readProcessList(pid, 'environ'))
  // Child processes of a gateway inherit its environment, but they do not lead the slot's session.
  if (environment.has(`HERMES_SLOT=${gatewaySlot(profile)}`) && readProcess(pid)?.session === pid) return true
  const argv = readProcessList(pid, 'cmdline')
  const program = argv.findIndex((argument) => /^hermes(\.cjs)?$/.test(basename(argument)))
  if (program === -1) return false
  const elsewhere = [...environment].some((one) => one.startsWith('HERMES_HOME=') && one !== `HERMES_HOME=${home}`)
  return !elsewhere && profileRun(argv.slice(program + 1), home) === profile
}

/** The profile whose gateway this `hermes` command line runs. */
function profileRun(argv: readonly string[], home: string): string | undefined {
  try {
    const line = splitCommandLine(argv)
    return gatewayRun(line.args) && (line.profile ?? readActiveProfile(home))
  } catch (error) {
    // `-p` without a name: that command itself reports it and exits.
    if (error instanceof HermesError) return undefined
    throw error
  }
}
