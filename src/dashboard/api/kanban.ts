import { existsSync } from 'node:fs'
import { planDispatch } from '../../kanban/dispatch/dispatch.ts'
import { explainTask, withJobs } from '../../kanban/dispatch/explain.ts'
import { commentJson, eventJson, runJson, taskJson } from '../../kanban/json.ts'
import { moveTo } from '../../kanban/moves.ts'
import { requireAssignee } from '../../kanban/store/assignee.ts'
import { type Board, boardError, openBoard, SHORT_BUSY_TIMEOUT_MS } from '../../kanban/store/board.ts'
import { type Actor, change, createTask } from '../../kanban/store/changes.ts'
import { chosenBoard } from '../../kanban/store/current.ts'
import { checkText } from '../../kanban/store/input.ts'
import { comment } from '../../kanban/store/links.ts'
import { boardPlace, DEFAULT_BOARD, listBoards } from '../../kanban/store/places.ts'
import {
  childrenOf,
  commentsOf,
  eventsAfter,
  eventsTail,
  findTask,
  listTasks,
  parentsOf,
  requireTask,
  runsOf,
  statusCounts,
} from '../../kanban/store/queries.ts'
import { type Task as BoardTask, isStatus, STATUSES, type Status } from '../../kanban/task.ts'
import { databaseProblem, whenFree } from '../../system/files/sqlite.ts'
import type { Task, TaskDetails } from '../contract/board.ts'
import type { Handlers, SignedIn } from '../contract/handler.ts'
import { badRequest, notFound, unavailable } from '../gate/refusals.ts'
import type { ApiFacts } from './facts.ts'

const DEFAULT_LIMIT = 200
const EVENTS = 50
const RUNS = 20
const WRITE_BUDGET_MS = 5000
/** These can be why a task is not running; the others are over, or at work. */
const WAITING: readonly Status[] = ['triage', 'todo', 'scheduled', 'ready', 'blocked', 'review']

type Names = 'boards' | 'tasks' | 'createTask' | 'task' | 'moveTask' | 'assignTask' | 'commentTask' | 'dispatch'

export function kanbanHandlers(facts: ApiFacts): Pick<Handlers, Names> {
  const { home, clock } = facts
  const slugOf = (query: { board?: string | undefined } | undefined): string =>
    chosenBoard(home, query?.board, facts.board)

  /** Each request opens and closes: an idle dashboard holds no file of the board open. */
  async function onBoard<T>(slug: string, mode: 'create' | 'write' | 'read', use: (board: Board) => T | Promise<T>) {
    const place = boardPlace(home, slug)
    if (mode !== 'create' && !existsSync(place.file))
      throw notFound(`no board "${slug}"`, '"hermes kanban init" creates one')
    try {
      // Waits for other writers between attempts: inside of one, everybody's requests would wait too.
      const open = () => openBoard(place, { mode, busyTimeoutMs: SHORT_BUSY_TIMEOUT_MS, warn: facts.warn })
      const board = await whenFree(clock, WRITE_BUDGET_MS, open)
      try {
        return await whenFree(clock, WRITE_BUDGET_MS, () => use(board))
      } finally {
        board.close()
      }
    } catch (error) {
      const trouble = boardError(error, place, facts.warn)
      throw databaseProblem(trouble) === 'busy' ? unavailable('busy', (trouble as Error).message, 'try again') : trouble
    }
  }
  const actor = (viewer: SignedIn | undefined): Actor => ({
    name: viewer === undefined ? 'dashboard' : `dashboard:${viewer.user}`,
    wallMs: Math.round(clock.wallMs()),
  })
  const known = (board: Board, id: string): BoardTask => {
    if (findTask(board, id) === undefined)
      throw notFound(`no task ${JSON.stringify(id.slice(0, 80))} on board "${board.place.slug}"`)
    return requireTask(board, id)
  }
  return {
    boards: () => {
      const current = slugOf(undefined)
      return {
        status: 200,
        body: { boards: listBoards(home).map(({ slug }) => ({ slug, current: slug === current })) },
      }
    },
    tasks: async ({ query }) => {
      const slug = slugOf(query)
      // The default board is made by its first task; until then it is empty.
      if (slug === DEFAULT_BOARD && !existsSync(boardPlace(home, slug).file))
        return { status: 200, body: { tasks: [], counts: {} } }
      const filter = {
        statuses: statusesOf(query.status),
        ...(query.assignee === undefined ? {} : { assignee: query.assignee === '' ? null : query.assignee }),
        ...(query.search === undefined || query.search === '' ? {} : { search: query.search }),
        limit: query.limit ?? DEFAULT_LIMIT,
      }
      return onBoard(slug, 'read', (board) =>
        board.read(() => ({
          status: 200 as const,
          body: { tasks: listTasks(board, filter).map(asTask), counts: statusCounts(board) },
        })),
      )
    },
    createTask: async ({ query, body, viewer }) => {
      const slug = slugOf(query)
      const { assignee, parents, priority, triage } = body
      const input = {
        title: body.title,
        body: body.body ?? '',
        ...(assignee == null ? {} : { assignee: requireAssignee(home, assignee) }),
        ...(priority === undefined ? {} : { priority }),
        parents: parents ?? [],
        triage: triage === true,
      }
      const { task } = await onBoard(slug, slug === DEFAULT_BOARD ? 'create' : 'write', (board) => {
        for (const id of input.parents) known(board, id)
        return createTask(board, input, actor(viewer))
      })
      return { status: 201, body: asTask(task) }
    },
    task: async ({ params: { id = '' }, query }) => {
      const body = await onBoard(slugOf(query), 'read', async (board): Promise<TaskDetails> => {
        const task = known(board, id)
        const answer = WAITING.includes(task.status) ? await explainTask(facts, board, id) : undefined
        return { ...detailsOf(board, task), ...(answer === undefined ? {} : { why: answer.text }) }
      })
      return { status: 200, body }
    },
    moveTask: async ({ params: { id = '' }, query, body, viewer }) => {
      const reason = body.reason === undefined ? {} : { reason: checkText('reason', body.reason) }
      const task = await onBoard(slugOf(query), 'write', (board) => {
        const before = known(board, id)
        const operation = moveTo(before, body.to)
        return operation === undefined ? before : change(board, operation, id, reason, actor(viewer))
      })
      return { status: 200, body: asTask(task) }
    },
    assignTask: async ({ params: { id = '' }, query, body, viewer }) => {
      const assignee = body.assignee === null ? null : requireAssignee(home, body.assignee)
      const task = await onBoard(slugOf(query), 'write', (board) => {
        known(board, id)
        return change(board, 'assign', id, { assignee }, actor(viewer))
      })
      return { status: 200, body: asTask(task) }
    },
    commentTask: async ({ params: { id = '' }, query, body, viewer }) => {
      const text = checkText('comment', body.text.trim())
      if (text === '') throw badRequest('a comment must not be empty')
      await onBoard(slugOf(query), 'write', (board) => {
        known(board, id)
        comment(board, id, text, actor(viewer))
      })
      return { status: 201, body: { task_id: id, commented: true } }
    },
    dispatch: async ({ query }) => {
      const { report } = await onBoard(slugOf(query), 'read', (board) =>
        withJobs(facts.connect, (jobs) => planDispatch({ ...facts, board, jobs })),
      )
      return { status: 200, body: { ...report } }
    },
  }
}

const asTask = (task: BoardTask): Task => taskJson(task) as Task

function detailsOf(board: Board, task: BoardTask): TaskDetails {
  const { id } = task
  return board.read(() => ({
    ...asTask(task),
    parents: [...parentsOf(board, id)],
    children: [...childrenOf(board, id)],
    comments: commentsOf(board, id).map(commentJson) as TaskDetails['comments'],
    events: eventsAfter(board, eventsTail(board, EVENTS, id), EVENTS, id).map(eventJson) as TaskDetails['events'],
    runs: runsOf(board, id, RUNS).map(runJson) as TaskDetails['runs'],
  }))
}

/** @throws Refused */
function statusesOf(text: string | undefined): readonly Status[] {
  if (text === undefined || text === '') return STATUSES.filter((status) => status !== 'archived')
  return text.split(',').map((item) => {
    const status = item.trim()
    if (isStatus(status)) return status
    throw badRequest(`unknown status ${JSON.stringify(status)}`, `use one of: ${STATUSES.join(', ')}`)
  })
}
