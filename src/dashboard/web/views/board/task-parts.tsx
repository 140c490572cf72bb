/** Parts of a task besides its own text. */
import { useSignal } from '@preact/signals'
import type { TaskDetails as Details } from '../../../contract/board.ts'
import { duration, plural } from '../../core/format.ts'
import { Button } from '../../parts/button.tsx'
import { Ago, Instant } from '../../parts/time.tsx'
import { useMay } from '../../stores/app-context.ts'

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

interface SayProps {
  readonly label: string
  readonly action: string
  /** @returns whether it was accepted */
  readonly onSay: (text: string) => Promise<boolean>
}

/** A form with one text, which stays in it until it is accepted. */
function Say({ label, action, onSay }: SayProps) {
  const text = useSignal('')
  const busy = useSignal(false)
  const say = async (): Promise<void> => {
    const sent = text.value
    busy.value = true
    const accepted = await onSay(sent).finally(() => {
      busy.value = false
    })
    // Text typed since then has not been sent.
    if (accepted && text.value.startsWith(sent)) text.value = text.value.slice(sent.length)
  }
  return (
    <form
      class="say"
      onSubmit={(event) => {
        event.preventDefault()
        if (!busy.value) void say()
      }}
    >
      <textarea
        aria-label={label}
        rows={2}
        required
        value={text.value}
        onInput={(event) => (text.value = event.currentTarget.value)}
      />
      <Button type="submit" disabled={busy.value || text.value.trim() === ''}>
        {action}
      </Button>
    </form>
  )
}

export function Review({ onSay }: Pick<SayProps, 'onSay'>) {
  return (
    <section>
      <h3>Review</h3>
      <Say label="Changes for the next run" action="Request changes" onSay={onSay} />
    </section>
  )
}

type ResultProps = Pick<Details, 'result' | 'result_json' | 'result_schema'>

export function Result({ result, result_json: value, result_schema: schema }: ResultProps) {
  const isText = result !== undefined && result !== JSON.stringify(value)
  return (
    <>
      {(isText || value !== undefined) && (
        <section>
          <h3>Result</h3>
          {isText && <pre class="task-body">{result}</pre>}
          {value !== undefined && <pre class="task-body">{JSON.stringify(value, null, 2)}</pre>}
        </section>
      )}
      {schema !== undefined && (
        <details>
          <summary>Schema of the result</summary>
          <pre class="task-body">{JSON.stringify(schema, null, 2)}</pre>
        </details>
      )}
    </>
  )
}

interface CommentsProps {
  readonly comments: Details['comments']
  readonly onSay: SayProps['onSay']
}

export function Comments({ comments, onSay }: CommentsProps) {
  const isMember = useMay()('board')
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
      {isMember && <Say label="New comment" action="Comment" onSay={onSay} />}
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
