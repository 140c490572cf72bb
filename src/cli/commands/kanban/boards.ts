/** Commands about boards as a whole, and the programs behind the dispatcher's slot and the built-in worker. */

import type { DispatcherBundle } from '../../../kanban/dispatch/dispatcher-program.ts'
import type { BoardPlace } from '../../../kanban/port/board.ts'
import { type Boards, requireBoard, withBoard } from '../../../kanban/port/boards.ts'
import { boardIsThere } from '../../../kanban/port/refusals.ts'
import { forgetDispatchState, useBoard, writtenBoard } from '../../../kanban/store/current.ts'
import { sweep } from '../../../kanban/store/gc.ts'
import { DEFAULT_BOARD, parseSlug, refuseDefaultBoard } from '../../../kanban/store/places.ts'
import { EXIT, HermesError } from '../../../system/errors.ts'
import type { Command, Input } from '../../context/command.ts'
import { type Context, warnOn } from '../../context/context.ts'
import { dispatcherFacts } from '../../context/dispatcher-facts.ts'
import { confirm } from '../../terminal/confirm.ts'
import type { Outcome } from '../../terminal/output.ts'
import { table } from '../../view/slots-view.ts'
import { BOARD, durationOption, onBoard, slugOf, withBoards } from './shared.ts'
import { YES } from './upkeep.ts'
import { work } from './work.ts'

export const BOARD_COMMANDS: readonly Command[] = [
  {
    path: 'kanban init',
    summary: 'Create the board',
    options: [BOARD],
    run: (context, input) => withBoards(context, (boards) => make(context, boards, slugOf(context, input))),
  },
  {
    path: 'kanban boards',
    summary: 'Create, list, choose, rename or remove a board',
    arguments: [
      {
        name: 'ACTION',
        help: 'action: create SLUG, list, use SLUG, rename SLUG NEW or remove SLUG',
        kind: 'required',
        choices: ['create', 'list', 'use', 'rename', 'remove'],
      },
      { name: 'SLUG', help: 'name of a board: a-z, 0-9, _ and -', kind: 'optional' },
      { name: 'NEW', help: 'for rename: its new name', kind: 'optional' },
    ],
    options: [{ ...YES, help: 'for remove: do it without asking for confirmation' }],
    details:
      'rename and remove are refused while tasks of the board are running, and for the board "default". A removed\n' +
      'board is kept under another name, which the command prints.',
    run: (context, input) => withBoards(context, (all) => boards(context, all, input)),
  },
  {
    path: 'kanban gc',
    summary: 'Remove tasks that were archived long ago, with their history and logs',
    options: [
      { long: '--older', value: 'DURATION', help: 'minimum time since a task was archived; default: 30d' },
      BOARD,
    ],
    run: collect,
  },
  {
    path: 'kanban dispatcher',
    summary: 'Dispatch every board until stopped (the dispatcher slot runs this command)',
    exits: { [EXIT.noSupervisor]: 'the supervisor is not running' },
    run: async (context) => {
      const { dispatcherProgram } = require('#bundle/dispatcher.cjs') as DispatcherBundle
      return { exitCode: await dispatcherProgram(dispatcherFacts(context)) }
    },
  },
  {
    path: 'kanban work',
    summary: "Answer the prompt on standard input with the profile's agent (for workers without agent.command)",
    exits: { [EXIT.restartMe]: 'refused for now: quota or rate limit' },
    run: work,
  },
]

async function make(context: Context, all: Boards, slug: string): Promise<Outcome> {
  const place = all.place(slug)
  const created = !(await all.has(place))
  await withBoard(all, place, { mode: 'create', warn: warnOn(context) }, () => undefined)
  const where = all.where(place)
  const text = created
    ? `board "${slug}" created: ${where}\n  next: hermes kanban create "What to do"\n`
    : `board "${slug}" already exists: ${where}\n`
  return { text, json: { board: slug, file: place.file ?? null, created } }
}

async function boards(context: Context, all: Boards, input: Input): Promise<Outcome> {
  const [action = '', name, newName] = input.args
  if (newName !== undefined && action !== 'rename')
    throw new HermesError('USAGE', `hermes kanban boards ${action} takes no second name`)
  if (action === 'list') return list(context, all)
  if (name === undefined) throw new HermesError('USAGE', `hermes kanban boards ${action} requires the name of a board`)
  const slug = parseSlug(name)
  if (action === 'create') return make(context, all, slug)
  if (action === 'rename') return rename(context, all, slug, newName)
  if (action === 'remove') return remove(context, all, slug, input)
  await requireBoard(all, slug)
  await useBoard(context.home, slug)
  return { text: `hermes kanban now uses the board "${slug}"\n`, json: { board: slug, active: true } }
}

async function rename(context: Context, all: Boards, slug: string, newName: string | undefined): Promise<Outcome> {
  if (newName === undefined)
    throw new HermesError('USAGE', 'hermes kanban boards rename requires the new name', {
      next: `hermes kanban boards rename ${slug} NEW`,
    })
  const to = parseSlug(newName)
  refuseDefaultBoard(slug)
  if (to === DEFAULT_BOARD) throw boardIsThere(to)
  await all.rename(all.place(slug), to, context.clock)
  forgetDispatchState(context.home, slug)
  const wasCurrent = writtenBoard(context.home) === slug
  if (wasCurrent) await useBoard(context.home, to)
  return { text: `board "${slug}" is now "${to}"\n`, json: { board: to, was: slug, active: wasCurrent } }
}

async function remove(context: Context, all: Boards, slug: string, input: Input): Promise<Outcome> {
  refuseDefaultBoard(slug)
  // One that is not there may be left over from a command that was interrupted.
  const isThere = await all.has(all.place(slug))
  const { tasks } = await describe(context, all, all.place(slug))
  if (isThere && input.options.yes !== true) {
    const what = `this removes the board "${slug}" with ${tasks ?? 'an unknown number of'} tasks`
    await confirm(context.output.err, what, `hermes kanban boards remove ${slug} --yes`)
  }
  const kept = await all.setAside(all.place(slug), context.clock)
  forgetDispatchState(context.home, slug)
  const wasCurrent = writtenBoard(context.home) === slug
  if (wasCurrent) await useBoard(context.home, DEFAULT_BOARD)
  const text = `board "${slug}" removed; it is kept as ${kept}\n`
  return { text, json: { board: slug, removed: true, kept } }
}

async function list(context: Context, all: Boards): Promise<Outcome> {
  const active = slugOf(context, { args: [], options: {} })
  const found = await Promise.all((await all.list()).map((place) => describe(context, all, place)))
  const rows = found.map(({ slug, tasks, problem }) => ({
    board: slug,
    active: slug === active,
    tasks,
    ...(problem && { problem }),
  }))
  const text =
    rows.length === 0
      ? 'no boards; "hermes kanban init" creates one\n'
      : table([
          ['BOARD', 'TASKS', ''],
          ...rows.map((row) => [
            `${row.active ? '* ' : '  '}${row.board}`,
            String(row.tasks ?? '?'),
            row.problem ?? '',
          ]),
        ])
  return { text, json: rows }
}

/** A damaged board must not hide the others. */
async function describe(
  context: Context,
  all: Boards,
  place: BoardPlace,
): Promise<{ slug: string; tasks: number | null; problem?: string }> {
  try {
    const counts = await withBoard(all, place, { mode: 'read', warn: warnOn(context) }, (board) => board.statusCounts())
    return { slug: place.slug, tasks: Object.values(counts).reduce((sum, n) => sum + n, 0) }
  } catch (error) {
    if (!(error instanceof HermesError)) throw error
    return { slug: place.slug, tasks: null, problem: error.message }
  }
}

const DAY_MS = 86_400_000

async function collect(context: Context, input: Input): Promise<Outcome> {
  const olderMs = durationOption(input, 'older') ?? 30 * DAY_MS
  const swept = await onBoard(context, input, 'write', (board) =>
    sweep(board, context.home, context.clock.wallMs() - olderMs),
  )
  return { text: `${swept.tasks} tasks and ${swept.files} files removed\n`, json: swept }
}
