/** Reads the events of all boards, each once, and observes the ends of tasks. */
import type { Board, BoardPlace } from '../../kanban/port/board.ts'
import { type Boards, withBoard } from '../../kanban/port/boards.ts'
import type { BoardEvent, Task } from '../../kanban/task.ts'
import type { BoardWatch } from '../../kanban/watch/board-watch.ts'
import type { NotifyEvent } from '../../profile/config/kinds/notify-kinds.ts'
import { HermesError } from '../../system/errors.ts'
import type { Observed } from '../notification.ts'
import type { Note } from '../outbox/outbox.ts'
import { GIVE_UP_MS } from '../retry.ts'

export const BOARD_NOTES = 'board:'

const EVENTS_OF: Readonly<Record<string, NotifyEvent>> = {
  blocked: 'task_blocked',
  auto_blocked: 'task_blocked',
  review: 'task_review',
  completed: 'task_done',
}
const VERBS: Partial<Record<NotifyEvent, string>> = {
  task_blocked: 'is blocked',
  task_review: 'waits for a review',
  task_done: 'is done',
}
const BATCH = 200
/** Of a board that is met for the first time, no more events are read. */
const MOST_OLD = 1000

export interface BoardEventsFacts {
  readonly boards: Boards
  readonly watch: BoardWatch
  /** Last event that was read, by board, as the outbox has it. */
  readonly read: ReadonlyMap<string, unknown>
  /** When notifications began here, Unix ms: nothing older is reported. */
  readonly begunAtMs: number
  readonly wallMs: () => number
  /** Keeps both or, where that fails, none: then it throws, and the events are read again. */
  readonly keep: (notes: readonly Note[], observed: readonly Observed[]) => void
  readonly failed: (error: unknown) => void
}

export class BoardEvents {
  readonly #facts: BoardEventsFacts
  readonly #read: Map<string, number>
  /** Boards that have to be read, besides those that change. */
  #again: Set<string> | undefined
  #busy = false

  constructor(facts: BoardEventsFacts) {
    this.#facts = facts
    this.#read = new Map([...facts.read] as [string, number][])
  }

  /** Called every second. Never rejects. */
  async poll(): Promise<void> {
    if (this.#busy) return
    this.#busy = true
    try {
      const changed = new Set([...(await this.#facts.watch.look()), ...(this.#again ?? (await this.#all()))])
      this.#again = new Set(changed)
      for (const slug of changed) {
        await this.#readBoard(slug)
        this.#again.delete(slug)
      }
    } catch (error) {
      if (!(error instanceof HermesError)) throw error
      this.#facts.failed(error)
    } finally {
      this.#busy = false
    }
  }

  /** Every board may have events from a time in which no notifier ran. */
  async #all(): Promise<readonly string[]> {
    return (await this.#facts.boards.list()).map(({ slug }) => slug)
  }

  async #readBoard(slug: string): Promise<void> {
    const { boards, keep } = this.#facts
    const place = boards.place(slug)
    if (!(await boards.has(place))) {
      if (this.#read.delete(slug)) keep([{ subject: `${BOARD_NOTES}${slug}`, value: undefined }], [])
      return
    }
    const options = { mode: 'read', warn: () => undefined } as const
    await withBoard(boards, place, options, (board) => this.#readEvents(board, place))
  }

  async #readEvents(board: Board, { slug }: BoardPlace): Promise<void> {
    const { keep, wallMs, begunAtMs } = this.#facts
    const oldestMs = Math.max(begunAtMs, wallMs() - GIVE_UP_MS)
    let after = await this.#begin(board, slug)
    for (;;) {
      const events = await board.events(after, BATCH)
      const last = events.at(-1)
      if (last === undefined) return
      const observed: Observed[] = []
      for (const event of events) {
        const kind = event.atMs < oldestMs ? undefined : EVENTS_OF[event.kind]
        if (kind !== undefined) observed.push(observedOf(kind, event, await board.find(event.taskId)))
      }
      keep([{ subject: `${BOARD_NOTES}${slug}`, value: last.id }], observed)
      after = last.id
      this.#read.set(slug, after)
    }
  }

  async #begin(board: Board, slug: string): Promise<number> {
    const known = this.#read.get(slug)
    const last = await board.eventsTail(0)
    // A board with fewer events than were read is another one of that name.
    if (known !== undefined && known <= last) return known
    return board.eventsTail(MOST_OLD)
  }
}

function observedOf(kind: NotifyEvent, { taskId, atMs, payload }: BoardEvent, task: Task | undefined): Observed {
  const title = task === undefined ? '' : ` (${task.title})`
  const reason = [payload.reason, payload.error].find((text) => typeof text === 'string' && text !== '')
  return {
    event: kind,
    atMs,
    task: taskId,
    ...(task?.assignee != null && { profile: task.assignee }),
    text: `task ${taskId}${title} ${VERBS[kind]}${reason === undefined ? '' : `: ${reason}`}; hermes kanban show ${taskId}`,
  }
}
