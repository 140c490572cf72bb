import { statSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Observed } from '../../../src/notify/notification.ts'
import { openOutbox, outboxFile } from '../../../src/notify/outbox/outbox.ts'
import { readLetters } from '../../../src/notify/outbox/report.ts'
import { GIVE_UP_MS } from '../../../src/notify/retry.ts'
import { ALONE_IN_WINDOW, WINDOW_MS } from '../../../src/notify/storm.ts'
import type { NotifyEvent, NotifyTarget } from '../../../src/profile/config/kinds/notify-kinds.ts'
import { quickScratchDir } from '../../support/scratch.ts'

const AT = Date.UTC(2026, 0, 1)
const target = (name: string, more: Partial<NotifyTarget> = {}): NotifyTarget =>
  ({
    name,
    to: 'webhook',
    address: { value: 'http://127.0.0.1:1/' },
    secretEnv: null,
    events: ['parked', 'backoff'],
    profiles: null,
    ...more,
  }) as NotifyTarget
const event = (text: string, kind: NotifyEvent = 'parked', profile?: string): Observed => ({
  event: kind,
  atMs: AT,
  text,
  ...(profile && { profile }),
})

function open() {
  const home = quickScratchDir('hermes-outbox-')
  const outbox = openOutbox(home, (text) => expect.fail(text))
  const at = (ms: number) => ({ wallMs: AT + ms, node: undefined })
  /** Messages that are due, each settled as delivered. */
  const deliver = (name: string, ms: number) => {
    const texts: string[] = []
    for (;;) {
      const letter = outbox.take(name, AT + ms, undefined)
      if (letter === undefined) return texts
      texts.push(letter.notification.text)
      outbox.settle(name, letter.id, { is: 'delivered', text: 'answered 200' }, AT + ms)
    }
  }
  return { home, outbox, at, deliver }
}

test('a target gets the events that it wants, of the profiles that it names', () => {
  const { outbox, at, deliver } = open()
  const targets = [target('all'), target('coder', { profiles: ['coder'] }), target('backoff', { events: ['backoff'] })]
  outbox.observe([], [event('a', 'parked', 'coder'), event('b', 'parked', 'writer'), event('c')], targets, at(0))
  expect([deliver('all', 0).sort(), deliver('coder', 0), deliver('backoff', 0)]).toEqual([['a', 'b', 'c'], ['a'], []])
})

test('the events of a storm are ten messages and one digest with their numbers and a few of their texts', () => {
  const { outbox, at, deliver } = open()
  const targets = [target('ops')]
  for (let i = 0; i < 210; i++) {
    const kind = i % 4 === 0 ? 'backoff' : 'parked'
    outbox.observe([], [event(`gateway-${i} ${'x'.repeat(1000)}`, kind)], targets, at(i * 5))
  }
  expect(deliver('ops', WINDOW_MS - 1)).toHaveLength(ALONE_IN_WINDOW)
  const digest = outbox.take('ops', AT + WINDOW_MS, undefined)?.notification
  expect(digest).toMatchObject({ event: 'digest', severity: 'error', count: 200 })
  expect(digest?.text).toMatch(/^200 more events in \d+ s: 150 parked, 50 backoff\ngateway-10 x+\n/)
  expect(digest?.text.length).toBeLessThan(2000)
  outbox.settle('ops', digest?.id ?? '', { is: 'delivered', text: '' }, AT + WINDOW_MS)
  expect(outbox.take('ops', AT + 2 * WINDOW_MS, undefined)).toBeUndefined()
})

test('a digest that was begun to be sent keeps its bytes and its id, and later events go into the next one', () => {
  const { outbox, at } = open()
  const targets = [target('ops')]
  for (let i = 0; i < 12; i++) outbox.observe([], [event(`${i}`)], targets, at(0))
  for (let i = 0; i < 10; i++) {
    const letter = outbox.take('ops', AT, undefined)
    outbox.settle('ops', letter?.id ?? '', { is: 'delivered', text: '' }, AT)
  }
  const first = outbox.take('ops', AT + WINDOW_MS, undefined)
  outbox.observe([], [event('late')], targets, at(WINDOW_MS + 1))
  expect(outbox.take('ops', AT + WINDOW_MS, undefined)).toEqual(first)
  outbox.settle('ops', first?.id ?? '', { is: 'delivered', text: '' }, AT + WINDOW_MS)
  const second = outbox.take('ops', AT + 3 * WINDOW_MS, undefined)
  expect([first?.notification.count, second?.notification.count]).toEqual([2, 1])
  expect(second?.id).not.toBe(first?.id)
})

test('a message that fails is due again after its pause, with the same id, and is given up after 24 hours', () => {
  const { home, outbox, at } = open()
  outbox.observe([], [event('a')], [target('ops')], at(0))
  const first = outbox.take('ops', AT, undefined)
  outbox.settle('ops', first?.id ?? '', { is: 'failed', text: 'answered 503' }, AT)
  expect(outbox.take('ops', AT + 999, undefined)).toBeUndefined()
  const again = outbox.take('ops', AT + 1000, undefined)
  expect(again).toEqual({ ...first, attempts: 1 })
  expect(outbox.expire(AT + GIVE_UP_MS)).toBe(0)
  expect(outbox.expire(AT + GIVE_UP_MS + 1)).toBe(1)
  expect(readLetters(home)).toMatchObject([{ state: 'dead', last: 'answered 503, given up after 24 h', attempts: 1 }])
  expect(outbox.take('ops', AT + GIVE_UP_MS + 2, undefined)).toBeUndefined()
})

test('a message that was refused is kept as given up, and no more than 200 of them', () => {
  const { home, outbox, at } = open()
  for (let i = 0; i < 250; i++) {
    outbox.observe([], [event(`${i}`)], [target('ops')], at(i * WINDOW_MS))
    const letter = outbox.take('ops', AT + i * WINDOW_MS, undefined)
    outbox.settle('ops', letter?.id ?? '', { is: 'refused', text: 'answered 404' }, AT + i * WINDOW_MS)
  }
  const kept = readLetters(home)
  expect([kept.length, kept.every(({ state, last }) => state === 'dead' && last === 'answered 404')]).toEqual([
    200,
    true,
  ])
})

test('an observation and its message are kept together, over an end of the process', () => {
  const { home, outbox, at } = open()
  outbox.observe([{ subject: 'slot:a', value: { troubleAtMs: 1 } }], [event('a')], [target('ops')], at(0))
  const { id } = outbox.take('ops', AT, undefined) ?? {}
  outbox.close()
  const next = openOutbox(home, (text) => expect.fail(text))
  expect([...next.notes('slot:')]).toEqual([['a', { troubleAtMs: 1 }]])
  expect(next.take('ops', AT, undefined)?.id).toBe(id)
  next.observe([{ subject: 'slot:a', value: undefined }], [], [], at(0))
  expect(next.notes('slot:').size).toBe(0)
  next.close()
})

test('where nothing was ever sent, a command makes no file', () => {
  const home = quickScratchDir('hermes-outbox-')
  expect(readLetters(home)).toEqual([])
  expect(() => statSync(outboxFile(home))).toThrow('ENOENT')
})
