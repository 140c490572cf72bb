/** `hermes dashboard …` and `hermes service …`: like `gateway`, for helper slots and for services of the image. */

import { act, wholeStatus, withSupervisor } from '../../control/slot-actions.ts'
import type { DashboardBundle } from '../../dashboard/program.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { hashPassword } from '../../system/password-hash.ts'
import { nearest } from '../../system/text/nearest.ts'
import { type ArgumentSpec, type Command, type Input, textOption } from '../context/command.ts'
import type { Context } from '../context/context.ts'
import { dashboardFacts } from '../context/dispatcher-facts.ts'
import type { Outcome } from '../terminal/output.ts'
import { openPrompter } from '../terminal/terminal.ts'
import { reloadText, slotsTable } from '../view/slots-view.ts'
import { slotStatus } from './frequent.ts'
import { actionOptions, WAIT_OPTIONS } from './gateway.ts'
import { resultLine } from './gateway-actions.ts'

/** Helpers and services have no config.yaml to say how long they may take. */
const WAIT_TIMEOUT_MS = 75_000
/** Added to what the supervisor is given, which may also wait for the reader of the definitions. */
const REPLY_SLACK_MS = 30_000
const EXITS = {
  [EXIT.noSuch]: 'no such slot',
  [EXIT.noSupervisor]: 'the supervisor is not running',
  [EXIT.timedOut]: 'the slot did not reach the state in time',
}
const PREFIX = 'service-'
const SERVICE_NAME: ArgumentSpec = {
  name: 'NAME',
  help: 'name of the service',
  kind: 'required',
  completes: 'services',
}

type Verb = 'start' | 'stop' | 'restart'
const VERBS: readonly Verb[] = ['start', 'stop', 'restart']

export const SLOT_COMMANDS: readonly Command[] = [
  ...commandsFor('dashboard', 'the dashboard', [], () => 'dashboard'),
  {
    path: 'dashboard run',
    summary: 'Serve the dashboard until TERM or INT (the dashboard slot runs this command)',
    options: [
      { long: '--host', value: 'ADDRESS', help: 'address to listen on; default: HERMES_DASHBOARD_HOST' },
      { long: '--port', value: 'PORT', help: 'port to listen on; default: HERMES_DASHBOARD_PORT, else 9119' },
      { long: '--insecure', help: 'require no log-in on any address, like HERMES_DASHBOARD_INSECURE' },
      { long: '--no-open', help: 'accepted for compatibility; has no effect' },
    ],
    exits: { [EXIT.configuration]: 'a setting is wrong, or the address is not allowed or not available' },
    run: async (context, input) => {
      const { dashboardProgram } = require('#bundle/dashboard.cjs') as DashboardBundle
      const [host, port] = [textOption(input, 'host'), textOption(input, 'port')]
      const options = {
        ...(host === undefined ? {} : { host }),
        ...(port === undefined ? {} : { port }),
        insecure: input.options.insecure === true,
      }
      return { exitCode: await dashboardProgram({ ...dashboardFacts(context), options }) }
    },
  },
  {
    path: 'dashboard hash-password',
    summary: 'Print a hash for HERMES_DASHBOARD_BASIC_AUTH_PASSWORD_HASH',
    details:
      'The password is typed at a prompt that does not show it, or read from standard input:\n' +
      'echo "$PASSWORD" | hermes dashboard hash-password\n' +
      'It is never an argument, so it does not appear in process lists.',
    run: hashOfPassword,
  },
  ...commandsFor(
    'service',
    'a service that the image defines',
    [SERVICE_NAME],
    // The name that `service list` and `status` print, with its prefix, is accepted too.
    ({ args: [name = ''] }) => (name.startsWith(PREFIX) ? name : `${PREFIX}${name}`),
  ),
  {
    path: 'service reload',
    summary: 'Start, stop and restart the services whose definitions have changed',
    details:
      'The definitions are read again from where the image has them. A service whose definition is the same is not\n' +
      'touched. If any definition has a problem, nothing is done.',
    options: [
      { long: '--dry-run', help: 'show what would be done, and do nothing' },
      ...WAIT_OPTIONS.filter(({ long }) => long === '--timeout'),
    ],
    exits: {
      1: 'a definition is wrong, or a reload is at work',
      [EXIT.noSupervisor]: 'the supervisor is not running',
      [EXIT.timedOut]: 'some still stop',
    },
    run: reload,
  },
  {
    path: 'service list',
    summary: 'List the services that the image defines',
    exits: { [EXIT.noSupervisor]: 'the supervisor is not running' },
    run: list,
  },
]

function capitalized(verb: Verb): string {
  return verb.charAt(0).toUpperCase() + verb.slice(1)
}

function commandsFor(
  group: string,
  what: string,
  specs: readonly ArgumentSpec[],
  slotOf: (input: Input) => string,
): readonly Command[] {
  const given = specs.length === 0 ? {} : { arguments: specs }
  return [
    ...VERBS.map((verb) => ({
      path: `${group} ${verb}`,
      summary: `${capitalized(verb)} ${what}`,
      ...given,
      options: WAIT_OPTIONS,
      exits: EXITS,
      run: (context: Context, input: Input) => action(context, input, verb, slotOf(input)),
    })),
    {
      path: `${group} status`,
      summary: `Show the state of ${what}`,
      ...given,
      exits: {
        0: 'up',
        1: 'anything else',
        [EXIT.noSuch]: 'no such slot',
        [EXIT.noSupervisor]: 'the supervisor is not running',
      },
      run: (context: Context, input: Input) =>
        slotStatus(context, slotOf(input), [`hermes ${group} start`, ...input.args].join(' ')),
    },
  ]
}

async function hashOfPassword(context: Context): Promise<Outcome> {
  const prompter = openPrompter(context.output.err)
  try {
    const password = await prompter.secret('Password (not shown): ')
    if (!password)
      throw new HermesError('USAGE', 'no password given', {
        next: 'echo "$PASSWORD" | hermes dashboard hash-password',
      })
    const hash = await hashPassword(password)
    return { text: `${hash}\n`, json: { hash } }
  } finally {
    prompter.close()
  }
}

async function action(context: Context, input: Input, verb: Verb, slot: string): Promise<Outcome> {
  const options = actionOptions(input)
  const startedAtMs = context.clock.nowMs()
  return withSupervisor(context, async (client) => {
    const result = await act(client, verb, slot, options, WAIT_TIMEOUT_MS).catch(async (error: unknown) => {
      if (!(error instanceof HermesError && error.code === 'NO_SUCH_SLOT')) throw error
      const { slots } = await client.request('status', {})
      throw noSuch(
        slot,
        slots.map((one) => one.slot),
      )
    })
    return { text: `${resultLine(verb, result, context.clock.nowMs() - startedAtMs)}\n`, json: result }
  })
}

function noSuch(slot: string, known: readonly string[]): HermesError {
  const near = nearest(slot, known)
  const guess = near?.startsWith(PREFIX) ? `did you mean "${near.slice(PREFIX.length)}"? ` : ''
  return new HermesError('NO_SUCH_SLOT', `no slot "${slot}"`, { next: `${guess}"hermes status" lists the slots` })
}

async function reload(context: Context, input: Input): Promise<Outcome> {
  const { timeoutMs = WAIT_TIMEOUT_MS } = actionOptions(input)
  const result = await withSupervisor(context, (client) =>
    client.request(
      'reload-services',
      { dryRun: input.options['dry-run'] === true, timeoutMs },
      { timeoutMs: timeoutMs + REPLY_SLACK_MS },
    ),
  )
  return { text: reloadText(result), json: result }
}

async function list(context: Context): Promise<Outcome> {
  const { slots } = await withSupervisor(context, async (client) => {
    // Services are not there before the boot is over.
    await client.request('ping', { booted: true })
    return wholeStatus(client)
  })
  const services = slots.filter(({ slot }) => slot.startsWith(PREFIX))
  return {
    text: services.length === 0 ? 'this image defines no services\n' : slotsTable(services, context.clock.wallMs()),
    json: services,
  }
}
