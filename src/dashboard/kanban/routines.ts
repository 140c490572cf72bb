/** Routines of a board: what `hermes kanban routine` does. */
import type { Board } from '../../kanban/port/board.ts'
import { checkLimits } from '../../kanban/port/input.ts'
import { makeTask } from '../../kanban/routines/make.ts'
import { type NewRoutine, type Routine, routineName } from '../../kanban/routines/routine.ts'
import { viewRoutine, wrongTimes } from '../../kanban/routines/view.ts'
import { DEFAULT_BOARD } from '../../kanban/store/places.ts'
import type { Handlers } from '../contract/handler.ts'
import type * as contract from '../contract/routines.ts'
import { badRequest, notFound } from '../gate/refusals.ts'
import { type BoardFacts, boardAccess, refusalOf } from './access.ts'

type Names = 'routines' | 'createRoutine' | 'changeRoutine' | 'runRoutine' | 'deleteRoutine'

export function routineHandlers(facts: BoardFacts): Pick<Handlers, Names> {
  const { boards, clock } = facts
  const { slugOf, onBoard, actor, assigneeOf } = boardAccess(facts)
  const shown = (routine: Routine) => viewRoutine(routine, clock.wallMs())
  return {
    routines: async ({ query }) => {
      const slug = slugOf(query)
      const isThere = await boards.has(boards.place(slug)).catch((error) => {
        throw refusalOf(error)
      })
      // The default board is made by its first task or routine; until then it is empty.
      if (slug === DEFAULT_BOARD && !isThere) return { status: 200, body: { routines: [] } }
      const found = await onBoard(slug, 'read', (board) => board.routines())
      return { status: 200, body: { routines: await Promise.all(found.map(shown)) } }
    },
    createRoutine: async ({ query, body, viewer }) => {
      const slug = slugOf(query)
      const routine = await newRoutine(body, assigneeOf)
      const made = await onBoard(slug, slug === DEFAULT_BOARD ? 'create' : 'write', async (board) => {
        await board.addRoutine(routine, actor(viewer))
        return knownRoutine(board, routine.name)
      })
      return { status: 201, body: await shown(made) }
    },
    changeRoutine: async ({ params: { name = '' }, query, body }) => {
      const changed = await onBoard(slugOf(query), 'write', async (board) => {
        await board.changeRoutine(name, { isPaused: body.paused }, Math.round(clock.wallMs()))
        return knownRoutine(board, name)
      })
      return { status: 200, body: await shown(changed) }
    },
    runRoutine: async ({ params: { name = '' }, query }) => {
      const { task } = await onBoard(slugOf(query), 'write', async (board) =>
        makeTask(board, await knownRoutine(board, name), Math.round(clock.wallMs())),
      )
      return { status: 201, body: { routine: name, task_id: task.id } }
    },
    deleteRoutine: async ({ params: { name = '' }, query }) => {
      await onBoard(slugOf(query), 'write', async (board) => {
        if (!(await board.removeRoutine(name))) throw noRoutine(board, name)
      })
      return { status: 200, body: { routine: name, deleted: true } }
    },
  }
}

/** @throws HermesError USAGE, NO_SUCH_PROFILE; RefusedRequest */
async function newRoutine(
  { name, cron, tz = 'UTC', catch_up = 'one', title, body = '', assignee, priority = 0 }: contract.NewRoutine,
  assigneeOf: (text: string) => Promise<string>,
): Promise<NewRoutine> {
  const task = checkLimits({
    title,
    body,
    assignee: assignee == null ? null : await assigneeOf(assignee),
    priority,
  })
  const wrong = await wrongTimes(cron, tz)
  if (wrong === 'cron')
    throw badRequest(
      `cron must be cron fields with a time that comes, not ${JSON.stringify(cron.slice(0, 80))}`,
      'minute hour day month weekday, such as "0 9 * * 1-5"',
    )
  if (wrong === 'tz')
    throw badRequest(`tz must be a time zone such as Europe/Berlin, not ${JSON.stringify(tz.slice(0, 80))}`)
  return {
    name: routineName(name),
    cron,
    tz,
    catchUp: catch_up,
    task: { title: task.title, body: task.body, assignee: task.assignee, priority: task.priority },
  }
}

/** @throws RefusedRequest 404 */
async function knownRoutine(board: Board, name: string): Promise<Routine> {
  const found = (await board.routines()).find((one) => one.name === name)
  if (found !== undefined) return found
  throw noRoutine(board, name)
}

const noRoutine = (board: Board, name: string) =>
  notFound(`the board "${board.place.slug}" has no routine ${JSON.stringify(name.slice(0, 80))}`)
