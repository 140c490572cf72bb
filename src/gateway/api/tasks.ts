import type { BoardPlace } from '../../kanban/port/board.ts'
import { type Boards, isAway, requireBoard } from '../../kanban/port/boards.ts'
import type { NewTask } from '../../kanban/port/input.ts'
import { normalizeAssignee } from '../../kanban/rules.ts'
import { SHORT_BUSY_TIMEOUT_MS } from '../../kanban/store/board.ts'
import { DEFAULT_BOARD, parseSlug } from '../../kanban/store/places.ts'
import type { Clock } from '../../system/clock.ts'
import { errorLine, HermesError } from '../../system/errors.ts'
import { databaseProblem, whenFree } from '../../system/files/sqlite.ts'
import { badRequest, busy, noDatabase } from './http/refusals.ts'

export interface TaskFacts {
  readonly boards: Boards
  readonly profile: string
  /** HERMES_KANBAN_BOARD: the board meant where a request names none. */
  readonly board: string | undefined
  readonly clock: Clock
  readonly warn: (text: string) => void
}

const WRITE_BUDGET_MS = 5000

/**
 * `POST /v1/tasks`: `{title, body?, assignee?, priority?, idempotency_key?, once?, needs?, board?}` becomes a task.
 * @returns the new task, or the one this idempotency key made before
 * @throws Refused
 */
export async function addTask(
  body: Readonly<Record<string, unknown>>,
  { boards, profile, board, clock, warn }: TaskFacts,
): Promise<{ readonly created: boolean; readonly task: Readonly<Record<string, unknown>> }> {
  const input = parseTask(body)
  try {
    const slug = parseSlug(textOf(body, 'board') ?? board ?? DEFAULT_BOARD)
    // The default board is made with its first task; another one may be a slip of the pen.
    const place = slug === DEFAULT_BOARD ? boards.place(slug) : await knownBoard(boards, slug)
    const opened = await whenFree(clock, WRITE_BUDGET_MS, () =>
      boards.open(place, {
        mode: slug === DEFAULT_BOARD ? 'create' : 'write',
        busyTimeoutMs: SHORT_BUSY_TIMEOUT_MS,
        warn,
      }),
    )
    try {
      const { task, created } = await whenFree(clock, WRITE_BUDGET_MS, () =>
        opened.create(input, { name: `api:${profile}`, wallMs: Math.round(clock.wallMs()) }),
      )
      const { id, title, assignee, status, priority } = task
      return { created, task: { id, object: 'task', board: slug, title, assignee, status, priority } }
    } finally {
      await opened.close()
    }
  } catch (error) {
    if (error instanceof HermesError && ['USAGE', 'BAD_NAME', 'BAD_REQUEST'].includes(error.code)) {
      throw badRequest(error.message)
    }
    if (databaseProblem(error) === 'busy') throw busy()
    throw isAway(error) ? noDatabase(errorLine(error)) : error
  }
}

async function knownBoard(boards: Boards, slug: string): Promise<BoardPlace> {
  try {
    return await requireBoard(boards, slug)
  } catch (error) {
    if (!isAway(error) && error instanceof HermesError) throw badRequest(error.message, 'board')
    throw error
  }
}

function parseTask(body: Readonly<Record<string, unknown>>): NewTask {
  const title = textOf(body, 'title')
  if (title === undefined) throw badRequest('title must be a string', 'title')
  const { priority, once } = body
  if (priority !== undefined && typeof priority !== 'number') throw badRequest('priority must be a number', 'priority')
  if (once !== undefined && typeof once !== 'boolean') throw badRequest('once must be true or false', 'once')
  const needs = textOf(body, 'needs')
  const text = textOf(body, 'body')
  const assignee = textOf(body, 'assignee')
  const idempotencyKey = textOf(body, 'idempotency_key')
  return {
    title,
    ...(text === undefined ? {} : { body: text }),
    ...(assignee === undefined ? {} : { assignee: normalizeAssignee(assignee) }),
    ...(priority === undefined ? {} : { priority }),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...(once === undefined ? {} : { once }),
    ...(needs === undefined ? {} : { needs: needs.split(',') }),
  }
}

function textOf(body: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = body[name]
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return value
  throw badRequest(`${name} must be a text`, name)
}
