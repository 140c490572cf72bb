/** What each letter of s6-svc means for a slot (docs/slots.md, "s6's letters"). */
import type { SignalName } from '../protocol/init.ts'
import type { Slot, SlotEvent } from '../slot/slot.ts'

export type LetterAction =
  /** For this boot only. */
  | { readonly type: 'event'; readonly event: SlotEvent }
  /** Written down, so that the next boot knows it. */
  | { readonly type: 'word'; readonly word: 'running' | 'stopped' }
  | { readonly type: 'signal'; readonly signal: SignalName; readonly target: 'process' | 'group' }

const signals: Readonly<Record<string, SignalName>> = {
  a: 'ALRM',
  b: 'ABRT',
  q: 'QUIT',
  h: 'HUP',
  k: 'KILL',
  t: 'TERM',
  i: 'INT',
  1: 'USR1',
  2: 'USR2',
  y: 'WINCH',
  p: 'STOP',
  c: 'CONT',
  l: 'HUP',
}
const groupSignals: Readonly<Record<string, SignalName>> = { P: 'STOP', C: 'CONT', K: 'KILL' }

const event = (event: SlotEvent): LetterAction => ({ type: 'event', event })
const want = (wanted: Slot['wanted']): LetterAction => event({ type: 'want', wanted })

/** @returns [] for a letter that means nothing here */
export function letterActions(letter: string, slot: Slot): readonly LetterAction[] {
  // "Once" said to what runs: do not restart it. Said to what does not run, `O` only says that it is not wanted.
  const runs = slot.state === 'starting' || slot.state === 'up'
  const unwanted = want(runs ? 'once' : 'down')
  switch (letter) {
    case 'u':
      return [want('up')]
    case 'd':
      return [want('down')]
    case 'o':
      return [want('once')]
    case 'O':
      return [unwanted]
    case 'U':
      return [{ type: 'word', word: 'running' }, want('up')]
    case 'D':
      return [{ type: 'word', word: 'stopped' }, want('down')]
    case 'Q':
      return [{ type: 'word', word: 'stopped' }, unwanted]
    case 'r':
      return slot.wanted === 'up'
        ? [event({ type: 'restart' })]
        : [{ type: 'signal', signal: slot.policy.stopSignal, target: 'process' }]
  }
  const signal = signals[letter]
  if (signal !== undefined) return [{ type: 'signal', signal, target: 'process' }]
  const groupSignal = groupSignals[letter]
  return groupSignal === undefined ? [] : [{ type: 'signal', signal: groupSignal, target: 'group' }]
}
