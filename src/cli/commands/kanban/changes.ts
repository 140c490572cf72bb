/** Commands that move tasks. */

import { boardRules } from '../../../kanban/dispatch/settings.ts'
import { taskJson } from '../../../kanban/json.ts'
import type { Operation } from '../../../kanban/operations.ts'
import type { Board, ChangeOptions } from '../../../kanban/port/board.ts'
import { checkText } from '../../../kanban/port/input.ts'
import type { Task } from '../../../kanban/task.ts'
import { EXIT, HermesError } from '../../../system/errors.ts'
import { type ArgumentSpec, type Command, type Input, type OptionSpec, textOption } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import type { Outcome } from '../../terminal/output.ts'
import { actorOf, assigneeOption, BOARD, ID, onBoard, readFileOption, timeOption } from './shared.ts'

const PROFILE: ArgumentSpec = { name: 'PROFILE', help: 'new assignee, or any', kind: 'optional' }
const LANE: OptionSpec = {
  long: '--lane',
  help: 'allow an assignee that is not a profile, such as a person or another tool',
}
const NONE: OptionSpec = { long: '--none', help: 'remove the assignee' }
const REASON: OptionSpec = { long: '--reason', value: 'TEXT', help: 'reason, stored with the task' }

interface Verb {
  readonly summary: string
  readonly arguments?: readonly ArgumentSpec[]
  readonly options?: readonly OptionSpec[]
  readonly exits?: Command['exits']
  readonly read?: (context: Context, input: Input) => ChangeOptions | Promise<ChangeOptions>
}

const reasonOf = (_: Context, input: Input): ChangeOptions => {
  const reason = textOption(input, 'reason')
  return reason === undefined ? {} : { reason: checkText('reason', reason) }
}

const VERBS: { readonly [O in Operation]: Verb } = {
  assign: {
    summary: 'Assign a task that is not running, taking it out of triage',
    arguments: [PROFILE],
    options: [NONE, LANE],
    exits: { [EXIT.noSuch]: 'the assignee is not a profile' },
    read: newAssignee,
  },
  reassign: {
    summary: 'Assign a task even if it is running, stopping its worker',
    arguments: [PROFILE],
    options: [NONE, LANE],
    exits: { [EXIT.noSuch]: 'the assignee is not a profile' },
    read: newAssignee,
  },
  promote: {
    summary: 'Move a triage, scheduled or review task to ready, or to todo while its parents are not done',
  },
  schedule: {
    summary: 'Hold a task back until a given time',
    options: [{ long: '--at', value: 'TIME', help: 'required: 2026-12-24T18:00:00Z, "2026-12-24 18:00" (UTC) or +2h' }],
    read: (context, input) => {
      const scheduledAtMs = timeOption(input, 'at', context.clock.wallMs())
      if (scheduledAtMs !== undefined) return { scheduledAtMs }
      throw new HermesError('USAGE', 'schedule needs --at TIME', { next: 'hermes kanban schedule ID --at +2h' })
    },
  },
  complete: {
    summary: 'Mark a task as done (workers do this for their own task)',
    options: [
      { long: '--result', value: 'TEXT', help: 'result of the work' },
      { long: '--result-file', value: 'FILE', help: 'read the result from FILE; - is standard input' },
      {
        long: '--result-json',
        value: 'FILE',
        help: 'result as JSON, which must fit the schema of the task if it has one',
      },
    ],
    read: resultOf,
  },
  'request-changes': {
    summary: 'Send a task in review back to work, with what has to change',
    arguments: [{ name: 'TEXT', help: 'what has to change; part of the prompt of the next run', kind: 'many' }],
    read: (_, input) => ({ reason: changesOf(input) }),
  },
  block: {
    summary: 'Block a task until it is unblocked, stopping its worker if it has one',
    options: [REASON],
    read: reasonOf,
  },
  unblock: { summary: 'Unblock a task and reset its failure count' },
  archive: { summary: 'Archive a task, so that it is hidden and its children no longer wait for it' },
  reclaim: {
    summary: 'Stop the worker of a running task and make the task available again, without counting a failure',
    options: [REASON],
    read: reasonOf,
  },
  heartbeat: {
    summary: 'Record that the worker of a task is alive; needed every hour once a run is four hours old',
    options: [{ long: '--note', value: 'TEXT', help: 'note, stored as an event' }],
    read: (_, input) => {
      const note = textOption(input, 'note')
      return note === undefined ? {} : { reason: checkText('note', note) }
    },
  },
}

function changesOf(input: Input): string {
  const text = checkText('text', input.args.slice(1).join(' ').trim())
  if (text !== '') return text
  throw new HermesError('USAGE', 'a request for changes must not be empty', {
    next: 'hermes kanban request-changes ID "what has to change"',
  })
}

const IDS = [
  { name: 'PARENT', help: 'ID of the task to finish first', kind: 'required', completes: 'tasks' },
  { name: 'CHILD', help: 'ID of the task that waits for it', kind: 'required', completes: 'tasks' },
] as const

export const CHANGE_COMMANDS: readonly Command[] = [
  ...(Object.keys(VERBS) as Operation[]).map((operation): Command => {
    const verb = VERBS[operation]
    return {
      path: `kanban ${operation}`,
      summary: verb.summary,
      arguments: [ID, ...(verb.arguments ?? [])],
      options: [...(verb.options ?? []), BOARD],
      ...(verb.exits === undefined ? {} : { exits: verb.exits }),
      run: (context, input) => perform(context, input, operation, verb),
    }
  }),
  {
    path: 'kanban link',
    summary: 'Make a task wait for another task',
    arguments: IDS,
    options: [BOARD],
    run: (c, i) => relink(c, i, true),
  },
  {
    path: 'kanban unlink',
    summary: 'Remove the link between two tasks',
    arguments: IDS,
    options: [BOARD],
    run: (c, i) => relink(c, i, false),
  },
  {
    path: 'kanban comment',
    summary: 'Add a comment to a task',
    arguments: [ID, { name: 'TEXT', help: 'text of the comment', kind: 'many' }],
    options: [BOARD],
    run: addComment,
  },
]

async function perform(context: Context, input: Input, operation: Operation, verb: Verb): Promise<Outcome> {
  const [id = ''] = input.args
  const options = (await verb.read?.(context, input)) ?? {}
  const { task, before } = await onBoard(context, input, 'write', async (board) => {
    const task = await board.require(id)
    const review = operation === 'complete' ? await reviewOf(context, board) : {}
    const fitting = await fitted(task, { ...options, ...review }, textOption(input, 'result-json'))
    return { before: task.status, task: await board.change(operation, id, fitting, actorOf(context, id)) }
  })
  const who = options.assignee === undefined ? '' : `, for ${task.assignee ?? 'no one'}`
  const moved = before === task.status ? task.status : `${before} -> ${task.status}`
  return { text: `${task.id} ${moved}${who}\n`, json: taskJson(task) }
}

const reviewOf = async (context: Context, board: Board): Promise<ChangeOptions> => ({
  requireReview: (await boardRules(board, context.home)).written.requireReview,
})

async function resultOf(_: Context, input: Input): Promise<ChangeOptions> {
  const file = textOption(input, 'result-file')
  if (textOption(input, 'result') !== undefined && file !== undefined)
    throw new HermesError('USAGE', '--result and --result-file cannot be used together', { next: 'use one of them' })
  if (file === '-' && textOption(input, 'result-json') === '-')
    throw new HermesError('USAGE', '--result-file and --result-json cannot both be standard input')
  const text = textOption(input, 'result') ?? (await readFileOption(input, 'result-file'))?.text
  const json = await readFileOption(input, 'result-json')
  return {
    ...(text === undefined ? {} : { result: checkText('result', text) }),
    ...(json === undefined ? {} : { resultJson: json.text }),
  }
}

/** Checks a result that is JSON. It is the text of the result, too, if there is none. */
async function fitted(task: Task, options: ChangeOptions, file: string | undefined): Promise<ChangeOptions> {
  if (options.resultJson === undefined || file === undefined) return options
  const { parseResult } = await import('../../../kanban/handover/result-schema.ts')
  const resultJson = parseResult(options.resultJson, file === '-' ? 'standard input' : file, task)
  return { ...options, resultJson, result: options.result ?? resultJson }
}

async function newAssignee(context: Context, input: Input): Promise<ChangeOptions> {
  const [, name] = input.args
  if ((name === undefined) === (input.options.none !== true)) {
    throw new HermesError('USAGE', 'name one assignee, or --none', { next: 'hermes kanban assign ID PROFILE' })
  }
  return { assignee: name === undefined ? null : await assigneeOption(context, name, input.options.lane === true) }
}

async function relink(context: Context, input: Input, on: boolean): Promise<Outcome> {
  const [parent = '', child = ''] = input.args
  const changed = await onBoard(context, input, 'write', (board) =>
    on ? board.link(parent, child, actorOf(context)) : board.unlink(parent, child, actorOf(context)),
  )
  const text = on
    ? changed
      ? 'now waits for'
      : 'waits already for'
    : changed
      ? 'waits no longer for'
      : 'did not wait for'
  return { text: `${child} ${text} ${parent}\n`, json: { parent, child, linked: on, changed } }
}

async function addComment(context: Context, input: Input): Promise<Outcome> {
  const [id = '', ...rest] = input.args
  const text = checkText('comment', rest.join(' ').trim())
  if (text === '')
    throw new HermesError('USAGE', 'a comment must not be empty', {
      next: 'hermes kanban comment ID "TEXT"',
    })
  await onBoard(context, input, 'write', (board) => board.comment(id, text, actorOf(context, id)))
  return { text: `${id} commented\n`, json: { task_id: id, commented: true } }
}
