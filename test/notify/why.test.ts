import { expect, test } from 'vitest'
import { type LetterRow, whyText } from '../../src/notify/why.ts'
import type { NotifyEvent, NotifyTarget } from '../../src/profile/config/kinds/notify-kinds.ts'
import { NOTIFY_EVENTS } from '../../src/profile/config/kinds/notify-kinds.ts'

const AT = Date.UTC(2026, 0, 1)
const all = Object.keys(NOTIFY_EVENTS) as NotifyEvent[]
const target: NotifyTarget = { name: 'ops', to: 'exec', command: ['true'], events: all, profiles: null }
const letter = (state: LetterRow['state'], more: Partial<LetterRow> = {}): LetterRow => ({
  target: 'ops',
  id: 'an-id',
  event: 'parked',
  state,
  madeMs: AT,
  dueMs: AT + 9000,
  attempts: 3,
  last: 'answered 503',
  endedMs: state === 'waiting' ? null : AT + 1000,
  ...more,
})
const facts = { target, problem: undefined, notifier: 'up', letters: [], wallMs: AT + 2000 }

test('a target for which nothing has happened says so', () => {
  expect(whyText(facts)).toEqual(['no event for it has happened yet'])
})

test('the reasons that stop messages come first: the address, the notifier, the last attempt', () => {
  const letters = [letter('waiting', { madeMs: AT + 1, last: null, dueMs: AT + 30_000 }), letter('waiting')]
  expect(whyText({ ...facts, problem: 'the variable X is not set', notifier: 'parked', letters })).toEqual([
    'nothing can be sent: the variable X is not set',
    'nothing is observed: the notifier is parked; hermes logs notifier',
    '2 waiting since 2026-01-01T00:00:00.000Z, the next one for 7 s',
    'the last attempt has failed (3 so far): answered 503',
  ])
  expect(whyText({ ...facts, notifier: undefined, letters })[0]).toBe('nothing is observed: Hermes is not running here')
})

test('messages that were given up and delivered are named, and events that the target does not get', () => {
  const some: NotifyTarget = { ...target, events: all.filter((event) => event !== 'budget'), profiles: ['coder'] }
  const letters = [letter('dead', { last: 'answered 404' }), letter('delivered', { last: 'answered 200' })]
  expect(whyText({ ...facts, target: some, letters })).toEqual([
    '1 given up, the newest (parked, an-id): answered 404',
    'the newest delivered is parked at 2026-01-01T00:00:01.000Z: answered 200',
    'it does not get budget (events)',
    'it only gets events of coder (profiles)',
  ])
})
