/** `hermes kanban routine`: tasks that are made again and again. */

import type { Board } from '../../../kanban/port/board.ts'
import { checkLimits } from '../../../kanban/port/input.ts'
import { makeTask } from '../../../kanban/routines/make.ts'
import { CATCH_UPS, type CatchUp, type Routine, routineName } from '../../../kanban/routines/routine.ts'
import { type RoutineView, viewRoutine, wrongTimes } from '../../../kanban/routines/view.ts'
import { EXIT, HermesError } from '../../../system/errors.ts'
import { instantText } from '../../../system/instant.ts'
import { plainText } from '../../../system/text/foreign-text.ts'
import { type Command, type Input, textOption } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import type { Outcome } from '../../terminal/output.ts'
import { table } from '../../view/slots-view.ts'
import { actorOf, assigneeOption, BOARD, onBoard, wholeOption } from './shared.ts'

const ACTIONS = ['create', 'list', 'show', 'pause', 'resume', 'run', 'delete'] as const

export const ROUTINE_COMMAND: Command = {
  path: 'kanban routine',
  summary: 'Make a task again and again, at times that cron fields name',
  arguments: [
    { name: 'ACTION', help: `action: ${ACTIONS.join(', ')}`, kind: 'required', choices: ACTIONS },
    { name: 'NAME', help: 'name of the routine, for every action but list', kind: 'optional', completes: 'routines' },
  ],
  options: [
    { long: '--cron', value: 'FIELDS', help: 'create: five or six cron fields, such as "0 9 * * 1-5"' },
    { long: '--tz', value: 'ZONE', help: 'create: time zone of the fields, such as Europe/Berlin; default: UTC' },
    {
      long: '--catch-up',
      value: 'WHAT',
      completes: CATCH_UPS,
      help: 'create: tasks for times that were missed: none, one (the last) or all; default: one',
    },
    { long: '--title', value: 'TEXT', help: 'create: title of the tasks' },
    { long: '--body', value: 'TEXT', help: 'create: further instructions for the worker' },
    { long: '--assignee', short: '-a', value: 'PROFILE', help: 'create: assignee, as of kanban create' },
    { long: '--priority', value: 'N', help: 'create: priority; default: 0' },
    BOARD,
  ],
  exits: { [EXIT.noSuch]: 'the assignee is not a profile' },
  run: routine,
}

async function routine(context: Context, input: Input): Promise<Outcome> {
  const [action = '', name] = input.args
  if (action === 'list') return onBoard(context, input, 'read', (board) => list(board, context.clock.wallMs()))
  if (name === undefined)
    throw new HermesError('USAGE', `hermes kanban routine ${action} requires a NAME`, {
      next: action === 'create' ? 'hermes kanban routine create --help' : 'hermes kanban routine list',
    })
  if (action === 'create') return create(context, input, routineName(name))
  const mode = action === 'show' ? 'read' : 'write'
  return onBoard(context, input, mode, async (board) => {
    const found = (await board.routines()).find((one) => one.name === name)
    if (found === undefined)
      throw new HermesError('FAILED', `the board "${board.place.slug}" has no routine ${JSON.stringify(name)}`, {
        next: 'hermes kanban routine list',
      })
    return act(context, board, action, found)
  })
}

async function act(context: Context, board: Board, action: string, found: Routine): Promise<Outcome> {
  const { name } = found
  const wallMs = context.clock.wallMs()
  switch (action) {
    case 'run': {
      const { task } = await makeTask(board, found, wallMs)
      return { text: `routine ${name}: ${task.id} created\n`, json: { routine: name, task_id: task.id } }
    }
    case 'delete':
      await board.removeRoutine(name)
      return { text: `routine ${name} is deleted; its tasks stay\n`, json: { routine: name, deleted: true } }
    case 'pause':
    case 'resume':
      await board.changeRoutine(name, { isPaused: action === 'pause' }, wallMs)
      return show({ ...found, isPaused: action === 'pause' }, wallMs)
    default:
      return show(found, wallMs)
  }
}

async function create(context: Context, input: Input, name: string): Promise<Outcome> {
  const [cron, title] = [required(input, 'cron'), required(input, 'title')]
  const tz = textOption(input, 'tz') ?? 'UTC'
  const assignee = textOption(input, 'assignee')
  const { body, priority, ...checked } = checkLimits({
    title,
    body: textOption(input, 'body') ?? '',
    assignee: assignee === undefined ? null : await assigneeOption(context, assignee, false),
    priority: wholeOption(input, 'priority', -1_000_000) ?? 0,
  })
  const task = { title: checked.title, body, assignee: checked.assignee, priority }
  const made = { name, cron, tz, catchUp: catchUpOption(input), task }
  await checkTimes(cron, tz)
  return onBoard(context, input, 'create', async (board) => {
    const actor = actorOf(context)
    await board.addRoutine(made, actor)
    const [found] = (await board.routines()).filter((one) => one.name === name)
    return show(found ?? { ...made, isPaused: false, createdAtMs: 0, settledUntilMs: 0 }, actor.wallMs)
  })
}

function required(input: Input, name: string): string {
  const text = textOption(input, name)
  if (text !== undefined && text.trim() !== '') return text
  throw new HermesError('USAGE', `hermes kanban routine create requires --${name}`, {
    next: 'hermes kanban routine create --help',
  })
}

function catchUpOption(input: Input): CatchUp {
  const text = textOption(input, 'catch-up') ?? 'one'
  const found = CATCH_UPS.find((one) => one === text)
  if (found !== undefined) return found
  throw new HermesError('USAGE', `--catch-up must be none, one or all, not ${JSON.stringify(text.slice(0, 80))}`)
}

async function checkTimes(cron: string, tz: string): Promise<void> {
  const wrong = await wrongTimes(cron, tz)
  if (wrong === 'cron')
    throw new HermesError('USAGE', `--cron must be cron fields with a time that comes, not ${shown(cron)}`, {
      next: 'minute hour day month weekday, such as "0 9 * * 1-5"',
    })
  if (wrong === 'tz') throw new HermesError('USAGE', `--tz must be a time zone such as Europe/Berlin, not ${shown(tz)}`)
}

const shown = (text: string): string => JSON.stringify(text.slice(0, 80))

async function list(board: Board, wallMs: number): Promise<Outcome> {
  const json = await Promise.all((await board.routines()).map((one) => viewRoutine(one, wallMs)))
  const rows = json.map((one) => [one.name, one.cron, one.tz, nextText(one), one.assignee ?? '-', one.title])
  const text =
    rows.length === 0 ? 'no routines\n' : table([['NAME', 'CRON', 'TZ', 'NEXT', 'ASSIGNEE', 'TITLE'], ...rows])
  return { text: plainText(text), json }
}

const nextText = ({ next, paused, problem }: RoutineView): string =>
  next ?? (paused ? 'paused' : problem === undefined ? 'none' : 'unknown')

async function show(routine: Routine, wallMs: number): Promise<Outcome> {
  const json = await viewRoutine(routine, wallMs)
  const next =
    json.next === null
      ? (json.problem ?? (json.paused ? 'paused' : 'no time follows'))
      : `next at ${instantText(Date.parse(json.next)) ?? json.next}`
  const what = `${json.title} (${json.assignee ?? 'no assignee'})`
  const text = `routine ${json.name}: ${what}, "${json.cron}" in ${json.tz}, catch-up ${json.catch_up}; ${next}\n`
  return { text: plainText(text), json }
}
