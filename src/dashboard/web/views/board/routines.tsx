/** Tasks that come again: the routines of a board. */
import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { Routines as Answer, Routine } from '../../../contract/routines.ts'
import { Button } from '../../parts/button.tsx'
import { Confirm } from '../../parts/confirm.tsx'
import { Dialog } from '../../parts/dialog.tsx'
import { Empty, FailureMessage } from '../../parts/failure.tsx'
import { Instant, Until } from '../../parts/time.tsx'
import { useApp } from '../../stores/app-context.ts'
import { useLoaded } from '../../stores/async.ts'
import type { BoardStore } from '../../stores/board.ts'
import { CreateRoutine } from './create-routine.tsx'

const PATH = '/api/kanban/routines'

export function Routines({ store, onClose }: { readonly store: BoardStore; readonly onClose: () => void }) {
  const { client, notices } = useApp()
  const query = { board: store.board.value }
  const { value, failure, reload } = useLoaded(query.board ?? '', () => client.get<Answer>(PATH, query))
  // A task that a routine has made changes the board.
  const changes = store.changes.value
  useEffect(() => {
    if (changes > 0) void reload()
  }, [changes, reload])
  const asking = useSignal<'create' | { readonly remove: string } | undefined>(undefined)
  const answered = (): void => {
    asking.value = undefined
    void reload()
  }
  const perform = async (work: () => Promise<unknown>): Promise<void> => {
    await work().catch(notices.failed)
    await reload()
  }
  const run = async (path: string): Promise<void> => {
    const { task_id: id } = await client.send<{ task_id: string }>('POST', `${path}/run`, undefined, query)
    notices.done(`${id} is created`)
  }
  const now = asking.value
  return (
    <Dialog title="Routines" side onClose={onClose}>
      {failure.value && <FailureMessage failure={failure.value} again={() => void reload()} />}
      {value.value?.routines.length === 0 && (
        <Empty title="No routines" hint="A routine creates a task again and again, at times that you choose." />
      )}
      <ul class="items routines">
        {value.value?.routines.map((routine) => {
          const path = `${PATH}/${encodeURIComponent(routine.name)}`
          return (
            <li key={routine.name} data-routine={routine.name}>
              <Facts routine={routine} />
              <div class="actions">
                <Button
                  needs="board"
                  onClick={() => void perform(() => client.send('PATCH', path, { paused: !routine.paused }, query))}
                >
                  {routine.paused ? 'Resume' : 'Pause'}
                </Button>
                <Button needs="board" onClick={() => void perform(() => run(path))}>
                  Run now
                </Button>
                <Button needs="board" tone="danger" onClick={() => (asking.value = { remove: routine.name })}>
                  Delete
                </Button>
              </div>
            </li>
          )
        })}
      </ul>
      <p>
        <Button needs="board" icon="plus" onClick={() => (asking.value = 'create')}>
          New routine
        </Button>
      </p>
      {now === 'create' && <CreateRoutine path={PATH} board={query.board} onClose={answered} />}
      {typeof now === 'object' && (
        <Confirm
          title={`Delete ${now.remove}`}
          action="Delete for good"
          perform={() => client.send('DELETE', `${PATH}/${encodeURIComponent(now.remove)}`, undefined, query)}
          onClose={answered}
        >
          <p>It makes no more tasks. Those that it has made stay.</p>
        </Confirm>
      )}
    </Dialog>
  )
}

function Facts({ routine: { name, title, assignee, cron, tz, next, paused, problem } }: { readonly routine: Routine }) {
  return (
    <div>
      <h3>{name}</h3>
      <p>
        {title} <span class="muted">({assignee ?? 'unassigned'})</span>
      </p>
      <p class="muted">
        <code>{cron}</code> in {tz}
      </p>
      <p class="next">
        {next !== null && (
          <>
            next <Until at={next} />, <Instant at={next} /> UTC
          </>
        )}
        {next === null && (problem ?? (paused ? 'paused' : 'no time follows'))}
      </p>
    </div>
  )
}
