/** Why messages of a target have not arrived, or have. Pure. */
import { NOTIFY_EVENTS, type NotifyTarget } from '../profile/config/kinds/notify-kinds.ts'

/** A message, and what has become of it. */
export interface LetterRow {
  readonly target: string
  readonly id: string
  readonly event: string
  readonly state: 'waiting' | 'delivered' | 'dead'
  readonly madeMs: number
  /** Of the next attempt, or of the end of a digest. */
  readonly dueMs: number
  readonly attempts: number
  readonly last: string | null
  readonly endedMs: number | null
}

export interface WhyFacts {
  readonly target: NotifyTarget
  /** Why its address or its secret cannot be read by this command. */
  readonly problem: string | undefined
  /** State of the notifier's slot; undefined: no supervisor answers. */
  readonly notifier: string | undefined
  /** Of this target, the newest first. */
  readonly letters: readonly LetterRow[]
  readonly wallMs: number
}

/** @returns sentences, what stops messages first */
export function whyText({ target, problem, notifier, letters, wallMs }: WhyFacts): readonly string[] {
  const inState = (state: LetterRow['state']) => letters.filter((letter) => letter.state === state)
  return [
    ...(problem === undefined ? [] : [`nothing can be sent: ${problem}`]),
    ...notifierText(notifier),
    ...waitingText(inState('waiting'), wallMs),
    ...deadText(inState('dead')),
    ...deliveredText(inState('delivered')),
    ...(letters.length === 0 ? ['no event for it has happened yet'] : []),
    ...filterText(target),
  ]
}

function notifierText(state: string | undefined): readonly string[] {
  if (state === 'up') return []
  if (state === undefined) return ['nothing is observed: Hermes is not running here']
  return [`nothing is observed: the notifier is ${state}; hermes logs notifier`]
}

function waitingText(waiting: readonly LetterRow[], wallMs: number): readonly string[] {
  const oldest = waiting.at(-1)
  if (oldest === undefined) return []
  const next = waiting.reduce((a, b) => (b.dueMs < a.dueMs ? b : a))
  const inS = Math.max(0, Math.round((next.dueMs - wallMs) / 1000))
  const tried = waiting.find(({ last }) => last !== null)
  return [
    `${waiting.length} waiting since ${stamp(oldest.madeMs)}, the next one for ${inS} s`,
    ...(tried === undefined ? [] : [`the last attempt has failed (${tried.attempts} so far): ${tried.last}`]),
  ]
}

function deadText(dead: readonly LetterRow[]): readonly string[] {
  const [newest] = dead
  if (newest === undefined) return []
  return [`${dead.length} given up, the newest (${newest.event}, ${newest.id}): ${newest.last}`]
}

function deliveredText(delivered: readonly LetterRow[]): readonly string[] {
  const [newest] = delivered
  if (newest === undefined) return []
  return [`the newest delivered is ${newest.event} at ${stamp(newest.endedMs ?? newest.madeMs)}: ${newest.last}`]
}

function filterText({ events, profiles }: NotifyTarget): readonly string[] {
  const left = Object.keys(NOTIFY_EVENTS).filter((event) => !(events as readonly string[]).includes(event))
  return [
    ...(left.length === 0 ? [] : [`it does not get ${left.join(', ')} (events)`]),
    ...(profiles === null ? [] : [`it only gets events of ${profiles.join(', ')} (profiles)`]),
  ]
}

const stamp = (ms: number): string => new Date(ms).toISOString()
