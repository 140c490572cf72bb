import { NOTHING, type Rights, sees } from '../../access/scope.ts'
import { planDispatch } from '../../kanban/dispatch/dispatch.ts'
import { explainTask, withJobs } from '../../kanban/dispatch/explain.ts'
import { readWrittenRules } from '../../kanban/dispatch/settings.ts'
import { commentJson, eventJson, runJson, taskJson } from '../../kanban/json.ts'
import { moveTo } from '../../kanban/moves.ts'
import type { Board, Editable } from '../../kanban/port/board.ts'
import { checkText } from '../../kanban/port/input.ts'
import { removeTaskFiles } from '../../kanban/store/gc.ts'
import { DEFAULT_BOARD } from '../../kanban/store/places.ts'
import { type Task as BoardTask, isStatus, STATUSES, type Status } from '../../kanban/task.ts'
import type { Task, TaskDetails } from '../contract/board.ts'
import type { Handlers } from '../contract/handler.ts'
import { badRequest } from '../gate/refusals.ts'
import { type BoardFacts, boardAccess, knownTask as known, refusalOf } from './access.ts'
import { attachmentsOf } from './attachments.ts'
import { checkAssignee, visibleLinks, visibleTasks } from './own-tasks.ts'

const DEFAULT_LIMIT = 200
const EVENTS = 50
const RUNS = 20
/** These can be why a task is not running; the others are over, or at work. */
const WAITING: readonly Status[] = ['triage', 'todo', 'scheduled', 'ready', 'blocked', 'review']

type Names =
  | 'boards'
  | 'tasks'
  | 'createTask'
  | 'task'
  | 'editTask'
  | 'deleteTask'
  | 'moveTask'
  | 'assignTask'
  | 'commentTask'
  | 'requestChanges'
  | 'dispatch'

export function taskHandlers(facts: BoardFacts): Pick<Handlers, Names> {
  const { home, boards } = facts
  const { slugOf, onBoard, actor, assigneeOf } = boardAccess(facts)
  return {
    boards: async () => {
      const current = slugOf(undefined)
      const known = await boards.list().catch((error) => {
        throw refusalOf(error)
      })
      return {
        status: 200,
        body: { boards: known.map(({ slug }) => ({ slug, current: slug === current })) },
      }
    },
    tasks: async ({ query, rights }) => {
      const slug = slugOf(query)
      // The default board is made by its first task; until then it is empty.
      const isThere = await boards.has(boards.place(slug)).catch((error) => {
        throw refusalOf(error)
      })
      if (slug === DEFAULT_BOARD && !isThere) return { status: 200, body: { tasks: [], counts: {} } }
      const filter = {
        statuses: statusesOf(query.status),
        ...(query.assignee === undefined ? {} : { assignee: query.assignee === '' ? null : query.assignee }),
        ...(query.search === undefined || query.search === '' ? {} : { search: query.search }),
        limit: query.limit ?? DEFAULT_LIMIT,
      }
      const { tasks, counts } = await onBoard(slug, 'read', (board) => visibleTasks(board, filter, rights))
      return { status: 200, body: { tasks: tasks.map(asTask), counts } }
    },
    createTask: async ({ query, body, viewer, rights }) => {
      const slug = slugOf(query)
      const { assignee, parents, priority, triage } = body
      checkAssignee(assignee, rights)
      const input = {
        title: body.title,
        body: body.body ?? '',
        ...(assignee == null ? {} : { assignee: await assigneeOf(assignee) }),
        ...(priority === undefined ? {} : { priority }),
        parents: parents ?? [],
        triage: triage === true,
        once: body.once === true,
        needs: body.needs ?? [],
      }
      const { task } = await onBoard(slug, slug === DEFAULT_BOARD ? 'create' : 'write', async (board) => {
        for (const id of input.parents) await known(board, id, rights)
        return board.create(input, actor(viewer))
      })
      return { status: 201, body: asTask(task) }
    },
    task: async ({ params: { id = '' }, query, rights }) => {
      const body = await onBoard(slugOf(query), 'read', async (board): Promise<TaskDetails> => {
        const task = await known(board, id, rights)
        // The reason may be another profile's.
        const explains = WAITING.includes(task.status) && rights?.profiles === undefined
        const answer = explains ? await explainTask(facts, board, id) : undefined
        return { ...(await detailsOf(home, board, id, rights)), ...(answer === undefined ? {} : { why: answer.text }) }
      })
      return { status: 200, body }
    },
    editTask: async ({ params: { id = '' }, query, body, viewer, rights }) => {
      const task = await onBoard(slugOf(query), 'write', async (board) => {
        await known(board, id, rights)
        const { was, ...edit } = body
        return board.edit(id, { ...given(edit), ...(was && { was: given(was) }) }, actor(viewer))
      })
      return { status: 200, body: asTask(task) }
    },
    deleteTask: async ({ params: { id = '' }, query, viewer, rights }) => {
      await onBoard(slugOf(query), 'write', async (board) => {
        await known(board, id, rights)
        await board.remove(id, null, actor(viewer))
        removeTaskFiles(home, board.place, id)
      })
      return { status: 200, body: { task_id: id, deleted: true } }
    },
    moveTask: async ({ params: { id = '' }, query, body, viewer, rights }) => {
      const reason = body.reason === undefined ? {} : { reason: checkText('reason', body.reason) }
      const task = await onBoard(slugOf(query), 'write', async (board) => {
        const before = await known(board, id, rights)
        const operation = moveTo(before, body.to)
        return operation === undefined ? before : board.change(operation, id, reason, actor(viewer))
      })
      return { status: 200, body: asTask(task) }
    },
    assignTask: async ({ params: { id = '' }, query, body, viewer, rights }) => {
      checkAssignee(body.assignee, rights)
      const assignee = body.assignee === null ? null : await assigneeOf(body.assignee)
      const task = await onBoard(slugOf(query), 'write', async (board) => {
        await known(board, id, rights)
        return board.change('assign', id, { assignee }, actor(viewer))
      })
      return { status: 200, body: asTask(task) }
    },
    commentTask: async ({ params: { id = '' }, query, body, viewer, rights }) => {
      const text = checkText('comment', body.text.trim())
      if (text === '') throw badRequest('a comment must not be empty')
      await onBoard(slugOf(query), 'write', async (board) => {
        await known(board, id, rights)
        await board.comment(id, text, actor(viewer))
      })
      return { status: 201, body: { task_id: id, commented: true } }
    },
    requestChanges: async ({ params: { id = '' }, query, body, viewer, rights }) => {
      const reason = checkText('text', body.text.trim())
      if (reason === '') throw badRequest('a request for changes must not be empty')
      const task = await onBoard(slugOf(query), 'write', async (board) => {
        await known(board, id, rights)
        return board.change('request-changes', id, { reason }, actor(viewer))
      })
      return { status: 200, body: asTask(task) }
    },
    dispatch: async ({ query }) => {
      const { report } = await onBoard(slugOf(query), 'read', (board) =>
        withJobs(facts.connect, (jobs) => planDispatch({ ...facts, board, jobs })),
      )
      return { status: 200, body: { ...report } }
    },
  }
}

type Sent = { readonly [Field in keyof Editable]?: Editable[Field] | undefined }

/** Without the fields that are absent. */
const given = ({ title, body, priority }: Sent): Partial<Editable> => ({
  ...(title !== undefined && { title }),
  ...(body !== undefined && { body }),
  ...(priority !== undefined && { priority }),
})

const asTask = (task: BoardTask): Task => taskJson(task) as Task

async function detailsOf(home: string, board: Board, id: string, rights: Rights | undefined): Promise<TaskDetails> {
  const { task, parents, children, comments, events, runs } = await board.details(id, { runs: RUNS, events: EVENTS })
  const files = await attachmentsOf(board, id)
  const seesAll = rights !== undefined && rights.profiles === undefined
  return {
    ...asTask(task),
    ...(files && { attachments: [...files], attachment_max_bytes: readWrittenRules(home).attachmentMaxBytes }),
    parents: [...(await visibleLinks(board, parents, rights))],
    children: [...(await visibleLinks(board, children, rights))],
    comments: comments.map(commentJson) as TaskDetails['comments'],
    // They name earlier assignees.
    events: (seesAll ? events : []).map(eventJson) as TaskDetails['events'],
    runs: runs.filter(({ profile }) => sees(rights ?? NOTHING, profile)).map(runJson) as TaskDetails['runs'],
  }
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
