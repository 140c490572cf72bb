import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { TaskDetails as Details } from '../../api/contract.ts'
import { useApp } from '../app-context.ts'
import { moveName, type Status, targetsOf } from '../core/board-moves.ts'
import { duration, plural } from '../core/format.ts'
import { Button } from '../parts/button.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { Field } from '../parts/field.tsx'
import { Ago, Instant } from '../parts/time.tsx'
import { Trouble } from '../parts/trouble.tsx'
import { useLoaded } from '../stores/async.ts'
import type { BoardStore } from '../stores/board.ts'
import { Assignees } from './assignees.tsx'

interface TaskDetailsProps {
  readonly store: BoardStore
  readonly id: string
  readonly onOpen: (id: string) => void
  readonly onClose: () => void
}

/** Everything about a card: why it is not running first. */
export function TaskDetails({ store, id, onOpen, onClose }: TaskDetailsProps) {
  const { client, notices } = useApp()
  const path = `/api/kanban/tasks/${id}`
  const query = { board: store.board.value }
  const { value, failure, reload } = useLoaded(id, () => client.get<Details>(path, query))
  const changes = store.changes.value
  useEffect(() => {
    if (changes > 0) void reload()
  }, [changes, reload])
  const task = value.value
  const perform = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      notices.failed(error)
    }
    await reload()
  }
  return (
    <Dialog title={task?.title ?? id} side onClose={onClose}>
      {failure.value && <Trouble failure={failure.value} again={() => void reload()} />}
      {task && (
        <div class="task">
          <p class="task-facts">
            <span class={`tag status-${task.status}`}>{task.status}</span>
            <span class="mono muted">{task.id}</span>
            {task.created_at && (
              <span class="muted">
                made <Ago at={task.created_at} />
                {task.created_by !== undefined && ` by ${task.created_by}`}
              </span>
            )}
          </p>
          {task.why !== undefined && <p class="why">{task.why.replace(/^\S+ \(\w+\): /, '')}</p>}
          <Moves task={task} onMove={(to) => void perform(() => store.move(task, to))} />
          <Field label="Assignee">
            {(ids) => (
              <select
                {...ids}
                value={task.assignee ?? ''}
                onChange={(event) => {
                  const assignee = event.currentTarget.value || null
                  void perform(() => client.send('POST', `${path}/assign`, { assignee }, query))
                }}
              >
                <Assignees nobody="nobody" also={task.assignee} />
              </select>
            )}
          </Field>
          {task.body && <pre class="task-body">{task.body}</pre>}
          {task.result !== undefined && (
            <section>
              <h3>Result</h3>
              <pre class="task-body">{task.result}</pre>
            </section>
          )}
          <Links title="Waits for" tasks={task.parents} onOpen={onOpen} />
          <Links title="Holds up" tasks={task.children} onOpen={onOpen} />
          <Runs runs={task.runs} />
          <Comments
            comments={task.comments}
            onSay={(text) => perform(() => client.send('POST', `${path}/comment`, { text }, query))}
          />
          <Events events={task.events} />
        </div>
      )}
    </Dialog>
  )
}

function Moves({ task, onMove }: { readonly task: Details; readonly onMove: (to: Status) => void }) {
  return (
    <div class="actions">
      {targetsOf(task.status).map((to) => (
        <Button key={to} onClick={() => onMove(to)}>
          {moveName(task.status, to)}
        </Button>
      ))}
    </div>
  )
}

interface LinksProps {
  readonly title: string
  readonly tasks: Details['parents']
  readonly onOpen: (id: string) => void
}

function Links({ title, tasks, onOpen }: LinksProps) {
  if (tasks.length === 0) return null
  return (
    <section>
      <h3>{title}</h3>
      <ul class="items">
        {tasks.map(({ id, title: name, status }) => (
          <li key={id}>
            <button type="button" class="link" onClick={() => onOpen(id)}>
              {name}
            </button>{' '}
            <span class={`tag status-${status}`}>{status}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}

function Runs({ runs }: { readonly runs: Details['runs'] }) {
  if (runs.length === 0) return null
  return (
    <section>
      <h3>{plural(runs.length, 'run')}</h3>
      <ul class="items runs">
        {runs.toReversed().map((run) => (
          <li key={run.id}>
            <span class={`tag outcome-${run.outcome ?? 'running'}`}>{run.outcome ?? 'running'}</span> {run.profile}{' '}
            <span class="muted">
              <Instant at={run.started_at} />
              {run.ended_at !== undefined && `, ${duration(Date.parse(run.ended_at) - Date.parse(run.started_at))}`}
            </span>
            {(run.error ?? run.summary) !== undefined && <p>{run.error ?? run.summary}</p>}
          </li>
        ))}
      </ul>
    </section>
  )
}

interface CommentsProps {
  readonly comments: Details['comments']
  readonly onSay: (text: string) => Promise<void>
}

function Comments({ comments, onSay }: CommentsProps) {
  const text = useSignal('')
  return (
    <section>
      <h3>Comments</h3>
      <ul class="items comments">
        {comments.map(({ id, author, at, body }) => (
          <li key={id}>
            <strong>{author}</strong>{' '}
            <span class="muted">
              <Ago at={at} />
            </span>
            <p>{body}</p>
          </li>
        ))}
      </ul>
      <form
        class="say"
        onSubmit={async (event) => {
          event.preventDefault()
          await onSay(text.value)
          text.value = ''
        }}
      >
        <textarea
          aria-label="New comment"
          rows={2}
          required
          value={text.value}
          onInput={(event) => (text.value = event.currentTarget.value)}
        />
        <Button type="submit" disabled={text.value.trim() === ''}>
          Comment
        </Button>
      </form>
    </section>
  )
}

function Events({ events }: { readonly events: Details['events'] }) {
  return (
    <details>
      <summary>{plural(events.length, 'event')}</summary>
      <ul class="items events">
        {events.toReversed().map(({ id, kind, at, payload }) => (
          <li key={id}>
            <Instant at={at} /> <strong>{kind}</strong>{' '}
            {Object.keys(payload).length > 0 && <code>{JSON.stringify(payload)}</code>}
          </li>
        ))}
      </ul>
    </details>
  )
}
