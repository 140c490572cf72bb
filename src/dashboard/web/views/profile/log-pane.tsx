import { useSignal } from '@preact/signals'
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks'
import { plural } from '../../core/format.ts'
import type { Entry } from '../../core/log-buffer.ts'
import type { LevelFilter } from '../../core/log-level.ts'
import { Button } from '../../parts/button.tsx'
import { Icon } from '../../parts/icon.tsx'
import { useApp } from '../../stores/app-context.ts'
import { type LogView, openLog } from '../../stores/log-view.ts'
import { LogList } from './log-list.tsx'

interface LogPaneProps {
  readonly profile: string
  /** In the API; default: a profile of this node. */
  readonly path?: string
  /** Begins with what was written up to then; absent: with the live log. */
  readonly until?: string | undefined
}

/** A profile's live log with its controls. */
export function LogPane({ profile, path = `/api/profiles/${profile}/logs`, until }: LogPaneProps) {
  const { client } = useApp()
  const view = useMemo(() => openLog(client, path, until), [client, path, until])
  useEffect(() => () => view.close(), [view])
  const chosen = useSignal<Extract<Entry, { kind: 'line' }> | undefined>(undefined)
  const highlight = useSignal('')
  return (
    <section class="log" aria-label={`Log of ${profile}`}>
      <LogControls view={view} highlight={highlight} />
      {view.failure.value !== undefined && (
        <p class="trouble" role="alert">
          {view.failure.value}
        </p>
      )}
      <LogList
        view={view}
        highlight={view.searched.value ?? highlight.value}
        onChoose={(entry) => (chosen.value = entry)}
      />
      {chosen.value && (
        <div class="log-line-whole">
          <header>
            <span class="mono muted">{chosen.value.at}</span>
            <Button icon="close" label="Close the line" tone="quiet" onClick={() => (chosen.value = undefined)} />
          </header>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a long line is scrolled with the keyboard too */}
          <pre tabIndex={0}>{chosen.value.text}</pre>
        </div>
      )}
    </section>
  )
}

function LogControls({ view, highlight }: { readonly view: LogView; readonly highlight: { value: string } }) {
  const level = useSignal<LevelFilter>('all')
  const search = useRef<HTMLInputElement>(null)
  const filter = (text: string): void => {
    highlight.value = text
    view.setFilter({ text: view.searched.peek() === undefined ? text : '', level: level.peek() })
  }
  const wholeLog = (): void => {
    const text = search.current?.value.trim() ?? ''
    view.setFilter({ text: '', level: level.peek() })
    void view.searchHistory(text)
  }
  const leaveSearch = (): void => {
    if (search.current) search.current.value = ''
    filter('')
    view.resume()
  }
  // Before it is painted: a key that is pressed as soon as the log is seen has its effect.
  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
      if (event.key === '/') {
        event.preventDefault()
        search.current?.focus()
      } else if (event.key === 'f') {
        if (view.following.peek()) view.hold()
        else view.resume()
      }
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [view])
  return (
    <form
      class="log-controls"
      onSubmit={(event) => {
        event.preventDefault()
        wholeLog()
      }}
    >
      <label class="search">
        <span class="unseen">Search the log</span>
        <Icon name="search" />
        <input
          ref={search}
          type="search"
          placeholder="Filter loaded lines; Enter searches the whole log"
          spellcheck={false}
          autocomplete="off"
          onInput={(event) => filter(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Escape') return
            leaveSearch()
            event.currentTarget.blur()
          }}
        />
      </label>
      <label>
        <span class="unseen">Minimum level shown</span>
        <select
          value={level.value}
          onChange={(event) => {
            level.value = event.currentTarget.value as LevelFilter
            filter(search.current?.value ?? '')
          }}
        >
          <option value="all">All lines</option>
          <option value="info">Info and up</option>
          <option value="warn">Warnings and up</option>
          <option value="error">Errors</option>
        </select>
      </label>
      <Follow view={view} leaveSearch={leaveSearch} />
      <Count view={view} />
    </form>
  )
}

function Follow({ view, leaveSearch }: { readonly view: LogView; readonly leaveSearch: () => void }) {
  if (view.searched.value !== undefined)
    return (
      <Button icon="close" onClick={leaveSearch}>
        Back to the live log
      </Button>
    )
  return view.following.value ? (
    <Button icon="pause" label="Pause: hold the view (f)" onClick={() => view.hold()}>
      Pause
    </Button>
  ) : (
    <Button icon="down" tone="main" label="Follow: show new lines (f)" onClick={() => view.resume()}>
      Follow
    </Button>
  )
}

/** Number of lines held and shown, and the state of the stream. */
function Count({ view }: { readonly view: LogView }) {
  const { version } = view.snapshot.value
  const shown = view.buffer.shown.length
  const { size } = view.buffer
  const connection = view.connection.value
  return (
    <p class="log-count" data-version={version}>
      <span>{countText(view.searched.value, shown, size)}</span>
      {/* Always there, so that nothing moves when they get a text. */}
      <span class="missed">{view.missed.value > 0 && `${plural(view.missed.value, 'line')} missed`}</span>
      <span class="behind">{view.behind.value > 0 && plural(view.behind.value, 'new line')}</span>
      <span class={`live ${connection.state}`}>
        {connection.state === 'live' ? 'live' : connection.state === 'away' ? 'away, trying again' : 'connecting'}
      </span>
    </p>
  )
}

function countText(searched: string | undefined, shown: number, size: number): string {
  if (searched !== undefined) return `${plural(shown, 'hit')} for “${searched}”`
  return shown === size ? plural(size, 'line') : `${shown.toLocaleString('en')} of ${plural(size, 'line')}`
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.closest('input, textarea, select, dialog, .xterm') !== null
