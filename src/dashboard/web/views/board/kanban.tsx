import { type Signal, useSignal } from '@preact/signals'
import { useEffect, useLayoutEffect, useMemo } from 'preact/hooks'
import { Button } from '../../parts/button.tsx'
import { FailureMessage } from '../../parts/failure.tsx'
import { Icon } from '../../parts/icon.tsx'
import { useApp, useMay } from '../../stores/app-context.ts'
import { type BoardStore, createBoard } from '../../stores/board.ts'
import { BoardColumns } from './board-columns.tsx'
import { BoardKeys } from './board-keys.tsx'
import { CreateTask } from './create-task.tsx'
import { DispatchPreview } from './dispatch-preview.tsx'
import { Routines } from './routines.tsx'
import { TaskDetails } from './task-details.tsx'

type Open =
  | { readonly what: 'create' | 'dispatch' | 'keys' | 'routines' }
  | { readonly what: 'task'; readonly id: string }
  | undefined

export function Kanban() {
  const { client, fleet } = useApp()
  const store = useMemo(() => createBoard(client, fleet), [client, fleet])
  useEffect(() => () => store.close(), [store])
  const open = useSignal<Open>(undefined)
  const close = (): void => {
    open.value = undefined
  }
  const now = open.value
  /** The form lists the tasks that a new one can wait for. */
  const known = store.columns.value !== undefined || store.failure.value !== undefined
  return (
    <div class="page fills">
      <BoardHead store={store} open={open} />
      {store.failure.value && <FailureMessage failure={store.failure.value} again={() => void store.reload()} />}
      <BoardColumns store={store} onOpen={(id) => (open.value = { what: 'task', id })} />
      {now?.what === 'create' && known && <CreateTask store={store} onClose={close} />}
      {now?.what === 'dispatch' && <DispatchPreview board={store.board.value} onClose={close} />}
      {now?.what === 'routines' && <Routines store={store} onClose={close} />}
      {now?.what === 'keys' && <BoardKeys onClose={close} />}
      {now?.what === 'task' && (
        <TaskDetails
          key={now.id}
          store={store}
          id={now.id}
          onOpen={(id) => (open.value = { what: 'task', id })}
          onClose={close}
        />
      )}
    </div>
  )
}

function BoardHead({ store, open }: { readonly store: BoardStore; readonly open: Signal<Open> }) {
  const isMember = useMay()('board')
  // Before it is painted: a key that is pressed as soon as the board is seen has its effect.
  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const typing = event.target instanceof Element && event.target.closest('input, textarea, select, dialog') !== null
      if (typing || event.ctrlKey || event.metaKey || event.altKey) return
      if (event.key === '?') open.value = { what: 'keys' }
      if (event.key === 'n' && isMember) {
        event.preventDefault()
        open.value = { what: 'create' }
      }
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [open, isMember])
  return (
    <header class="page-head">
      <div class="title">
        <h1>Kanban</h1>
        {store.boards.value.length > 1 && (
          <select
            aria-label="Board"
            value={store.board.value}
            onChange={(event) => store.choose(event.currentTarget.value)}
          >
            {store.boards.value.map(({ slug }) => (
              <option key={slug} value={slug}>
                {slug}
              </option>
            ))}
          </select>
        )}
      </div>
      <div class="actions">
        <label class="search">
          <span class="unseen">Search tasks</span>
          <Icon name="search" />
          <input
            type="search"
            placeholder="Search tasks"
            onInput={(event) => store.search(event.currentTarget.value)}
          />
        </label>
        <span class="keys-button">
          <Button icon="keys" label="Keys (?)" tone="quiet" onClick={() => (open.value = { what: 'keys' })} />
        </span>
        <Button icon="restart" onClick={() => (open.value = { what: 'routines' })}>
          Routines
        </Button>
        <Button icon="eye" onClick={() => (open.value = { what: 'dispatch' })}>
          Next tick
        </Button>
        <Button needs="board" icon="plus" tone="main" onClick={() => (open.value = { what: 'create' })}>
          New task
        </Button>
      </div>
    </header>
  )
}
