import { basename } from 'node:path'
import { HermesError } from '../../system/errors.ts'
import { truthy } from '../../system/markers.ts'
import { gatewayRun, splitCommandLine } from '../../system/programs/command-line.ts'
import { readActiveProfile } from '../active.ts'

/**
 * The profile whose gateway is the container's main program (`gateway run --no-supervise`,
 * `HERMES_GATEWAY_NO_SUPERVISE`): its slot stays down, whatever its desired state.
 * @param main the container's arguments
 * @param container its environment
 */
export function gatewayOfMain(
  home: string,
  main: readonly string[],
  container: Readonly<Record<string, string | undefined>>,
): string | undefined {
  try {
    const line = splitCommandLine(basename(main[0] ?? '') === 'hermes' ? main.slice(1) : main)
    const run = gatewayRun(line.args)
    if (!run || !(run.noSupervise || truthy(container.HERMES_GATEWAY_NO_SUPERVISE))) return undefined
    return line.profile ?? readActiveProfile(home)
  } catch (error) {
    // `-p` without a name: the main program itself reports it and exits.
    if (error instanceof HermesError) return undefined
    throw error
  }
}
