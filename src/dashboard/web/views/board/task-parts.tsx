/** Parts of a task besides its own text. */
import { useSignal } from '@preact/signals'
import type { TaskDetails as Details } from '../../../contract/board.ts'
import { duration, plural } from '../../core/format.ts'
import { Button } from '../../parts/button.tsx'
import { Ago, Instant } from '../../parts/time.tsx'

interface LinksProps {
  readonly title: string
  readonly tasks: Details['parents']
  readonly onOpen: (id: string) => void
}

export function Links({ title, tasks, onOpen }: LinksProps) {
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

export function Runs({ runs }: { readonly runs: Details['runs'] }) {
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

export function Comments({ comments, onSay }: CommentsProps) {
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

export function Events({ events }: { readonly events: Details['events'] }) {
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
