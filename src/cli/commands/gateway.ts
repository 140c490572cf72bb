import type { ActionOptions } from '../../control/slot-actions.ts'
import type { GatewayBundle } from '../../gateway/program.ts'
import { parseDurationMs } from '../../profile/config/kinds/kinds.ts'
import { listProfiles, requireProfile } from '../../profile/directory/disk.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { profileOfSlot } from '../../system/paths.ts'
import { type ArgumentSpec, type Command, type Input, type OptionSpec, textOption } from '../context/command.ts'
import { type Context, gatewayFacts } from '../context/context.ts'
import type { Outcome } from '../terminal/output.ts'
import { gatewayStatus } from './frequent.ts'
import { actOnEveryGateway, actOnGateways, type Verb } from './gateway-actions.ts'

export const WAIT_OPTIONS: readonly OptionSpec[] = [
  { long: '--timeout', value: 'S', help: 'stop waiting after this time (30, 500ms, 2m)' },
  { long: '--no-wait', help: 'return without waiting for the result' },
]
const PROFILES: ArgumentSpec = { name: 'PROFILE', help: 'names of profiles; default: the profile of -p', kind: 'many' }
const ACTION_OPTIONS: readonly OptionSpec[] = [
  { long: '--all', help: 'act on every profile, and report each failure' },
  ...WAIT_OPTIONS,
]
const ACTION_EXITS = {
  [EXIT.noSuch]: 'no such profile or slot',
  [EXIT.noSupervisor]: 'the supervisor is not running',
  [EXIT.timedOut]: 'the slot did not reach the state in time',
}

export const GATEWAY_COMMANDS: readonly Command[] = [
  {
    path: 'gateway start',
    summary: 'Start the gateway, now and at every boot, and wait until it is ready',
    arguments: [PROFILES],
    options: ACTION_OPTIONS,
    details: 'A parked gateway is started too. If the gateway is already up, the command succeeds and changes nothing.',
    exits: ACTION_EXITS,
    run: (context, input) => action(context, input, 'start'),
  },
  {
    path: 'gateway stop',
    summary: 'Stop the gateway, keep it stopped at the next boots, and wait until it is down',
    arguments: [PROFILES],
    options: ACTION_OPTIONS,
    exits: ACTION_EXITS,
    run: (context, input) => action(context, input, 'stop'),
  },
  {
    path: 'gateway restart',
    summary: 'Restart the gateway, or start it if it is down',
    arguments: [PROFILES],
    options: ACTION_OPTIONS,
    exits: ACTION_EXITS,
    run: (context, input) => action(context, input, 'restart'),
  },
  {
    path: 'gateway status',
    summary: "Show the gateway's state, pid, uptime, restarts, last death and log path",
    arguments: [{ name: 'PROFILE', help: 'name of the profile; default: the profile of -p', kind: 'optional' }],
    options: [{ long: '--all', help: 'show every profile' }],
    exits: {
      0: 'up',
      1: 'in any other state',
      [EXIT.noSuch]: 'no such profile or slot',
      [EXIT.noSupervisor]: 'the supervisor is not running',
    },
    run: (context, input) =>
      gatewayStatus(context, { all: input.options.all === true, profile: profilesOf(context, input)[0] }),
  },
  {
    path: 'gateway run',
    summary: 'Run the gateway in the foreground; as the main program of a container, run it supervised',
    options: [{ long: '--no-supervise', help: 'run it without supervision, also as the main program of a container' }],
    details: 'Fails if the gateway is already running. Root may run it only if HERMES_ALLOW_ROOT_GATEWAY is set.',
    exits: { [EXIT.noSuch]: 'no such profile', [EXIT.configuration]: 'the configuration is wrong' },
    run: async (context, input) => {
      const { gatewayProgram } = require('#bundle/gateway.cjs') as GatewayBundle
      return {
        exitCode: await gatewayProgram({
          ...gatewayFacts(context),
          noSupervise: input.options['no-supervise'] === true,
        }),
      }
    },
  },
]

/** @throws HermesError USAGE */
export function actionOptions(input: Input): ActionOptions {
  const wait = input.options['no-wait'] !== true
  const text = textOption(input, 'timeout')
  if (text === undefined) return { wait }
  const timeoutMs = parseDurationMs(text)
  if (timeoutMs === undefined)
    throw new HermesError('USAGE', `--timeout must be a time such as 30, 500ms or 2m, not ${JSON.stringify(text)}`)
  return { wait, timeoutMs }
}

/**
 * The profiles that a command names, by profile name or by slot name as printed by `status`.
 * @throws HermesError NO_SUCH_PROFILE, or USAGE when -p names another profile
 */
function profilesOf(context: Context, { args }: Input): readonly string[] {
  if (args.length === 0) return [context.profile().name]
  if (context.requestedProfile !== undefined)
    throw new HermesError('USAGE', `-p ${context.requestedProfile} and ${args.join(' ')} both name profiles`, {
      next: 'use only one of them',
    })
  const names = args.map((arg) => arg.trim().toLowerCase())
  return [...new Set(names.map((name) => requireProfile(context.home, profileNamed(context.home, name)).name))]
}

/** `gateway-coder` is the slot of `coder`, unless a profile has that very name. */
function profileNamed(home: string, name: string): string {
  const ofSlot = profileOfSlot(name)
  return ofSlot === undefined || listProfiles(home).profiles.some((one) => one.name === name) ? name : ofSlot
}

function action(context: Context, input: Input, verb: Verb): Promise<Outcome> {
  const options = actionOptions(input)
  return input.options.all === true
    ? actOnEveryGateway(context, verb, options)
    : actOnGateways(context, verb, profilesOf(context, input), options)
}
