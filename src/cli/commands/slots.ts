/** `hermes dashboard …` and `hermes service …`: as `gateway`, for the slots of helpers and of services the image defines. */

import { act, withSupervisor } from '../../control/slot-actions.ts'
import type { DashboardBundle } from '../../dashboard/program.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { hashPassword } from '../../system/password-hash.ts'
import { nearest } from '../../system/text/nearest.ts'
import { type ArgumentSpec, type Command, type Input, textOption } from '../context/command.ts'
import type { Context } from '../context/context.ts'
import { dashboardFacts } from '../context/dispatcher-facts.ts'
import type { Outcome } from '../terminal/output.ts'
import { openAsker } from '../terminal/terminal.ts'
import { slotsTable } from '../view/slots-view.ts'
import { actionOptions, resultLine, WAIT_OPTIONS } from './gateway.ts'
import { slotStatus } from './hot.ts'

/** Helpers and services have no config.yaml to say how long they may take. */
const PATIENCE_MS = 75_000
const EXITS = {
  [EXIT.noSuch]: 'no such slot',
  [EXIT.noSupervisor]: 'the supervisor is not running',
  [EXIT.timedOut]: 'not there in time',
}
const PREFIX = 'service-'
const SERVICE_NAME: ArgumentSpec = { name: 'NAME', help: 'name of the service', kind: 'required' }

type Verb = 'start' | 'stop' | 'restart'
const VERBS: readonly Verb[] = ['start', 'stop', 'restart']

export const SLOT_COMMANDS: readonly Command[] = [
  ...commandsFor('dashboard', 'the dashboard', [], () => 'dashboard'),
  {
    path: 'dashboard run',
    summary: 'serve the dashboard until TERM or INT; what its slot runs',
    options: [
      { long: '--host', value: 'ADDRESS', help: 'listen there; else HERMES_DASHBOARD_HOST' },
      { long: '--port', value: 'PORT', help: 'else HERMES_DASHBOARD_PORT, else 9119' },
      { long: '--insecure', help: 'no log-in, on whatever address: as HERMES_DASHBOARD_INSECURE' },
      { long: '--no-open', help: 'Accepted for compatibility; no effect' },
    ],
    exits: { [EXIT.configuration]: 'it may not, or cannot, listen there, or a setting is wrong' },
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
    summary: 'print a hash for HERMES_DASHBOARD_BASIC_AUTH_PASSWORD_HASH',
    details:
      'The password is asked for without showing it, or read from standard input: echo "$PASSWORD" | hermes dashboard hash-password. It is never an argument, so it is in no process list.',
    run: hashOfPassword,
  },
  ...commandsFor(
    'service',
    'a service that the image defines',
    [SERVICE_NAME],
    // Also as `service list` and `status` print it.
    ({ words: [name = ''] }) => (name.startsWith(PREFIX) ? name : `${PREFIX}${name}`),
  ),
  {
    path: 'service list',
    summary: 'the services that the image defines',
    exits: { [EXIT.noSupervisor]: 'the supervisor is not running' },
    run: list,
  },
]

function commandsFor(
  group: string,
  what: string,
  words: readonly ArgumentSpec[],
  slotOf: (input: Input) => string,
): readonly Command[] {
  const given = words.length === 0 ? {} : { arguments: words }
  return [
    ...VERBS.map((verb) => ({
      path: `${group} ${verb}`,
      summary: `${verb} ${what}`,
      ...given,
      options: WAIT_OPTIONS,
      exits: EXITS,
      run: (context: Context, input: Input) => action(context, input, verb, slotOf(input)),
    })),
    {
      path: `${group} status`,
      summary: `state of ${what}`,
      ...given,
      exits: {
        0: 'up',
        1: 'anything else',
        [EXIT.noSuch]: 'no such slot',
        [EXIT.noSupervisor]: 'the supervisor is not running',
      },
      run: (context: Context, input: Input) =>
        slotStatus(context, slotOf(input), [`hermes ${group} start`, ...input.words].join(' ')),
    },
  ]
}

async function hashOfPassword(context: Context): Promise<Outcome> {
  const asker = openAsker(context.output.err)
  try {
    const password = await asker.secret('Password (not shown): ')
    if (!password)
      throw new HermesError('USAGE', 'no password was given', {
        next: 'echo "$PASSWORD" | hermes dashboard hash-password',
      })
    const hash = await hashPassword(password)
    return { text: `${hash}\n`, json: { hash } }
  } finally {
    asker.close()
  }
}

async function action(context: Context, input: Input, verb: Verb, slot: string): Promise<Outcome> {
  const options = actionOptions(input)
  const startedAtMs = context.clock.nowMs()
  return withSupervisor(context, async (client) => {
    const result = await act(client, verb, slot, options, PATIENCE_MS).catch(async (error: unknown) => {
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
  return new HermesError('NO_SUCH_SLOT', `no slot "${slot}"`, { next: `${guess}hermes status lists the slots` })
}

async function list(context: Context): Promise<Outcome> {
  const { slots } = await withSupervisor(context, async (client) => {
    const status = await client.request('status', {})
    if (status.phase !== 'booting') return status
    // They are not there before the boot is over, and that is what reconciling waits for.
    await client.request('reconcile', {})
    return client.request('status', {})
  })
  const services = slots.filter(({ slot }) => slot.startsWith(PREFIX))
  return {
    text: services.length === 0 ? 'this image defines no services\n' : slotsTable(services, context.clock.wallMs()),
    json: services,
  }
}
