import { useSignal } from '@preact/signals'
import { memo } from 'preact/compat'
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks'
import { clockTime, plural } from '../../core/format.ts'
import type { Entry } from '../../core/log-buffer.ts'
import { isAtEnd, windowOf } from '../../core/virtual-window.ts'
import { Button } from '../../parts/button.tsx'
import type { LogView } from '../../stores/log-view.ts'

const ROW_PX = 20
const OVERSCAN = 20
/** Characters of a line that are drawn; the whole of it is shown when it is chosen. */
const DRAWN = 2_000

type Line = Extract<Entry, { kind: 'line' }>

interface LogListProps {
  readonly view: LogView
  readonly highlight: string
  readonly onChoose: (entry: Line) => void
}

/**
 * The lines of a log: only those that are seen, and a few more, are in the document. Every row has one height, so what
 * comes in moves nothing that is being read.
 */
export function LogList({ view, highlight, onChoose }: LogListProps) {
  const box = useRef<HTMLDivElement>(null)
  const scrollTop = useSignal(0)
  const viewportPx = useSignal(0)
  const shiftSeen = useRef(0)
  const heightSeen = useRef(0)
  const { version, shift } = view.snapshot.value
  const { shown, longest } = view.buffer
  const older = view.olderState.value
  const following = view.following.value
  const { first, end, offsetPx, totalPx } = windowOf({
    scrollTop: following ? Number.MAX_SAFE_INTEGER : scrollTop.value,
    viewportPx: viewportPx.value,
    rowPx: ROW_PX,
    count: shown.length,
    overscan: OVERSCAN + (following ? Math.ceil(viewportPx.value / ROW_PX) : 0),
  })

  useEffect(() => {
    const element = box.current
    if (element === null) return
    const observer = new ResizeObserver(() => {
      viewportPx.value = element.clientHeight
    })
    observer.observe(element)
    return () => observer.disconnect()
  }, [viewportPx])

  useLayoutEffect(() => {
    const element = box.current
    if (element === null) return
    // The event of a user's scrolling comes with the next frame: what is drawn before it must not take the view back.
    const height = Math.min(heightSeen.current, element.scrollHeight)
    heightSeen.current = element.scrollHeight
    if (following && isScrolledUp(element, scrollTop.peek(), height)) view.hold()
    else if (following) element.scrollTop = element.scrollHeight
    else if (shift > shiftSeen.current) element.scrollTop += (shift - shiftSeen.current) * ROW_PX
    shiftSeen.current = shift
    scrollTop.value = element.scrollTop
  }, [version, shift, following, viewportPx.value])

  const onScroll = (): void => {
    const element = box.current
    if (element === null) return
    const was = scrollTop.peek()
    const now = element.scrollTop
    scrollTop.value = now
    if (isScrolledUp(element, was, element.scrollHeight)) view.hold()
    // Users scroll to the end that they see; the last lines may have arrived before this event.
    const { added } = view.snapshot.peek()
    const down = now > was + 1 && isAtEnd(now, element.clientHeight, element.scrollHeight - added * ROW_PX, ROW_PX)
    if (down && view.searched.peek() === undefined) view.resume()
    if (now < ROW_PX * 10 && older === 'some' && !view.following.peek()) void view.loadOlder()
  }

  return (
    <div
      ref={box}
      class="log-lines"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it is scrolled with the keyboard too
      tabIndex={0}
      role="log"
      aria-live="off"
      aria-label="Lines, oldest first"
      onScroll={onScroll}
      onClick={(event) => choose(event.target, shown, onChoose)}
      onKeyDown={(event) => {
        if (event.key === 'End') view.resume()
      }}
    >
      {older === 'let-go' && !following && (
        <div class="log-older">
          Older lines were dropped to limit memory.{' '}
          <Button onClick={() => void view.loadOlder()}>Read them from the file</Button>
        </div>
      )}
      {shown.length === 0 && older !== 'loading' && <p class="empty">Nothing to show.</p>}
      <div
        class="log-space"
        style={{ height: `${totalPx}px`, minWidth: `calc(${Math.min(longest, DRAWN)}ch + 10.5rem)` }}
      >
        <div class="log-window" style={{ transform: `translateY(${offsetPx}px)` }}>
          {shown.slice(first, end).map((entry) => (
            <Row key={entry.seq} entry={entry} highlight={highlight} />
          ))}
        </div>
      </div>
    </div>
  )
}

/**
 * Tells whether the user has scrolled up, away from the end: new lines make the list longer, but the position stays.
 * @param was the position before, in pixels
 * @param height of the list, in pixels, without lines that the user has not seen
 */
const isScrolledUp = ({ scrollTop, clientHeight }: HTMLElement, was: number, height: number): boolean =>
  scrollTop < was - 1 && !isAtEnd(scrollTop, clientHeight, height, ROW_PX)

const Row = memo(({ entry, highlight }: { readonly entry: Entry; readonly highlight: string }) =>
  entry.kind === 'gap' ? (
    <div class="log-row gap">{gapText(entry.missed)}</div>
  ) : (
    <div class={`log-row ${entry.level ?? ''}`} data-seq={entry.seq}>
      <time>{entry.at === undefined ? '' : clockTime(entry.at)}</time>
      <LineText entry={entry} highlight={highlight} />
      {entry.text.length > DRAWN && <em>… {plural(entry.text.length - DRAWN, 'more character')}</em>}
    </div>
  ),
)

/** With its colours, unless it is cut or a part of it is marked: a part can begin in one colour and end in another. */
function LineText({ entry: { text, spans }, highlight }: { readonly entry: Line; readonly highlight: string }) {
  const plain = spans === undefined || text.length > DRAWN || (highlight !== '' && contains(text, highlight))
  if (plain) return <span>{marked(text.slice(0, DRAWN), highlight)}</span>
  return (
    <span>
      {spans.map((span, index) =>
        span.style === '' ? (
          span.text
        ) : (
          <span key={index} class={span.style}>
            {span.text}
          </span>
        ),
      )}
    </span>
  )
}

const contains = (text: string, wanted: string): boolean => text.toLowerCase().includes(wanted.toLowerCase())

const gapText = (missed: number | undefined): string =>
  missed === undefined
    ? 'the connection was interrupted; lines may be missing here'
    : `${plural(missed, 'line')} missed: this page was too slow for them; the file has them`

function marked(text: string, wanted: string) {
  if (wanted === '') return text
  const low = text.toLowerCase()
  const needle = wanted.toLowerCase()
  const parts = []
  let from = 0
  for (let at = low.indexOf(needle); at !== -1; at = low.indexOf(needle, from)) {
    parts.push(text.slice(from, at), <mark>{text.slice(at, at + needle.length)}</mark>)
    from = at + needle.length
  }
  return [...parts, text.slice(from)]
}

function choose(target: EventTarget | null, shown: readonly Entry[], onChoose: (entry: Line) => void): void {
  const seq = target instanceof Element ? target.closest<HTMLElement>('[data-seq]')?.dataset.seq : undefined
  if (seq === undefined || getSelection()?.isCollapsed === false) return
  const entry = shown.find((one) => one.seq === Number(seq))
  if (entry?.kind === 'line') onChoose(entry)
}
