/** A board for one request, and the errors that a request can end with. */
import type { Rights } from '../../access/scope.ts'
import type { ExplainFacts } from '../../kanban/dispatch/explain.ts'
import { requireAssignee } from '../../kanban/port/assignee.ts'
import type { Actor, Board } from '../../kanban/port/board.ts'
import { type Boards, isAway } from '../../kanban/port/boards.ts'
import { SHORT_BUSY_TIMEOUT_MS } from '../../kanban/store/board.ts'
import { chosenBoard } from '../../kanban/store/current.ts'
import type { Task } from '../../kanban/task.ts'
import { databaseProblem, whenFree } from '../../system/files/sqlite.ts'
import type { SignedIn } from '../contract/handler.ts'
import { notFound, unavailable } from '../gate/refusals.ts'
import { seesTask } from './own-tasks.ts'

const WRITE_BUDGET_MS = 5000

/** Facts for the handlers of the board. */
export interface BoardFacts extends ExplainFacts {
  readonly boards: Boards
  /** HERMES_KANBAN_BOARD. */
  readonly board: string | undefined
  readonly warn: (text: string) => void
}

interface BoardAccess {
  /** The board that a request names, or else the current one. */
  slugOf(query: { board?: string | undefined } | undefined): string
  /** Opens a board for one request. @throws RefusedRequest, HermesError */
  onBoard<T>(slug: string, mode: 'create' | 'write' | 'read', use: (board: Board) => T | Promise<T>): Promise<T>
  actor(viewer: SignedIn | undefined): Actor
  /** @throws HermesError NO_SUCH_PROFILE; RefusedRequest */
  assigneeOf(text: string): Promise<string>
}

export function boardAccess(facts: BoardFacts): BoardAccess {
  const { home, clock, boards } = facts
  /** Each request opens and closes: an idle dashboard holds no file of the board open. */
  async function onBoard<T>(slug: string, mode: 'create' | 'write' | 'read', use: (board: Board) => T | Promise<T>) {
    const place = boards.place(slug)
    try {
      if (mode !== 'create' && !(await boards.has(place)))
        throw notFound(`no board "${slug}"`, '"hermes kanban init" creates one')
      // Waits for other writers between attempts: inside of one, everybody's requests would wait too.
      const open = () => boards.open(place, { mode, busyTimeoutMs: SHORT_BUSY_TIMEOUT_MS, warn: facts.warn })
      const board = await whenFree(clock, WRITE_BUDGET_MS, open)
      try {
        return await whenFree(clock, WRITE_BUDGET_MS, () => use(board))
      } finally {
        await board.close()
      }
    } catch (error) {
      throw refusalOf(boards.problem(error, place, facts.warn))
    }
  }

  return {
    slugOf: (query) => chosenBoard(home, query?.board, facts.board),
    onBoard,
    actor: (viewer) => ({
      name: viewer?.actor ?? 'dashboard',
      wallMs: Math.round(clock.wallMs()),
    }),
    assigneeOf: (text) =>
      requireAssignee(home, text, () =>
        boards.nodes().catch((error) => {
          throw refusalOf(error)
        }),
      ),
  }
}

/** @throws RefusedRequest 404; also for a task that the caller may not see */
export async function knownTask(board: Board, id: string, rights: Rights | undefined): Promise<Task> {
  const task = await board.find(id)
  if (task !== undefined && seesTask(task, rights)) return task
  throw notFound(`no task ${JSON.stringify(id.slice(0, 80))} on board "${board.place.slug}"`)
}

/** Answers with 503 what may succeed later; other errors stay as they are. */
export function refusalOf(error: unknown): unknown {
  if (databaseProblem(error) === 'busy') return unavailable('busy', (error as Error).message, 'try again')
  return isAway(error) ? unavailable('no_database', error.message, error.next) : error
}
