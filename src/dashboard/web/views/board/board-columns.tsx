import { useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import type { Task } from '../../../contract/board.ts'
import {
  COLUMNS,
  type Column,
  isFocusKey,
  mayMove,
  nextFocus,
  nextTarget,
  type Status,
} from '../../core/board-moves.ts'
import { useApp, useMay } from '../../stores/app-context.ts'
import type { BoardStore } from '../../stores/board.ts'
import { followPress } from '../../stores/card-drag.ts'
import { Card } from './card.tsx'

interface Lifted {
  readonly task: Task
  readonly by: 'key' | 'pointer'
  /** The column it would go to. */
  readonly over: Status | undefined
}

interface BoardColumnsProps {
  readonly store: BoardStore
  readonly onOpen: (id: string) => void
}

/**
 * The columns. A card is moved by dragging it, or with Space, arrows and Space. All actions are announced to screen
 * readers.
 */
export function BoardColumns({ store, onOpen }: BoardColumnsProps) {
  const { notices } = useApp()
  const isMember = useMay()('board')
  const board = useRef<HTMLDivElement>(null)
  const lifted = useSignal<Lifted | undefined>(undefined)
  const said = useSignal('')
  /** The card that Tab leads to. */
  const entry = useSignal<string | undefined>(undefined)
  /** Has the focus wherever the next drawing puts it, until the board has answered its move. */
  const refocus = useRef<{ readonly id: string; settled: boolean } | undefined>(undefined)
  const columns = store.columns.value

  useEffect(() => {
    const held = refocus.current
    if (held === undefined) return
    // In another column it is another element; a focus that the user has moved stays where it is.
    if (document.activeElement === document.body)
      board.current?.querySelector<HTMLElement>(`[data-card="${held.id}"]`)?.focus()
    if (held.settled) refocus.current = undefined
  })

  const move = async (task: Task, to: Status | undefined): Promise<void> => {
    lifted.value = undefined
    if (to === undefined || to === task.status) {
      said.value = `${task.title} stays in ${task.status}`
      return
    }
    if (!mayMove(task.status, to)) {
      said.value = `${task.title} cannot go from ${task.status} to ${to}`
      return
    }
    try {
      const moved = await store.move(task, to)
      said.value = `${task.title} is ${moved.status} now`
    } catch (error) {
      said.value = `${task.title} stays in ${task.status}`
      notices.failed(error)
    }
  }

  const onKeyDown = (event: KeyboardEvent, task: Task): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const held = lifted.value?.by === 'key' ? lifted.value : undefined
    const { key } = event
    if (held === undefined) {
      if (key === 'Enter') onOpen(task.id)
      else if (key === ' ' && isMember) {
        lifted.value = { task, by: 'key', over: task.status }
        said.value = `${task.title} is lifted. Left and right choose a column, Space puts it down, Escape leaves it in ${task.status}.`
      } else if (isFocusKey(key)) {
        const ids = COLUMNS.map((column) => (columns?.get(column) ?? []).map(({ id }) => id))
        const next = nextFocus(ids, task.id, key)
        board.current?.querySelector<HTMLElement>(`[data-card="${next}"]`)?.focus()
      } else return
      event.preventDefault()
      return
    }
    if (key === 'ArrowLeft' || key === 'ArrowRight') {
      const over = nextTarget(task.status, held.over ?? task.status, key === 'ArrowLeft' ? -1 : 1)
      lifted.value = { ...held, over }
      said.value = over === task.status ? `${over}, where it is` : over
      board.current?.querySelector(`[data-column="${over}"]`)?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
    } else if (key === ' ' || key === 'Enter') {
      const moved = { id: task.id, settled: false }
      refocus.current = moved
      void move(task, held.over).finally(() => {
        moved.settled = true
      })
    } else if (key === 'Escape') {
      lifted.value = undefined
      said.value = `${task.title} stays in ${task.status}`
    } else return
    event.preventDefault()
  }

  const onPress = (event: PointerEvent, task: Task): void => {
    if (event.button !== 0 || board.current === null || !isMember) return
    followPress(event, event.currentTarget as HTMLElement, board.current, {
      lifted: () => {
        lifted.value = { task, by: 'pointer', over: undefined }
      },
      over: (column) => {
        if (lifted.value?.over !== column) lifted.value = { task, by: 'pointer', over: column as Status | undefined }
      },
      dropped: (column) => void move(task, column as Status | undefined),
      cancelled: () => {
        lifted.value = undefined
      },
    })
  }

  const first = COLUMNS.map((column) => columns?.get(column)?.[0]?.id).find((id) => id !== undefined)
  const known = columns && [...columns.values()].some((cards) => cards.some(({ id }) => id === entry.value))
  return (
    <>
      <div
        ref={board}
        class={`board${lifted.value ? ' lifting' : ''}`}
        style={{ '--columns': widths(columns) }}
        aria-busy={columns === undefined}
      >
        {COLUMNS.map((column) => (
          <section
            key={column}
            class={`column ${dropClass(column, lifted.value)}`}
            data-column={column}
            aria-label={column}
          >
            <h2>
              {column} <span class="number">{store.counts.value[column] ?? 0}</span>
            </h2>
            <ul>
              {columns?.get(column)?.map((task) => (
                <Card
                  key={task.id}
                  task={task}
                  lifted={lifted.value?.task.id === task.id}
                  tabbable={task.id === (known ? entry.value : first)}
                  onFocus={() => (entry.value = task.id)}
                  onKeyDown={(event) => onKeyDown(event, task)}
                  onPress={(event) => onPress(event, task)}
                  onOpen={() => onOpen(task.id)}
                />
              ))}
            </ul>
          </section>
        ))}
      </div>
      <p class="unseen" aria-live="assertive">
        {said.value}
      </p>
    </>
  )
}

/** Empty columns are narrower, so that as much as possible is visible at once. */
const widths = (columns: ReadonlyMap<Column, readonly Task[]> | undefined): string =>
  COLUMNS.map((column) => (columns?.get(column)?.length === 0 ? 'minmax(108px, 0.5fr)' : 'minmax(184px, 1fr)')).join(
    ' ',
  )

function dropClass(column: Column, lifted: Lifted | undefined): string {
  if (lifted === undefined) return ''
  const allowed = lifted.task.status === column || mayMove(lifted.task.status, column)
  return `${allowed ? 'open' : 'shut'}${lifted.over === column ? ' over' : ''}`
}
