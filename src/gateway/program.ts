import { join } from 'node:path'
import { connectControl } from '../control/client.ts'
import { loadConfig } from '../profile/config/config.ts'
import { ownEnvironment } from '../profile/environment/own-environment.ts'
import { requireOwnUser } from '../profile/walled.ts'
import { HermesError } from '../system/errors.ts'
import { isMainProgram, SUPERVISED_MARKER, truthy } from '../system/markers.ts'
import { gatewaySlot } from '../system/paths.ts'
import { warningLine } from '../system/text/foreign-text.ts'
import { runBuiltIn, type StartPart } from './built-in.ts'
import type { GatewayFacts } from './facts.ts'
import { runOwnCommand } from './own-command.ts'
import { redirectToSupervisor } from './redirect.ts'

/** Exports of this program's bundle; the command line loads it on demand. */
export interface GatewayBundle {
  gatewayProgram(facts: Omit<GatewayFacts, 'supervised'> & { readonly noSupervise: boolean }): Promise<number>
}

/**
 * `hermes gateway run`: in a slot the built-in gateway; as the container's main program a request to the supervisor,
 * unless that is opted out of; by hand the gateway in the foreground, whatever it runs.
 * @param starters the parts of the built-in gateway
 * @returns the exit code
 */
export async function runGateway(
  facts: Omit<GatewayFacts, 'supervised'> & { readonly noSupervise: boolean },
  starters: readonly StartPart[],
): Promise<number> {
  const { env } = facts
  const supervised = env[SUPERVISED_MARKER] === '1'
  const here: GatewayFacts = { ...facts, supervised }
  const optedOut = facts.noSupervise || truthy(env.HERMES_GATEWAY_NO_SUPERVISE)
  if (!supervised && isMainProgram(env, process.pid) && !optedOut) return redirectToSupervisor(here)
  requireOwnUser(facts.home, facts.profile)
  if (supervised) return runBuiltIn(here, starters)
  refuseRoot(here)
  await refuseRunningSlot(here)
  const { command } = loadConfig(join(facts.dir, 'config.yaml')).config.gateway
  if (command !== null) return runOwnCommand(here, command)
  const { environment, warnings } = await ownEnvironment(here)
  for (const warning of warnings) here.err(warningLine(warning))
  return runBuiltIn({ ...here, env: environment }, starters)
}

function refuseRoot({ uid, env, profile }: GatewayFacts): void {
  if (uid !== 0 || truthy(env.HERMES_ALLOW_ROOT_GATEWAY)) return
  throw new HermesError(
    'REFUSED',
    `refusing to run the gateway of "${profile}" as root: its files would belong to root, and what it runs could do anything`,
    {
      next: 'start it as another user, or set HERMES_ALLOW_ROOT_GATEWAY=1',
    },
  )
}

/**
 * Asks the supervisor too, because a custom command in the slot writes no pid file. Without a supervisor, the pid
 * file decides.
 */
async function refuseRunningSlot(facts: GatewayFacts): Promise<void> {
  const key = gatewaySlot(facts.profile)
  let pid: number | undefined
  try {
    const client = await connectControl(facts.controlSocket, facts.clock)
    try {
      pid = (await client.request('status', { slot: key }, { timeoutMs: 5000 })).slots.find(
        (slot) => slot.slot === key,
      )?.pid
    } finally {
      client.close()
    }
  } catch (error) {
    if (!(error instanceof HermesError)) throw error
  }
  if (pid === undefined) return
  throw new HermesError('REFUSED', `the gateway of "${facts.profile}" runs already: pid ${pid}, in the slot ${key}`, {
    next: `hermes -p ${facts.profile} gateway stop, or gateway status`,
  })
}
