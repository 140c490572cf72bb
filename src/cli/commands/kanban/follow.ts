/** Commands that watch: events of a task or of the board, the output of a task's workers. */

import { join } from 'node:path'
import { eventJson } from '../../../kanban/json.ts'
import type { Board } from '../../../kanban/store/board.ts'
import { kanbanDir } from '../../../kanban/store/places.ts'
import { eventsAfter, eventsTail, requireTask } from '../../../kanban/store/queries.ts'
import type { BoardEvent } from '../../../kanban/task.ts'
import type { Command, Input } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import type { Outcome } from '../../terminal/output.ts'
import { printLogs } from '../logs.ts'
import { eventLine } from './render.ts'
import { BOARD, onBoard, wholeOption } from './shared.ts'

const ID = { name: 'ID', help: 'of a task, as list shows it', kind: 'required' } as const
const LINES = { long: '--lines', short: '-n', value: 'N', help: 'begin with the last N events; default 20' } as const
const ONCE = { long: '--no-follow', help: 'what there is, and no more' } as const
const DETAILS = 'With --json: one JSON object a line; with --no-follow as well: one list.'

export const FOLLOW_COMMANDS: readonly Command[] = [
  {
    path: 'kanban tail',
    summary: "a task's events, and those to come",
    arguments: [ID],
    options: [LINES, ONCE, BOARD],
    details: DETAILS,
    run: (context, input) => events(context, input, input.words[0]),
  },
  {
    path: 'kanban watch',
    summary: "every task's events, and those to come",
    options: [LINES, ONCE, BOARD],
    details: DETAILS,
    run: (context, input) => events(context, input, undefined),
  },
  {
    path: 'kanban log',
    summary: "what a task's workers have written",
    arguments: [ID],
    options: [
      { long: '--follow', short: '-f', help: 'go on with what is written from now on' },
      { long: '--lines', short: '-n', value: 'N', help: 'the last N lines (50); all: everything there is' },
      { long: '--since', value: 'WHEN', help: '30s, 10m, 1h, or a time' },
      BOARD,
    ],
    run: log,
  },
]

const LOOK_MS = 250
const BATCH = 500

async function events(context: Context, input: Input, taskId: string | undefined): Promise<Outcome> {
  const lines = wholeOption(input, 'lines', 0) ?? 20
  return onBoard(context, input, 'read', async (board) => {
    if (taskId !== undefined) requireTask(board, taskId)
    let after = eventsTail(board, lines, taskId)
    if (input.options['no-follow'] === true) {
      const found = eventsAfter(board, after, lines, taskId)
      return { text: found.map(eventLine).join(''), json: found.map(eventJson) }
    }
    for (;;) {
      after = printNew(context, board, after, taskId)
      if (context.output.closed) return {}
      await new Promise<void>((wake) => context.clock.at(context.clock.nowMs() + LOOK_MS, wake))
    }
  })
}

/** @returns the id of the last event that was printed */
function printNew(context: Context, board: Board, after: number, taskId: string | undefined): number {
  const show = (event: BoardEvent): string =>
    context.json ? `${JSON.stringify(eventJson(event))}\n` : eventLine(event)
  let last = after
  for (;;) {
    const found = eventsAfter(board, last, BATCH, taskId)
    if (found.length > 0) context.output.out(found.map(show).join(''))
    last = found.at(-1)?.id ?? last
    if (found.length < BATCH) return last
  }
}

async function log(context: Context, input: Input): Promise<Outcome> {
  const [id = ''] = input.words
  await onBoard(context, input, 'read', (board) => requireTask(board, id))
  return printLogs(context, input, [{ slot: id, dir: join(kanbanDir(context.home), 'logs'), name: `${id}.log` }])
}
