/** One change to every task that a filter finds. */
import { taskJson } from '../../../kanban/json.ts'
import type { Operation } from '../../../kanban/operations.ts'
import { possibleFrom } from '../../../kanban/operations.ts'
import type { Actor, Board, ListFilter } from '../../../kanban/port/board.ts'
import { removeTaskFiles } from '../../../kanban/store/gc.ts'
import { STATUSES, type Status, type Task } from '../../../kanban/task.ts'
import { EXIT, HermesError } from '../../../system/errors.ts'
import { type Command, type Input, textOption } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import { confirm } from '../../terminal/confirm.ts'
import type { Outcome } from '../../terminal/output.ts'
import { tasksTable } from './render.ts'
import { actorOf, assigneeOption, BOARD, durationOption, onBoard, statusesOption } from './shared.ts'
import { YES } from './upkeep.ts'

type Action = 'archive' | 'assign' | 'unblock' | 'delete'

const DONE: Readonly<Record<Action, string>> = {
  archive: 'archived',
  assign: 'assigned',
  unblock: 'unblocked',
  delete: 'deleted',
}
const ACTIONS = Object.keys(DONE) as readonly Action[]

/** A run of the command changes no more; the next one finds the rest. */
const MOST = 10_000
/** Tasks that are listed before the question. */
const SHOWN = 20

export const BULK_COMMAND: Command = {
  path: 'kanban bulk',
  summary: 'Archive, assign, unblock or delete every task that a filter finds',
  arguments: [
    { name: 'ACTION', help: `action: ${ACTIONS.join(', ')}`, kind: 'required', choices: ACTIONS },
    { name: 'PROFILE', help: 'for assign: new assignee, or any', kind: 'optional' },
  ],
  options: [
    { long: '--status', value: 'STATUS,…', help: 'tasks with these statuses; default: all that the action can change' },
    { long: '--assignee', short: '-a', value: 'PROFILE', help: 'tasks of this assignee' },
    { long: '--unassigned', help: 'tasks without an assignee' },
    { long: '--search', value: 'TEXT', help: 'tasks with TEXT in their title' },
    { long: '--older', value: 'DURATION', help: 'tasks to which nothing has happened for so long: 30d, 12h' },
    { long: '--lane', help: 'for assign: allow an assignee that is not a profile' },
    { long: '--dry-run', help: 'only say which tasks it would change' },
    YES,
    BOARD,
  ],
  details:
    'Needs a filter. On a terminal the command lists the tasks and asks; elsewhere it needs --yes or --dry-run.\n' +
    'A task that has changed since it was listed, or that cannot be changed, is left as it is and named, and the\n' +
    'exit code is 1. Running tasks are left alone.',
  exits: { [EXIT.noSuch]: 'the assignee is not a profile' },
  run: bulk,
}

async function bulk(context: Context, input: Input): Promise<Outcome> {
  const [action = 'archive', name] = input.args as readonly [Action?, string?]
  if ((action === 'assign') === (name === undefined))
    throw new HermesError(
      'USAGE',
      action === 'assign' ? 'bulk assign needs the new assignee' : `bulk ${action} takes no PROFILE`,
      { next: `hermes kanban bulk ${action}${action === 'assign' ? ' PROFILE' : ''} --status STATUS` },
    )
  const assignee = name === undefined ? undefined : await assigneeOption(context, name, input.options.lane === true)
  const filter = filterOf(input, action)
  const found = await onBoard(context, input, 'read', async (board) => {
    const olderMs = durationOption(input, 'older')
    const quiet = olderMs === undefined ? {} : { quietSinceMs: (await board.wallMs(context.clock)) - olderMs }
    return board.list({ ...filter, ...quiet, limit: MOST + 1 })
  })
  const tasks = found.slice(0, MOST).filter((task) => assignee === undefined || task.assignee !== assignee)
  const isMore = found.length > MOST
  const done = `${DONE[action]}${assignee === undefined ? '' : ` to ${assignee}`}`
  if (tasks.length === 0) return { text: 'no tasks match\n', json: outcomeJson(action, [], [], []) }
  const list = listText(tasks)
  if (input.options['dry-run'] === true)
    return {
      text: `${counted(tasks.length)} would be ${done}\n${list}`,
      json: { ...outcomeJson(action, tasks, [], []), dry_run: true },
    }
  if (input.options.yes !== true) {
    const next = 'add --yes to do it, or --dry-run to see which tasks'
    context.output.err(process.stdin.isTTY === true ? list : '')
    await confirm(context.output.err, `this changes ${counted(tasks.length)}, to be ${done}`, next)
  }
  const { changed, skipped } = await onBoard(context, input, 'write', (board) =>
    changeAll(context, board, action, assignee, tasks),
  )
  const left = skipped.map(({ reason }) => `  ${reason}\n`).join('')
  return {
    text: [
      `${counted(changed.length)} ${done}\n`,
      skipped.length === 0
        ? ''
        : `${counted(skipped.length)} left as ${skipped.length === 1 ? 'it is' : 'they are'}:\n`,
      left,
      isMore ? `there are more than ${MOST}; run the command again for the others\n` : '',
    ].join(''),
    json: outcomeJson(action, tasks, changed, skipped),
    ...(skipped.length > 0 && { exitCode: EXIT.failed }),
  }
}

interface Skipped {
  readonly id: string
  readonly reason: string
}

const counted = (count: number): string => (count === 1 ? '1 task' : `${count} tasks`)

const listText = (tasks: readonly Task[]): string =>
  tasksTable(tasks.slice(0, SHOWN)) + (tasks.length > SHOWN ? `… and ${tasks.length - SHOWN} more\n` : '')

const outcomeJson = (
  action: Action,
  matched: readonly Task[],
  changed: readonly string[],
  skipped: readonly Skipped[],
): Readonly<Record<string, unknown>> => ({
  action,
  dry_run: false,
  matched: matched.map(taskJson),
  changed,
  skipped: skipped.map(({ id, reason }) => ({ task_id: id, reason })),
})

function filterOf(input: Input, action: Action): Omit<ListFilter, 'limit'> {
  const search = textOption(input, 'search')?.trim()
  const wished = textOption(input, 'assignee')?.trim().toLowerCase()
  const unassigned = input.options.unassigned === true
  if (unassigned && wished !== undefined)
    throw new HermesError('USAGE', '--assignee and --unassigned cannot be used together', { next: 'use one of them' })
  const statuses = statusesOption(input)
  const isFiltered = [statuses, wished, search, textOption(input, 'older')].some(
    (one) => one !== undefined && one !== '',
  )
  if (!isFiltered && !unassigned)
    throw new HermesError('USAGE', `bulk ${action} needs a filter`, {
      next: `hermes kanban bulk ${action} --status STATUS, --assignee PROFILE, --unassigned, --search TEXT or --older 30d`,
    })
  return {
    statuses: statuses ?? changeable(action),
    ...(unassigned ? { assignee: null } : wished === undefined ? {} : { assignee: wished }),
    ...(search === undefined || search === '' ? {} : { search }),
  }
}

const changeable = (action: Action): readonly Status[] =>
  action === 'delete' ? STATUSES.filter((status) => status !== 'running') : possibleFrom(action satisfies Operation)

/** A refusal concerns one task; anything else, such as a database that is away, ends it. */
async function changeAll(
  context: Context,
  board: Board,
  action: Action,
  assignee: string | undefined,
  tasks: readonly Task[],
): Promise<{ readonly changed: readonly string[]; readonly skipped: readonly Skipped[] }> {
  const changed: string[] = []
  const skipped: Skipped[] = []
  for (const task of tasks) {
    try {
      await changeOne(context, board, action, assignee, task)
      changed.push(task.id)
    } catch (error) {
      const isGone = error instanceof HermesError && (await board.find(task.id)) === undefined
      if (!isGone && !(error instanceof HermesError && error.code === 'REFUSED')) throw error
      skipped.push({ id: task.id, reason: (error as Error).message })
    }
  }
  return { changed, skipped }
}

async function changeOne(
  context: Context,
  board: Board,
  action: Action,
  assignee: string | undefined,
  task: Task,
): Promise<void> {
  const { status, assignee: was } = task
  const actor: Actor = actorOf(context, task.id)
  if (action === 'delete') {
    await board.remove(task.id, { status, assignee: was }, actor)
    removeTaskFiles(context.home, board.place, task.id)
  } else
    await board.change(
      action,
      task.id,
      { ...(assignee === undefined ? {} : { assignee }), expected: { status, assignee: was } },
      actor,
    )
}
