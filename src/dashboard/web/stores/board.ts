/** One kanban board as the page has it. */
import { batch, computed, type ReadonlySignal, signal } from '@preact/signals'
import type { Boards, NewTask, Task, Tasks } from '../../contract/board.ts'
import { type Client, Failure } from '../client/client.ts'
import { COLUMNS, type Column, type Status } from '../core/board-moves.ts'
import type { Fleet } from './fleet.ts'

const MOST_TASKS = 1000

export interface BoardStore {
  readonly boards: ReadonlySignal<Boards['boards']>
  /** Slug of the board; undefined until the current one is known. */
  readonly board: ReadonlySignal<string | undefined>
  readonly columns: ReadonlySignal<ReadonlyMap<Column, readonly Task[]> | undefined>
  readonly counts: ReadonlySignal<Tasks['counts']>
  readonly failure: ReadonlySignal<Failure | undefined>
  /** Counts the changes that the server has reported. */
  readonly changes: ReadonlySignal<number>
  choose(board: string): void
  search(text: string): void
  reload(): Promise<void>
  create(task: NewTask): Promise<Task>
  /** Shown at once, reverted if the server refuses. @throws Failure */
  move(task: Task, to: Status, reason?: string): Promise<Task>
  close(): void
}

export function createBoard(client: Client, fleet: Fleet): BoardStore {
  const boards = signal<Boards['boards']>([])
  const board = signal<string | undefined>(undefined)
  const tasks = signal<readonly Task[] | undefined>(undefined)
  /** Where cards are on their way to: an answer that the board gave before a move does not take its card back. */
  const moving = signal<ReadonlyMap<string, Status>>(new Map())
  const counts = signal<Tasks['counts']>({})
  const failure = signal<Failure | undefined>(undefined)
  const changes = signal(0)
  let search = ''
  let last = 0

  const reload = async (): Promise<void> => {
    const mine = ++last
    try {
      if (board.value === undefined) {
        boards.value = (await client.get<Boards>('/api/kanban/boards')).boards
        board.value = boards.value.find(({ current }) => current)?.slug ?? boards.value[0]?.slug ?? 'default'
      }
      const answer = await client.get<Tasks>('/api/kanban/tasks', { board: board.value, search, limit: MOST_TASKS })
      if (mine !== last) return
      tasks.value = answer.tasks
      counts.value = answer.counts
      failure.value = undefined
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      if (mine === last) failure.value = error
    }
  }

  const put = (task: Task): void => {
    tasks.value = (tasks.value ?? []).map((one) => (one.id === task.id ? task : one))
  }

  const shown = (task: Task): Task => {
    const to = moving.value.get(task.id)
    return to === undefined ? task : { ...task, status: to }
  }

  const arrived = (id: string, to: Status): void => {
    // A later move of the same card is still on its way.
    if (moving.value.get(id) === to) moving.value = new Map([...moving.value].filter(([one]) => one !== id))
  }

  const stopListening = fleet.onBoard((changed) => {
    if (board.value !== undefined && changed !== board.value) return
    changes.value += 1
    void reload()
  })
  void reload()

  return {
    boards,
    board,
    counts,
    failure,
    changes,
    columns: computed(() => tasks.value && byColumn(tasks.value.map(shown))),
    reload,
    choose(slug) {
      board.value = slug
      tasks.value = undefined
      void reload()
    },
    search(text) {
      search = text
      void reload()
    },
    async create(task) {
      const made = await client.send<Task>('POST', '/api/kanban/tasks', task, { board: board.value })
      await reload()
      return made
    },
    async move(task, to, reason) {
      moving.value = new Map([...moving.value, [task.id, to]])
      try {
        const path = `/api/kanban/tasks/${task.id}/move`
        const moved = await client.send<Task>('POST', path, { to, ...(reason && { reason }) }, { board: board.value })
        batch(() => {
          put(moved)
          arrived(task.id, to)
        })
        void reload()
        return moved
      } catch (error) {
        arrived(task.id, to)
        void reload()
        throw error
      }
    },
    close: stopListening,
  }
}

/** Sorts a column: by priority, then by age; finished tasks the other way round. */
function byColumn(tasks: readonly Task[]): ReadonlyMap<Column, readonly Task[]> {
  const born = (task: Task): string => task.created_at ?? ''
  const columns = new Map<Column, Task[]>(COLUMNS.map((column) => [column, []]))
  for (const task of tasks) columns.get(task.status as Column)?.push(task)
  for (const [column, cards] of columns) {
    if (column === 'done') cards.sort((a, b) => (b.completed_at ?? '').localeCompare(a.completed_at ?? ''))
    else cards.sort((a, b) => b.priority - a.priority || born(a).localeCompare(born(b)))
  }
  return columns
}
