/** Commands about notifications. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { ifSupervised } from '../../../control/slot-actions.ts'
import type { Notification } from '../../../notify/notification.ts'
import { readLetters } from '../../../notify/outbox/report.ts'
import type { NotifierBundle } from '../../../notify/program/notifier-program.ts'
import { addressOf, variableOf } from '../../../notify/send/address.ts'
import { type LetterRow, whyText } from '../../../notify/why.ts'
import { configProblemText, loadConfig } from '../../../profile/config/config.ts'
import { NOTIFY_EVENTS, type NotifyTarget, shownTarget } from '../../../profile/config/kinds/notify-kinds.ts'
import { readContainerEnvironment, readDotEnv } from '../../../profile/environment/environment.ts'
import { NOTIFIER } from '../../../profile/names.ts'
import { HermesError } from '../../../system/errors.ts'
import type { Environment } from '../../../system/programs/install.ts'
import { plainText } from '../../../system/text/foreign-text.ts'
import type { Command, Input } from '../../context/command.ts'
import { type Context, warnOn } from '../../context/context.ts'
import { meterFacts } from '../../context/dispatcher-facts.ts'
import type { Outcome } from '../../terminal/output.ts'
import { durationText, table } from '../../view/slots-view.ts'

const NAME = { name: 'NAME', help: 'name of a target in notify', kind: 'required' } as const

export const NOTIFY_COMMANDS: readonly Command[] = [
  {
    path: 'notify list',
    summary: 'List the targets of notifications, and the messages that were given up',
    run: list,
  },
  {
    path: 'notify test',
    summary: 'Send a test message to a target now, and print its answer',
    arguments: [NAME],
    details:
      'The message goes out from this command, without the notifier and its queue. Exit code 1: it was not taken.',
    run: test,
  },
  {
    path: 'notify why',
    summary: 'Explain why messages of a target have not arrived',
    arguments: [NAME],
    run: why,
  },
  {
    path: 'notifier',
    summary: 'Run the notifier, which sends notifications (the notifier slot runs this command)',
    run: async (context) => ({ exitCode: await bundle().notifierProgram(meterFacts(context)) }),
  },
]

const bundle = (): NotifierBundle => require('#bundle/notifier.cjs') as NotifierBundle

function list(context: Context): Outcome {
  const targets = targetsOf(context)
  const letters = readLetters(context.home)
  const wallMs = context.clock.wallMs()
  const dead = letters.filter(({ state }) => state === 'dead')
  const rows = targets.map((target) => rowOf(target, letters, wallMs))
  const text = [
    targets.length === 0
      ? 'There are no targets; set notify in the config.yaml of the default profile (docs/notifications.md).\n'
      : table([['NAME', 'TO', 'EVENTS', 'WAITING', 'GIVEN UP', 'LAST DELIVERED'], ...rows]),
    ...(dead.length === 0 ? [] : ['\nGiven up:\n', table(dead.map(deadRow))]),
  ]
  return {
    text: plainText(text.join('')),
    json: { targets: targets.map((target) => targetJson(target, letters)), dead: dead.map(letterJson) },
  }
}

function rowOf(target: NotifyTarget, letters: readonly LetterRow[], wallMs: number): readonly string[] {
  const { waiting, dead, deliveredAtMs } = countsOf(target, letters)
  const all = Object.keys(NOTIFY_EVENTS).length === target.events.length
  const ago = deliveredAtMs === undefined ? '-' : `${durationText(Math.max(0, wallMs - deliveredAtMs))} ago`
  return [target.name, target.to, all ? 'all' : target.events.join(','), `${waiting}`, `${dead}`, ago]
}

function countsOf({ name }: NotifyTarget, letters: readonly LetterRow[]) {
  const own = letters.filter(({ target }) => target === name)
  const delivered = own.filter(({ state }) => state === 'delivered').map(({ endedMs }) => endedMs ?? 0)
  return {
    waiting: own.filter(({ state }) => state === 'waiting').length,
    dead: own.filter(({ state }) => state === 'dead').length,
    deliveredAtMs: delivered.length === 0 ? undefined : Math.max(...delivered),
  }
}

const deadRow = ({ target, event, madeMs, last, id }: LetterRow): readonly string[] => [
  target,
  event,
  new Date(madeMs).toISOString(),
  id,
  last ?? '',
]

function targetJson(target: NotifyTarget, letters: readonly LetterRow[]) {
  const { waiting, dead, deliveredAtMs } = countsOf(target, letters)
  return {
    ...shownTarget(target),
    waiting,
    dead,
    ...(deliveredAtMs !== undefined && { delivered_at: new Date(deliveredAtMs).toISOString() }),
  }
}

const letterJson = ({ target, id, event, madeMs, attempts, last }: LetterRow) => ({
  target,
  id,
  event,
  at: new Date(madeMs).toISOString(),
  attempts,
  reason: last,
})

async function test(context: Context, input: Input): Promise<Outcome> {
  const target = requireTarget(context, input)
  const id = randomUUID()
  const notification: Notification = {
    id,
    event: 'test',
    severity: 'info',
    at: new Date(context.clock.wallMs()).toISOString(),
    text: 'this is a test message of hermes notify test',
    count: 1,
  }
  const { home, clock } = context
  const signal = new AbortController().signal
  const attempt = await bundle().sendNow(target, notification, { home, clock, env: environmentOf(context), signal })
  if (attempt.is !== 'delivered')
    throw new HermesError('FAILED', `the test message to "${target.name}" was not taken: ${attempt.text}`, {
      next: `hermes notify why ${target.name}`,
    })
  return {
    text: `${target.name}: delivered as ${id}: ${attempt.text}\n`,
    json: { target: target.name, id, ...attempt },
  }
}

async function why(context: Context, input: Input): Promise<Outcome> {
  const target = requireTarget(context, input)
  const env = environmentOf(context)
  const facts = {
    target,
    problem: problemOf(target, context.home, env),
    notifier: await notifierState(context),
    letters: readLetters(context.home).filter((letter) => letter.target === target.name),
    wallMs: context.clock.wallMs(),
  }
  const lines = whyText(facts)
  return {
    text: plainText(`${target.name}:\n${lines.map((line) => `  ${line}\n`).join('')}`),
    json: { target: target.name, why: lines },
  }
}

function problemOf(target: NotifyTarget, home: string, env: Environment): string | undefined {
  if (target.to === 'exec') return undefined
  const secret = target.secretEnv === null ? undefined : variableOf(target.secretEnv, env).problem
  return addressOf(target, home, env).problem ?? secret
}

/** undefined: no supervisor answers. */
const notifierState = (context: Context): Promise<string | undefined> =>
  ifSupervised(context, async (client) => {
    const { slots } = await client.request('status', {})
    const slot = slots.find((one) => one.slot === NOTIFIER)
    return slot?.state ?? 'not started'
  })

/** The targets of the default profile; entries that are not valid are warnings. */
function targetsOf(context: Context): readonly NotifyTarget[] {
  const { config, problems } = loadConfig(join(context.home, 'config.yaml'))
  const isOurs = (key: string): boolean => key === 'notify' || key.startsWith('notify.') || key === ''
  for (const problem of problems) if (isOurs(problem.key)) warnOn(context)(configProblemText(problem))
  return config.notify
}

function requireTarget(context: Context, { args: [name = ''] }: Input): NotifyTarget {
  const targets = targetsOf(context)
  const found = targets.find((target) => target.name === name)
  if (found !== undefined) return found
  const names = targets.map((target) => target.name)
  throw new HermesError('FAILED', `there is no target ${JSON.stringify(name.slice(0, 80))} in notify`, {
    next:
      names.length === 0
        ? 'set notify in the config.yaml of the default profile; hermes config check reports problems'
        : `targets: ${names.join(', ')}`,
  })
}

/** As the notifier has it: the variables of the container win over those of `.env`. */
function environmentOf({ home, paths, env }: Context): Environment {
  return { ...readDotEnv(join(home, '.env')).variables, ...readContainerEnvironment(paths.environmentDir), ...env }
}
