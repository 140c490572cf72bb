/**
 * The view of one gateway's log. Live: new lines are added and the oldest are dropped beyond the limit. Held (paused,
 * or scrolled up): the lines stay in place, older pages can be added above, and beyond the limit new lines are only
 * counted.
 */
import { type ReadonlySignal, signal } from '@preact/signals'
import type { LogLine, LogLines, LogPage, Missed } from '../../contract/logs.ts'
import { type Client, Failure } from '../client/client.ts'
import { type Connection, follow } from '../client/follow.ts'
import { continuesAt, type Filter, LogBuffer } from '../core/log-buffer.ts'

export const MAX_LINES = 20_000
const PAGE_LINES = 500
/** Number of lines in which a page of the file and the live stream are compared. */
const MEETING_LINES = 2_000

export interface LogSnapshot {
  /** Goes up with each change: what is shown is read from the buffer. */
  readonly version: number
  /**
   * Rows that were put above what was shown, less those taken away there, since the log was opened: a held view moves
   * along.
   */
  readonly shift: number
  /** Rows that the last change put below what is held. */
  readonly added: number
}

export interface LogView {
  readonly buffer: LogBuffer
  readonly snapshot: ReadonlySignal<LogSnapshot>
  readonly connection: ReadonlySignal<Connection>
  readonly following: ReadonlySignal<boolean>
  /** New lines since the view was held. */
  readonly behind: ReadonlySignal<number>
  /** Lines the server left out for us since the log was opened: we, or the way to us, were too slow. */
  readonly missed: ReadonlySignal<number>
  /** The text whose hits in the whole history are shown in place of the live log. */
  readonly searched: ReadonlySignal<string | undefined>
  readonly olderState: ReadonlySignal<'some' | 'loading' | 'none' | 'let-go'>
  readonly failure: ReadonlySignal<string | undefined>
  setFilter(filter: Filter): void
  hold(): void
  resume(): void
  loadOlder(): Promise<void>
  /** @param text empty: back to the live log */
  searchHistory(text: string): Promise<void>
  close(): void
}

/**
 * @param path of the log in the API: `/api/profiles/coder/logs`
 * @param until begins with what was written up to then, held; absent: with the live log
 */
export function openLog(client: Client, path: string, until?: string): LogView {
  const buffer = new LogBuffer(MAX_LINES)
  const snapshot = signal<LogSnapshot>({ version: 0, shift: 0, added: 0 })
  const connection = signal<Connection>({ state: 'connecting' })
  const following = signal(true)
  const behind = signal(0)
  const missed = signal(0)
  const searched = signal<string | undefined>(undefined)
  const olderState = signal<'some' | 'loading' | 'none' | 'let-go'>('loading')
  const failure = signal<string | undefined>(undefined)
  let before: string | undefined
  /** Lines that came while the page of the file they follow on is still on its way; undefined: none is. */
  let waiting: LogLine[] | undefined
  /** Which of several loads is the last one: answers to earlier ones are dropped. */
  let generation = 0
  /** The end of the buffer is no longer the place where the stream continues. */
  let detached = false

  const changed = (shift = 0, added = 0): void => {
    const { version, shift: sum } = snapshot.value
    snapshot.value = { version: version + 1, shift: sum + shift, added }
  }

  const add = (lines: readonly LogLine[]): void => {
    if (following.value) {
      const { dropped, droppedShown } = buffer.append(lines)
      if (dropped > 0) letGo()
      changed(-droppedShown)
      return
    }
    behind.value += lines.length
    if (detached || searched.value !== undefined) return
    if (buffer.size + lines.length > MAX_LINES) {
      detached = true
      return
    }
    const shownBefore = buffer.shown.length
    buffer.append(lines)
    changed(0, buffer.shown.length - shownBefore)
  }

  /** Shows a page that does not go on with the live log. */
  const showPage = async (query: { readonly until: string } | { readonly search: string }): Promise<void> => {
    const mine = ++generation
    waiting = undefined
    following.value = false
    behind.value = 0
    olderState.value = 'loading'
    try {
      const page = await read(query)
      if (mine !== generation) return
      failure.value = undefined
      detached = true
      buffer.clear()
      buffer.append(page.lines)
      before = page.before
      olderState.value = before === undefined ? 'none' : 'some'
      // Of a moment the last lines are wanted.
      changed('until' in query ? buffer.shown.length : 0)
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      olderState.value = 'none'
      failure.value = error.message
    }
  }

  const letGo = (): void => {
    before = undefined
    olderState.value = 'let-go'
  }

  const read = (query: {
    readonly before?: string | undefined
    readonly until?: string | undefined
    readonly search?: string | undefined
  }): Promise<LogPage> => client.get<LogPage>(path, { lines: PAGE_LINES, ...query })

  /** Loads the end of the file, and continues with the stream. */
  const load = async (keep: boolean): Promise<void> => {
    const mine = ++generation
    waiting = []
    try {
      const page = await read({})
      if (mine !== generation) return
      const texts = page.lines.map(({ text }) => text)
      const known = keep ? continuesAt(buffer.tail(MEETING_LINES), texts) : 0
      if (!keep || buffer.size === 0) {
        buffer.clear()
        before = page.before
        olderState.value = before === undefined ? 'none' : 'some'
      } else if (known === 0 && page.lines.length > 0) buffer.appendGap()
      buffer.append(page.lines.slice(known))
      const live = waiting ?? []
      const met = continuesAt(
        texts,
        live.map(({ text }) => text),
      )
      waiting = undefined
      detached = false
      failure.value = undefined
      changed()
      if (live.length > met) add(live.slice(met))
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      if (mine === generation) {
        waiting = undefined
        failure.value = error.message
      }
    }
  }

  const stream = follow(client, `${path}/follow`, {
    opened() {
      if (generation === 0) void load(false)
      else if (following.value) void load(true)
      else detached = true // what is being read stays; going on live loads the file's end
    },
    changed: (state) => {
      connection.value = state
    },
    event({ name, data }) {
      if (name === 'missed') {
        const count = (JSON.parse(data) as Missed).missed
        missed.value += count
        if (waiting !== undefined || detached || searched.value !== undefined) return
        buffer.appendGap(count)
        changed()
        return
      }
      if (name !== 'lines') return
      const { lines } = JSON.parse(data) as LogLines
      if (waiting === undefined) add(lines)
      else waiting = [...waiting, ...lines].slice(-MAX_LINES)
    },
  })

  if (until !== undefined) void showPage({ until })

  return {
    buffer,
    snapshot,
    connection,
    following,
    behind,
    missed,
    searched,
    olderState,
    failure,
    setFilter(filter) {
      buffer.setFilter(filter)
      changed()
    },
    hold() {
      if (!following.value) return
      following.value = false
      behind.value = 0
    },
    resume() {
      if (following.value) return
      following.value = true
      behind.value = 0
      const again = detached || searched.value !== undefined
      searched.value = undefined
      if (again) void load(false)
      else changed()
    },
    async loadOlder() {
      if (olderState.value === 'let-go') {
        // The file's end with its cursor: from there it can be read upwards again.
        following.value = false
        behind.value = 0
        await load(false)
        return
      }
      if (olderState.value !== 'some' || before === undefined) return
      const mine = generation
      olderState.value = 'loading'
      try {
        const page = await read({ before, search: searched.value })
        if (mine !== generation) return
        before = page.before
        olderState.value = before === undefined ? 'none' : 'some'
        failure.value = undefined
        const { added, cut } = buffer.prepend(page.lines)
        if (cut > 0) detached = true
        changed(added)
      } catch (error) {
        if (!(error instanceof Failure)) throw error
        olderState.value = 'some'
        failure.value = error.message
      }
    },
    async searchHistory(text) {
      if (text === '') return this.resume()
      searched.value = text
      await showPage({ search: text })
    },
    close: () => stream.close(),
  }
}
