/** Commands that create and show tasks. */

import { statSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import { commentJson, eventJson, runJson, taskJson } from '../../../kanban/json.ts'
import { checkLimits, type NewTask } from '../../../kanban/port/input.ts'
import { listAttachments } from '../../../kanban/store/attachments.ts'
import { STATUSES, type Status } from '../../../kanban/task.ts'
import { EXIT, HermesError } from '../../../system/errors.ts'
import { plainText } from '../../../system/text/foreign-text.ts'
import { type Command, type Input, type OptionSpec, textOption } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import type { Outcome } from '../../terminal/output.ts'
import { attachmentJson, attachmentsSection, runLine, tasksTable, taskText } from './render.ts'
import {
  actorOf,
  assigneeOption,
  BOARD,
  durationOption,
  ID,
  items,
  LIMIT,
  limitOf,
  onBoard,
  onBoardIfAny,
  readFileOption,
  statusesOption,
  timeOption,
  wholeOption,
} from './shared.ts'
import { templateCommand, withTemplate } from './template.ts'

/** Of a task that is created, or of those of a template. */
const CREATE_OPTIONS: readonly OptionSpec[] = [
  { long: '--body', value: 'TEXT', help: 'further instructions for the worker' },
  { long: '--body-file', value: 'FILE', help: 'read the instructions from FILE; - is standard input' },
  {
    long: '--assignee',
    short: '-a',
    value: 'PROFILE',
    help: 'assignee, or any for the least busy profile; default: kanban.default_assignee',
  },
  {
    long: '--needs',
    value: 'LABEL,…',
    help: 'labels that the node must have: gpu, region=eu; without --assignee, any profile may take the task',
  },
  { long: '--lane', help: 'allow an assignee that is not a profile, such as a person or another tool' },
  { long: '--priority', value: 'N', help: 'priority; higher runs first; default: 0' },
  { long: '--parent', value: 'ID,…', help: 'IDs of tasks that must be done first' },
  { long: '--triage', help: 'file an idea: it does not run until it is promoted or assigned' },
  { long: '--at', value: 'TIME', help: 'do not start before this time: 2026-12-24T18:00:00Z, +2h' },
  { long: '--workspace', value: 'DIR', help: 'directory to work in; default: a new directory in the profile' },
  { long: '--max-runtime', value: 'DURATION', help: 'stop a run after this time: 90s, 30m, 2h' },
  { long: '--max-retries', value: 'N', help: 'block the task after N failures; default: kanban.failure_limit' },
  {
    long: '--once',
    help: 'start the task at most once: if its run does not complete it, block it until a person decides',
  },
  { long: '--key', value: 'KEY', help: 'idempotency key: creating a second task with it returns the first' },
  { long: '--result-schema', value: 'FILE', help: 'JSON Schema that the result must fit; - is standard input' },
]

export const TASK_COMMANDS: readonly Command[] = [
  {
    path: 'kanban create',
    summary: 'Create a task, which is ready unless it has to wait',
    arguments: [{ name: 'TITLE', help: 'what to do, in one line', kind: 'many' }],
    options: [
      ...CREATE_OPTIONS,
      {
        long: '--template',
        value: 'NAME',
        help: 'take title, instructions and options of a template, unless they are given here',
      },
      { long: '--set', value: 'NAME=VALUE,…', help: 'values for the places of the template, such as {{host}}' },
      BOARD,
    ],
    exits: { [EXIT.noSuch]: 'the assignee is not a profile' },
    run: create,
  },
  templateCommand(CREATE_OPTIONS, async (context, input) => {
    const { title, body } = checkLimits(await newTaskOf(context, input))
    return { title, body }
  }),
  {
    path: 'kanban list',
    summary: 'List tasks, newest first; archived tasks only with --all or --status archived',
    options: [
      {
        long: '--status',
        value: 'STATUS,…',
        help: `list tasks with these statuses: ${STATUSES.join(', ')}`,
        completes: STATUSES,
      },
      { long: '--assignee', short: '-a', value: 'PROFILE', help: 'list tasks of this assignee' },
      { long: '--unassigned', help: 'list tasks without an assignee' },
      { long: '--all', help: 'include archived tasks' },
      LIMIT,
      BOARD,
    ],
    run: list,
  },
  {
    path: 'kanban show',
    summary: 'Show a task with its comments, runs and events',
    arguments: [ID],
    options: [BOARD],
    run: show,
  },
  {
    path: 'kanban runs',
    summary: 'List the runs of a task, newest first',
    arguments: [ID],
    options: [LIMIT, BOARD],
    run: runs,
  },
  {
    path: 'kanban stats',
    summary: 'Count tasks by status, and running tasks by profile',
    options: [BOARD],
    run: stats,
  },
]

async function newTaskOf(context: Context, input: Input): Promise<NewTask> {
  const assignee = textOption(input, 'assignee')
  const scheduledAtMs = timeOption(input, 'at', context.clock.wallMs())
  const maxRuntimeMs = durationOption(input, 'max-runtime')
  const maxRetries = wholeOption(input, 'max-retries', 1)
  const priority = wholeOption(input, 'priority', -1_000_000)
  const key = textOption(input, 'key')
  const workspace = textOption(input, 'workspace')
  const resultSchema = await schemaOf(input)
  return {
    title: input.args.join(' '),
    body: await bodyOf(input),
    ...(assignee === undefined
      ? {}
      : { assignee: await assigneeOption(context, assignee, input.options.lane === true) }),
    ...(priority === undefined ? {} : { priority }),
    parents: items(textOption(input, 'parent')),
    triage: input.options.triage === true,
    ...(scheduledAtMs === undefined ? {} : { scheduledAtMs }),
    ...(maxRuntimeMs === undefined ? {} : { maxRuntimeMs }),
    ...(maxRetries === undefined ? {} : { maxRetries }),
    ...(input.options.once === true && { once: true }),
    needs: items(textOption(input, 'needs')),
    ...(key === undefined ? {} : { idempotencyKey: key }),
    ...(resultSchema === undefined ? {} : { resultSchema }),
    ...(workspace === undefined ? {} : { workspacePath: directory(workspace) }),
  }
}

async function create(context: Context, given: Input): Promise<Outcome> {
  const input = withTemplate(context, given)
  const task = await newTaskOf(context, input)
  const made = await onBoard(context, input, 'create', (board) => board.create(task, actorOf(context)))
  const { id, status, assignee: who } = made.task
  return {
    text: `${id} ${made.created ? 'created' : 'already exists'}: ${status}${who === null ? ', unassigned' : `, for ${who}`}\n`,
    json: { ...taskJson(made.task), created: made.created },
  }
}

function directory(path: string): string {
  const whole = isAbsolute(path) ? path : resolve(path)
  if (statSync(whole, { throwIfNoEntry: false })?.isDirectory()) return whole
  throw new HermesError('USAGE', `--workspace: ${whole} is not a directory`, {
    next: 'create it first, or omit --workspace',
  })
}

async function bodyOf(input: Input): Promise<string> {
  const text = textOption(input, 'body')
  const file = textOption(input, 'body-file')
  if (file === undefined) return text ?? ''
  if (text !== undefined)
    throw new HermesError('USAGE', '--body and --body-file cannot be used together', { next: 'use one of them' })
  if (file === '-' && textOption(input, 'result-schema') === '-')
    throw new HermesError('USAGE', '--body-file and --result-schema cannot both be standard input')
  return (await readFileOption(input, 'body-file'))?.text ?? ''
}

async function schemaOf(input: Input): Promise<string | undefined> {
  const read = await readFileOption(input, 'result-schema')
  if (read === undefined) return undefined
  const { parseSchema } = await import('../../../kanban/handover/result-schema.ts')
  return parseSchema(read.text, read.name)
}

const statusesOf = (input: Input): readonly Status[] =>
  statusesOption(input) ?? STATUSES.filter((status) => input.options.all === true || status !== 'archived')

async function list(context: Context, input: Input): Promise<Outcome> {
  const statuses = statusesOf(input)
  const limit = limitOf(input)
  const wished = textOption(input, 'assignee')
  const assignee = input.options.unassigned === true ? null : wished?.trim().toLowerCase()
  const filter = { statuses, ...(assignee === undefined ? {} : { assignee }) }
  const tasks = await onBoardIfAny(context, input, 'read', (board) => board.list({ ...filter, limit: limit + 1 }))
  const shown = tasks.slice(0, limit)
  const more = tasks.length > limit ? `(the newest ${limit}; --limit N shows more)\n` : ''
  return { text: tasksTable(shown) + more, json: shown.map(taskJson) }
}

async function show(context: Context, input: Input): Promise<Outcome> {
  const [id = ''] = input.args
  const { files, ...details } = await onBoard(context, input, 'read', async (board) => ({
    ...(await board.details(id, { runs: 10, events: 20 })),
    files: await listAttachments(board, id),
  }))
  return {
    text: taskText(details) + attachmentsSection(files),
    json: {
      ...taskJson(details.task),
      parents: details.parents.map((task) => task.id),
      children: details.children.map((task) => task.id),
      comments: details.comments.map(commentJson),
      runs: details.runs.map(runJson),
      events: details.events.map(eventJson),
      ...(files.length > 0 && { attachments: files.map(attachmentJson) }),
    },
  }
}

async function runs(context: Context, input: Input): Promise<Outcome> {
  const [id = ''] = input.args
  const found = await onBoard(context, input, 'read', (board) => board.runs(id, limitOf(input)))
  return { text: found.length === 0 ? 'no runs yet\n' : found.map(runLine).join(''), json: found.map(runJson) }
}

async function stats(context: Context, input: Input): Promise<Outcome> {
  const { board, counts, running } = await onBoardIfAny(context, input, 'read', async (board) => ({
    board: board.place.slug,
    counts: await board.statusCounts(),
    running: await board.runningByAssignee(),
  }))
  const byStatus = Object.fromEntries(STATUSES.map((status) => [status, counts[status] ?? 0]))
  const total = Object.values(byStatus).reduce((sum, n) => sum + n, 0)
  const lines = [
    ...STATUSES.map((status) => `${status.padEnd(10)} ${byStatus[status]}\n`),
    `${'total'.padEnd(10)} ${total}\n`,
    ...Object.entries(running).map(([who, n]) => `running on ${who === '' ? 'unassigned' : who}: ${n}\n`),
  ]
  return { text: plainText(lines.join('')), json: { board, statuses: byStatus, total, running } }
}
