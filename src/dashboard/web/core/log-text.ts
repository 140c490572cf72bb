/** A line of a log as a terminal would show it. */
import Anser from 'anser'
import { ESCAPES } from '../../../log/line-facts.ts'

export interface Span {
  readonly text: string
  /** Classes of its style; empty: it has none. */
  readonly style: string
}

export interface ShownText {
  /** Without control sequences. */
  readonly text: string
  /** The parts of `text`; absent: none has a style. */
  readonly spans?: readonly Span[]
}

/** Colours that the style sheet has in both themes. Text in the other 256 and in the millions is shown plain. */
const COLOR = /^ansi-(?:bright-)?(?:black|red|green|yellow|blue|magenta|cyan|white)$/
const DECORATIONS: readonly string[] = ['bold', 'dim', 'italic', 'underline', 'strikethrough']

/**
 * Reads colours (SGR, ECMA-48 8.3.117), drops other control sequences, and keeps of a line that was written over by
 * carriage returns, such as a progress bar, what was written last.
 */
export function shownText(raw: string): ShownText {
  const last = raw.includes('\r') ? (raw.split('\r').findLast((part) => part !== '') ?? '') : raw
  if (!last.includes('\x1b')) return { text: last }
  const colored = last.replace(ESCAPES, (sequence) => (/^\x1b\[[0-9;]*m$/.test(sequence) ? sequence : ''))
  const spans = Anser.ansiToJson(colored, { json: true, remove_empty: true, use_classes: true }).map(
    ({ content, fg, decorations }) => ({ text: content, style: styleOf(fg, decorations) }),
  )
  const text = spans.map((span) => span.text).join('')
  return spans.some(({ style }) => style !== '') ? { text, spans } : { text }
}

/** The background is left out: text on any of sixteen could not be read in both themes. */
const styleOf = (color: string | null, decorations: readonly string[]): string =>
  [
    ...(color !== null && COLOR.test(color) ? [color] : []),
    ...decorations.filter((one) => DECORATIONS.includes(one)).map((one) => `ansi-${one}`),
  ].join(' ')
