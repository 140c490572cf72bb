/** Messages, and the facts they are made of. Pure. */
import type { NotifyEvent, NotifyTarget, Severity } from '../profile/config/kinds/notify-kinds.ts'
import { NOTIFY_EVENTS } from '../profile/config/kinds/notify-kinds.ts'

/** Something that has happened. */
export interface Observed {
  readonly event: NotifyEvent
  /** Unix ms. */
  readonly atMs: number
  readonly slot?: string
  readonly profile?: string
  readonly task?: string
  /** One line: what has happened, and what to do next. */
  readonly text: string
}

/** The body of a message, as programs get it. */
export interface Notification {
  /** Of the message: the same at each attempt. */
  readonly id: string
  readonly event: NotifyEvent | 'digest' | 'test'
  readonly severity: Severity
  /** RFC 3339, UTC. */
  readonly at: string
  readonly node?: string
  readonly slot?: string
  readonly profile?: string
  readonly task?: string
  readonly text: string
  /** Number of events that it is about. */
  readonly count: number
}

export const wants = ({ events, profiles }: NotifyTarget, { event, profile }: Observed): boolean =>
  events.includes(event) && (profiles === null || (profile !== undefined && profiles.includes(profile)))

/** A reason may quote the last output of a program. */
const LONGEST_TEXT_CHARS = 2000

export const notificationOf = (id: string, observed: Observed, node: string | undefined): Notification => ({
  id,
  event: observed.event,
  severity: NOTIFY_EVENTS[observed.event],
  at: new Date(observed.atMs).toISOString(),
  ...(node !== undefined && { node }),
  ...(observed.slot !== undefined && { slot: observed.slot }),
  ...(observed.profile !== undefined && { profile: observed.profile }),
  ...(observed.task !== undefined && { task: observed.task }),
  text: observed.text.slice(0, LONGEST_TEXT_CHARS),
  count: 1,
})

/** The events of a digest so far: numbers, and a few of their texts. */
export interface Collected {
  readonly firstAtMs: number
  readonly lastAtMs: number
  readonly count: number
  readonly counts: Readonly<Partial<Record<NotifyEvent, number>>>
  readonly texts: readonly string[]
}

const TEXTS_OF_DIGEST = 5
const TEXT_CHARS = 300

export function collect(before: Collected | undefined, { event, atMs, text }: Observed): Collected {
  const { firstAtMs = atMs, count = 0, counts = {}, texts = [] } = before ?? {}
  return {
    firstAtMs,
    lastAtMs: atMs,
    count: count + 1,
    counts: { ...counts, [event]: (counts[event] ?? 0) + 1 },
    texts: texts.length < TEXTS_OF_DIGEST ? [...texts, text.slice(0, TEXT_CHARS)] : texts,
  }
}

const BY_SEVERITY: readonly Severity[] = ['info', 'warning', 'error']

export function digestOf(id: string, collected: Collected, node: string | undefined): Notification {
  const { firstAtMs, lastAtMs, count, counts, texts } = collected
  const kinds = (Object.entries(counts) as [NotifyEvent, number][]).sort(([, a], [, b]) => b - a)
  const worst = Math.max(...kinds.map(([event]) => BY_SEVERITY.indexOf(NOTIFY_EVENTS[event])))
  const spanS = Math.max(1, Math.round((lastAtMs - firstAtMs) / 1000))
  const more = count - texts.length
  return {
    id,
    event: 'digest',
    severity: BY_SEVERITY[worst] ?? 'info',
    at: new Date(firstAtMs).toISOString(),
    ...(node !== undefined && { node }),
    text: [
      `${count} more events in ${spanS} s: ${kinds.map(([event, n]) => `${n} ${event}`).join(', ')}`,
      ...texts,
      ...(more > 0 ? [`and ${more} more`] : []),
    ].join('\n'),
    count,
  }
}
