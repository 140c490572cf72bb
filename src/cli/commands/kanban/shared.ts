/** Shared parts of the kanban commands: the board, the actor, and reading options. */

import { createReadStream } from 'node:fs'
import type { DispatchOptions } from '../../../kanban/dispatch/dispatch.ts'
import type { Installation } from '../../../kanban/installation.ts'
import { parseAssignee, requireAssignee } from '../../../kanban/port/assignee.ts'
import type { Actor, Board } from '../../../kanban/port/board.ts'
import { type Boards, requireBoard, withBoard } from '../../../kanban/port/boards.ts'
import { MAX_BODY_BYTES } from '../../../kanban/port/input.ts'
import { emptyBoard } from '../../../kanban/store/board.ts'
import { findBoards } from '../../../kanban/store/boards.ts'
import { chosenBoard } from '../../../kanban/store/current.ts'
import { DEFAULT_BOARD } from '../../../kanban/store/places.ts'
import { isStatus, STATUSES, type Status } from '../../../kanban/task.ts'
import { parseDurationMs } from '../../../profile/config/kinds/kinds.ts'
import { HermesError } from '../../../system/errors.ts'
import { type ArgumentSpec, type Input, type OptionSpec, textOption } from '../../context/command.ts'
import { type Context, warnOn } from '../../context/context.ts'
import { dispatcherFacts } from '../../context/dispatcher-facts.ts'
import { readText } from '../../terminal/terminal.ts'

export const BOARD: OptionSpec = {
  long: '--board',
  value: 'SLUG',
  help: 'name of the board; default: HERMES_KANBAN_BOARD, else the board chosen with boards use',
}

export const ID: ArgumentSpec = {
  name: 'ID',
  help: 'ID of the task, as shown by list',
  kind: 'required',
  completes: 'tasks',
}

export const slugOf = (context: Context, input: Input): string =>
  chosenBoard(context.home, textOption(input, 'board'), context.env.HERMES_KANBAN_BOARD)

/** Uses the boards for one command. */
export async function withBoards<T>(context: Context, use: (boards: Boards) => Promise<T>): Promise<T> {
  const boards = await findBoards({ ...context, runDir: context.paths.runDir })
  try {
    return await use(boards)
  } finally {
    await boards.close()
  }
}

/** Opens the board for one command. With `create`, the first task creates the default board. */
export const onBoard = <T>(
  context: Context,
  input: Input,
  mode: 'create' | 'write' | 'read',
  use: (board: Board) => T | Promise<T>,
): Promise<T> =>
  withBoards(context, async (boards) => {
    const slug = slugOf(context, input)
    const isFirst = mode === 'create' && slug === DEFAULT_BOARD
    const place = isFirst ? boards.place(slug) : await requireBoard(boards, slug)
    return withBoard(boards, place, { mode, warn: warnOn(context) }, use)
  })

/**
 * Opens the board for a query that also has an answer before the first task: if there is no default board, it uses an
 * empty one.
 * @param use also receives whether the board exists
 */
export const onBoardIfAny = <T>(
  context: Context,
  input: Input,
  mode: 'write' | 'read',
  use: (board: Board, isThere: boolean) => T | Promise<T>,
): Promise<T> =>
  withBoards(context, async (boards) => {
    const slug = slugOf(context, input)
    const place = boards.place(slug)
    if (slug !== DEFAULT_BOARD || !(await boards.isNeverCreated(place))) {
      const known = await requireBoard(boards, slug)
      return withBoard(boards, known, { mode, warn: warnOn(context) }, (board) => use(board, true))
    }
    context.output.err(`hermes: no board yet (${boards.where(place)}); "hermes kanban create TITLE" creates it\n`)
    const board = emptyBoard(slug)
    try {
      return await use(board, false)
    } finally {
      await board.close()
    }
  })

/** The actor of a change: the profile or user; for a worker's own task, its run. */
export function actorOf(context: Context, taskId?: string): Actor {
  const { env, clock } = context
  const runId = Number(env.HERMES_KANBAN_RUN_ID)
  const own = taskId !== undefined && env.HERMES_KANBAN_TASK === taskId && Number.isSafeInteger(runId) && runId > 0
  const name = env.HERMES_PROFILE || context.requestedProfile || env.USER || env.LOGNAME || 'somebody'
  return { name, wallMs: clock.wallMs(), ...(own ? { runId } : {}) }
}

/** @throws HermesError USAGE, NO_SUCH_PROFILE */
export const assigneeOption = async (context: Context, text: string, lane: boolean): Promise<string> =>
  lane
    ? parseAssignee(text)
    : requireAssignee(context.home, text, () => withBoards(context, (boards) => boards.nodes()))

export function wholeOption(input: Input, name: string, min: number, max = 1_000_000): number | undefined {
  const text = textOption(input, name)
  if (text === undefined) return undefined
  const number = Number(text)
  if (/^[+-]?\d+$/.test(text.trim()) && number >= min && number <= max) return number
  throw new HermesError(
    'USAGE',
    `--${name} must be a whole number from ${min} to ${max}, not ${JSON.stringify(text.slice(0, 80))}`,
  )
}

/**
 * Text of the file that an option names, `-` for standard input, with the name for messages.
 * @throws HermesError USAGE: it cannot be read, or is too long
 */
export async function readFileOption(
  input: Input,
  name: string,
): Promise<{ readonly text: string; readonly name: string } | undefined> {
  const file = textOption(input, name)
  if (file === undefined) return undefined
  const stream = file === '-' ? process.stdin : createReadStream(file)
  const what = file === '-' ? 'standard input' : file
  try {
    return { text: await readText(stream, what, MAX_BODY_BYTES), name: what }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (error instanceof HermesError || code === undefined) throw error
    throw new HermesError('USAGE', `--${name}: cannot read ${what} (${code})`, {
      next: 'use the path of a readable file, or - for standard input',
      cause: error,
    })
  } finally {
    stream.destroy()
  }
}

/** A list with commas or spaces. */
export const items = (text: string | undefined): readonly string[] =>
  (text ?? '').split(/[\s,]+/).filter((item) => item !== '')

/** `--status`; undefined: it is not there. @throws HermesError USAGE */
export function statusesOption(input: Input): readonly Status[] | undefined {
  const text = textOption(input, 'status')
  if (text === undefined) return undefined
  return items(text).map((item) => {
    const status = item.toLowerCase()
    if (isStatus(status)) return status
    throw new HermesError('USAGE', `unknown status ${JSON.stringify(item.slice(0, 80))}`, {
      next: `use one of: ${STATUSES.join(', ')}`,
    })
  })
}

export function durationOption(input: Input, name: string): number | undefined {
  const text = textOption(input, name)
  if (text === undefined) return undefined
  const ms = parseDurationMs(text)
  if (ms !== undefined && ms > 0) return ms
  throw new HermesError(
    'USAGE',
    `--${name} must be a duration such as 90s, 30m or 2h, not ${JSON.stringify(text.slice(0, 80))}`,
  )
}

const RFC_3339 = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/i

/** Date.parse reads 31 February as 3 March. */
const isDay = (date: string): boolean => {
  const ms = Date.parse(date)
  return Number.isFinite(ms) && new Date(ms).toISOString().startsWith(date)
}

/** `2026-12-24T18:00:00Z`, `2026-12-24 18:00` (in UTC), `+2h`. */
export function timeOption(input: Input, name: string, wallMs: number): number | undefined {
  const text = textOption(input, name)?.trim()
  if (text === undefined) return undefined
  const after = text.startsWith('+') ? parseDurationMs(text.slice(1)) : undefined
  if (after !== undefined) return wallMs + after
  const withZone = /(Z|[+-]\d\d:?\d\d)$/i.test(text) || /^\d{4}-\d\d-\d\d$/.test(text) ? text : `${text}Z`
  const atMs = RFC_3339.test(text) && isDay(text.slice(0, 10)) ? Date.parse(withZone.replace(' ', 'T')) : Number.NaN
  if (Number.isFinite(atMs)) return atMs
  throw new HermesError(
    'USAGE',
    `--${name} must be a time such as 2026-12-24T18:00:00Z or +2h, not ${JSON.stringify(text.slice(0, 80))}`,
  )
}

export const limitOf = (input: Input): number => wholeOption(input, 'limit', 1) ?? 50
export const LIMIT: OptionSpec = { long: '--limit', value: 'N', help: 'print at most N entries; default: 50' }

/** Facts about this installation that a tick needs. */
export const dispatchBase = (context: Context): Installation & Pick<DispatchOptions, 'warn'> => ({
  ...dispatcherFacts(context),
  warn: warnOn(context),
})
