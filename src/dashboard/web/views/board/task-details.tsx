import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { TaskDetails as Details } from '../../../contract/board.ts'
import { moveName, type Status, targetsOf } from '../../core/board-moves.ts'
import { Button } from '../../parts/button.tsx'
import { Confirm } from '../../parts/confirm.tsx'
import { Dialog } from '../../parts/dialog.tsx'
import { FailureMessage } from '../../parts/failure.tsx'
import { Field } from '../../parts/field.tsx'
import { Ago } from '../../parts/time.tsx'
import { useApp, useMay } from '../../stores/app-context.ts'
import { useLoaded } from '../../stores/async.ts'
import type { BoardStore } from '../../stores/board.ts'
import { Assignees } from './assignees.tsx'
import { Attachments } from './attachments.tsx'
import { EditTask } from './edit-task.tsx'
import { Comments, Events, Links, Result, Review, Runs } from './task-parts.tsx'

interface TaskDetailsProps {
  readonly store: BoardStore
  readonly id: string
  readonly onOpen: (id: string) => void
  readonly onClose: () => void
}

/** Everything about a card, beginning with the reason why it is not running. */
export function TaskDetails({ store, id, onOpen, onClose }: TaskDetailsProps) {
  const { client, notices } = useApp()
  const isMember = useMay()('board')
  const path = `/api/kanban/tasks/${id}`
  const query = { board: store.board.value }
  const { value, failure, reload } = useLoaded(id, () => client.get<Details>(path, query))
  const changes = store.changes.value
  useEffect(() => {
    if (changes > 0) void reload()
  }, [changes, reload])
  const task = value.value
  const asking = useSignal<'edit' | 'delete' | undefined>(undefined)
  const answered = (): void => {
    asking.value = undefined
    void reload()
  }
  /** @returns whether it was accepted */
  const perform = async (work: () => Promise<unknown>): Promise<boolean> => {
    try {
      await work()
      return true
    } catch (error) {
      notices.failed(error)
      return false
    } finally {
      await reload()
    }
  }
  return (
    <Dialog title={task?.title ?? id} side onClose={onClose}>
      {failure.value && <FailureMessage failure={failure.value} again={() => void reload()} />}
      {task && (
        <div class="task">
          <p class="task-facts">
            <span class={`tag status-${task.status}`}>{task.status}</span>
            <span class="mono muted">{task.id}</span>
            {task.needs !== undefined && <span class="muted">needs {task.needs.join(', ')}</span>}
            {task.once && <span class="muted">started at most once</span>}
            {task.created_at && (
              <span class="muted">
                made <Ago at={task.created_at} />
                {task.created_by !== undefined && ` by ${task.created_by}`}
              </span>
            )}
          </p>
          {task.why !== undefined && <p class="why">{task.why.replace(/^\S+ \(\w+\): /, '')}</p>}
          <Moves
            task={task}
            onMove={(to) => void perform(() => store.move(task, to))}
            onAsk={(what) => (asking.value = what)}
          />
          <Field label="Assignee">
            {(ids) => (
              <select
                {...ids}
                disabled={!isMember}
                value={task.assignee ?? ''}
                onChange={(event) => {
                  const assignee = event.currentTarget.value || null
                  void perform(() => client.send('POST', `${path}/assign`, { assignee }, query))
                }}
              >
                <Assignees unassigned="unassigned" also={task.assignee} />
              </select>
            )}
          </Field>
          {task.body && <pre class="task-body">{task.body}</pre>}
          {task.attachments && (
            <Attachments
              files={task.attachments}
              maxBytes={task.attachment_max_bytes ?? 0}
              path={path}
              board={query.board}
              perform={perform}
            />
          )}
          <Result {...task} />
          {task.status === 'review' && isMember && (
            <Review onSay={(text) => perform(() => client.send('POST', `${path}/request-changes`, { text }, query))} />
          )}
          <Links title="Waits for" tasks={task.parents} onOpen={onOpen} />
          <Links title="Holds up" tasks={task.children} onOpen={onOpen} />
          <Runs runs={task.runs} />
          <Comments
            comments={task.comments}
            onSay={(text) => perform(() => client.send('POST', `${path}/comment`, { text }, query))}
          />
          <Events events={task.events} />
          {asking.value === 'edit' && <EditTask task={task} board={query.board} onClose={answered} />}
          {asking.value === 'delete' && (
            <Confirm
              title={`Delete ${id}`}
              action="Delete for good"
              perform={() => client.send('DELETE', path, undefined, query)}
              onClose={(isDone) => {
                if (!isDone) return answered()
                notices.done(`${id} is deleted`)
                onClose()
                void store.reload()
              }}
            >
              <p>Its comments, runs, events, logs and files are deleted with it. Archive only hides a task.</p>
            </Confirm>
          )}
        </div>
      )}
    </Dialog>
  )
}

interface MovesProps {
  readonly task: Details
  readonly onMove: (to: Status) => void
  readonly onAsk: (what: 'edit' | 'delete') => void
}

function Moves({ task: { status }, onMove, onAsk }: MovesProps) {
  return (
    <div class="actions">
      {targetsOf(status).map((to) => (
        <Button needs="board" key={to} onClick={() => onMove(to)}>
          {moveName(status, to)}
        </Button>
      ))}
      {status !== 'done' && status !== 'archived' && (
        <Button needs="board" onClick={() => onAsk('edit')}>
          Edit
        </Button>
      )}
      {status !== 'running' && (
        <Button needs="board" tone="danger" onClick={() => onAsk('delete')}>
          Delete
        </Button>
      )}
    </div>
  )
}
