import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { HermesError } from '../../system/errors.ts'
import { gatewaySlot } from '../../system/paths.ts'
import { gatewayRun, splitCommandLine } from '../../system/programs/command-line.ts'
import { readProcess } from '../../system/programs/proc.ts'
import { readActiveProfile } from '../active.ts'

/**
 * Tells whether a process is the gateway of a profile: the one in its slot, or a `hermes gateway run` started by
 * hand.
 * @param home the volume
 */
export function runsGatewayOf(pid: number, profile: string, home: string): boolean {
  const environment = new Set(listIn(`/proc/${pid}/environ`))
  // Child processes of a gateway inherit its environment, but they do not lead the slot's session.
  if (environment.has(`HERMES_SLOT=${gatewaySlot(profile)}`) && readProcess(pid)?.session === pid) return true
  const argv = listIn(`/proc/${pid}/cmdline`)
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

/** Reads a file of /proc with NUL-terminated texts; [] for a process that is gone or not accessible. */
function listIn(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8').split('\0').slice(0, -1)
  } catch {
    // ENOENT, ESRCH, EACCES: there is nothing to be seen of it.
    return []
  }
}
