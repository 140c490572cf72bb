/** Commands that follow events of a task or of the board, or the output of its workers; and the prompt of a task. */

import { join } from 'node:path'
import { readWrittenRules } from '../../../kanban/dispatch/settings.ts'
import { contextJson } from '../../../kanban/handover/context.ts'
import { HANDOVER_LIMITS } from '../../../kanban/handover/facts.ts'
import { promptOf } from '../../../kanban/handover/prompt.ts'
import { eventJson } from '../../../kanban/json.ts'
import type { Board } from '../../../kanban/port/board.ts'
import { handedFiles } from '../../../kanban/store/attachments.ts'
import { kanbanDir } from '../../../kanban/store/places.ts'
import type { BoardEvent } from '../../../kanban/task.ts'
import { loadConfig } from '../../../profile/config/config.ts'
import { profileDir } from '../../../system/paths.ts'
import { plainText } from '../../../system/text/foreign-text.ts'
import type { Command, Input } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import type { Outcome } from '../../terminal/output.ts'
import { printLogs } from '../logs.ts'
import { eventLine } from './render.ts'
import { BOARD, ID, onBoard, wholeOption } from './shared.ts'

const LINES = { long: '--lines', short: '-n', value: 'N', help: 'start with the last N events; default: 20' } as const
const ONCE = { long: '--no-follow', help: 'exit after the existing events' } as const
const DETAILS = 'With --json, print one JSON object per line; with --no-follow as well, one JSON array.'

export const FOLLOW_COMMANDS: readonly Command[] = [
  {
    path: 'kanban tail',
    summary: "Print a task's events, and follow new ones",
    arguments: [ID],
    options: [LINES, ONCE, BOARD],
    details: DETAILS,
    run: (context, input) => events(context, input, input.args[0]),
  },
  {
    path: 'kanban watch',
    summary: 'Print the events of all tasks, and follow new ones',
    options: [LINES, ONCE, BOARD],
    details: DETAILS,
    run: (context, input) => events(context, input, undefined),
  },
  {
    path: 'kanban log',
    summary: "Print the output of a task's workers",
    arguments: [ID],
    options: [
      { long: '--follow', short: '-f', help: 'keep printing new lines as they are written' },
      { long: '--lines', short: '-n', value: 'N', help: 'print the last N lines (default 50), or all' },
      { long: '--since', value: 'WHEN', help: 'print lines since a time, or since 30s, 10m or 1h ago' },
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
    if (taskId !== undefined) await board.require(taskId)
    let after = await board.eventsTail(lines, taskId)
    if (input.options['no-follow'] === true) {
      const found = await board.events(after, lines, taskId)
      return { text: found.map(eventLine).join(''), json: found.map(eventJson) }
    }
    for (;;) {
      after = await printNew(context, board, after, taskId)
      if (context.output.closed) return {}
      await new Promise<void>((wake) => context.clock.at(context.clock.nowMs() + LOOK_MS, wake))
    }
  })
}

/** @returns the id of the last event printed */
async function printNew(context: Context, board: Board, after: number, taskId: string | undefined): Promise<number> {
  const show = (event: BoardEvent): string =>
    context.json ? `${JSON.stringify(eventJson(event))}\n` : eventLine(event)
  let last = after
  for (;;) {
    const found = await board.events(last, BATCH, taskId)
    if (found.length > 0) context.output.out(found.map(show).join(''))
    last = found.at(-1)?.id ?? last
    if (found.length < BATCH) return last
  }
}

async function log(context: Context, input: Input): Promise<Outcome> {
  const [id = ''] = input.args
  await onBoard(context, input, 'read', (board) => board.require(id))
  return printLogs(context, input, [{ slot: id, dir: join(kanbanDir(context.home), 'logs'), name: `${id}.log` }])
}

export const PROMPT_COMMAND: Command = {
  path: 'kanban prompt',
  summary: 'Print the prompt that the next run of a task would get; --json prints the context file',
  arguments: [ID],
  options: [BOARD],
  run: prompt,
}

async function prompt(context: Context, input: Input): Promise<Outcome> {
  const [id = ''] = input.args
  const { task, handover, files, slug } = await onBoard(context, input, 'read', async (board) => ({
    task: await board.require(id),
    handover: await board.handover(id, HANDOVER_LIMITS),
    files: await handedFiles(board, id),
    slug: board.place.slug,
  }))
  const { contextMaxBytes, defaultAssignee } = readWrittenRules(context.home)
  const assignee = task.assignee ?? defaultAssignee
  const { agent } = loadConfig(join(profileDir(context.home, assignee), 'config.yaml')).config
  const isProgram = agent.command !== null || agent.openai === null
  const rules = { maxBytes: contextMaxBytes, resultBy: isProgram ? 'command' : 'answer', files } as const
  const text = promptOf(task, handover, rules)
  return {
    text: `${plainText(text)}\n`,
    json: contextJson({ ...handover, board: slug, runId: null, task, files, prompt: text }),
  }
}
