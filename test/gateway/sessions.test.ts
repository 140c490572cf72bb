import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { conversation, HISTORY_BUDGET_CHARS, newestTurns } from '../../src/gateway/sessions/conversation.ts'
import { openSessions, parseSessionId, sessionsFile } from '../../src/gateway/sessions/store.ts'
import { type Clock, systemClock } from '../../src/system/clock.ts'
import { openDatabase } from '../../src/system/files/sqlite.ts'
import { quickScratchDir } from '../support/scratch.ts'
import { fakeClock } from '../support/supervisor/fake-clock.ts'
import { waitFor } from '../support/wait.ts'

let dir: string
let warnings: string[]
beforeEach(() => {
  dir = quickScratchDir('hermes-sessions-')
  warnings = []
})

const open = (clock: Clock = systemClock()) => openSessions(dir, clock, (text) => warnings.push(text))
const turn = (question: string, answer: string) => [
  { role: 'user', content: question },
  { role: 'assistant', content: answer },
]

test('the messages of a session are there after it was closed, and another session has none of them', async () => {
  const first = open()
  await first.append('morning', turn('My name is Ada', 'Hello Ada'))
  await first.append('morning', turn('And my name?', 'Ada'))
  first.close()
  const second = open()
  expect(second.history('morning')).toEqual([...turn('My name is Ada', 'Hello Ada'), ...turn('And my name?', 'Ada')])
  expect(second.history('evening')).toEqual([])
  second.close()
  expect(warnings).toEqual([])
})

test('the files are the owner’s alone', async () => {
  const store = open()
  await store.append('x', turn('a', 'b'))
  for (const name of readdirSync(join(dir, 'sessions'))) {
    expect([name, statSync(join(dir, 'sessions', name)).mode & 0o777]).toEqual([name, 0o600])
  }
  store.close()
})

test('two programs add to one session without losing a turn', async () => {
  const [one, other] = [open(), open()]
  await Promise.all(
    Array.from({ length: 40 }, (_, n) => (n % 2 === 0 ? one : other).append('shared', turn(`q${n}`, `a${n}`))),
  )
  const history = one.history('shared')
  expect(history).toHaveLength(80)
  for (let n = 0; n < 80; n += 2) {
    expect(String(history[n + 1]?.content).slice(1)).toBe(String(history[n]?.content).slice(1))
  }
  one.close()
  other.close()
})

test('a turn waits while another program writes, and stalls no other request', async () => {
  const clock = systemClock()
  let pauses = 0
  const counting: Clock = {
    ...clock,
    at(atMs, wake) {
      pauses += 1
      return clock.at(atMs, wake)
    },
  }
  const store = open(counting)
  const other = openDatabase(sessionsFile(dir))
  other.exec('BEGIN IMMEDIATE')
  let added = false
  const turnAdded = store.append('x', turn('a', 'b')).then(() => {
    added = true
  })
  await waitFor('two pauses between attempts', () => pauses >= 2)
  expect(added).toBe(false)
  other.exec('COMMIT')
  await turnAdded
  expect(store.history('x')).toHaveLength(2)
  other.close()
  store.close()
})

test('sessions are listed with the latest first', async () => {
  const clock = fakeClock()
  const store = open(clock)
  await store.append('old', turn('a', 'b'))
  clock.advance(60_000)
  await store.append('new', turn('a', 'b'))
  expect(store.list(10)).toEqual([
    { id: 'new', messages: 2, createdAt: '2026-11-22T12:16:18.810Z', updatedAt: '2026-11-22T12:16:18.810Z' },
    { id: 'old', messages: 2, createdAt: '2026-11-22T12:15:18.810Z', updatedAt: '2026-11-22T12:15:18.810Z' },
  ])
  expect(store.list(1)).toHaveLength(1)
  store.close()
})

test('of a long conversation the newest part is given, beginning with a question', async () => {
  const store = open()
  for (let n = 0; n < 50; n++) await store.append('long', turn(`q${n}`, `a${n} ${'x'.repeat(10_000)}`))
  const history = store.history('long')
  expect(JSON.stringify(history).length).toBeLessThan(HISTORY_BUDGET_CHARS * 1.1)
  expect(history[0]).toMatchObject({ role: 'user' })
  expect(history.at(-1)?.content).toMatch(/^a49 /)
  store.close()
})

test('the oldest turns are left out as a whole, with the tools they used; pictures count as what they cost a model', () => {
  const call = (id: string) => ({ role: 'assistant', content: null, tool_calls: [{ id, type: 'function' }] })
  const picture = { type: 'image_url', image_url: { url: `data:image/png;base64,${'A'.repeat(900_000)}` } }
  const turns = [
    [
      { role: 'user', content: 'old '.repeat(10_000) },
      { role: 'assistant', content: 'x'.repeat(160_000) },
    ],
    [
      { role: 'user', content: 'look it up' },
      call('a'),
      { role: 'tool', tool_call_id: 'a', content: 'y'.repeat(20_000) },
    ],
    [
      { role: 'user', content: [{ type: 'text', text: 'what is it?' }, picture] },
      { role: 'assistant', content: 'a cat' },
    ],
  ]
  const [oldest = [], ...others] = turns
  expect(newestTurns([...turns.slice(1).flat()].reverse())).toEqual(others.flat())
  expect(newestTurns([...turns.flat()].reverse())).toEqual(others.flat())
  expect(newestTurns([...oldest].reverse())).toEqual(oldest)
  expect(newestTurns([{ role: 'assistant', content: 'an answer without its question' }])).toEqual([])
  // Of pictures there may be many, but a request has a size.
  const many = Array.from({ length: 20 }, () => others[1] ?? []).flat()
  expect(newestTurns([...many].reverse()).length).toBe(2 * 9)
})

test('a conversation has one system prompt, first, the latest there was', async () => {
  const store = open()
  const french = { role: 'system', content: 'Answer in French.' }
  await store.append('s', [french, ...turn('first', 'un')])
  await store.append('s', turn('second', 'deux'))
  const next = { role: 'user', content: 'third' }
  expect(conversation(store.history('s'), [next])).toEqual([
    french,
    ...turn('first', 'un'),
    ...turn('second', 'deux'),
    next,
  ])
  const german = { role: 'developer', content: [{ type: 'text', text: 'Answer in German.' }] }
  expect(conversation(store.history('s'), [next, german]).map(({ role }) => role)).toEqual([
    'developer',
    ...['user', 'assistant', 'user', 'assistant', 'user'],
  ])
  expect(conversation([], [french, next, { role: 'system', content: 'Be brief.' }])).toEqual([
    { role: 'system', content: 'Answer in French.\n\nBe brief.' },
    next,
  ])
  store.close()
})

test('the system prompt of a session outlives the turns it came with, and what an earlier version has kept counts', async () => {
  const store = open()
  const french = { role: 'system', content: 'Answer in French.' }
  await store.append('s', [french, ...turn('first', 'x'.repeat(150_000))])
  await store.append('s', turn('second', 'y'.repeat(150_000)))
  expect(store.history('s').map(({ role }) => role)).toEqual(['system', 'user', 'assistant'])
  const database = openDatabase(sessionsFile(dir))
  database.exec("INSERT INTO sessions VALUES ('old', 1, 1)")
  for (const message of [french, ...turn('first', 'un')])
    database.prepare("INSERT INTO messages (session, at_ms, message) VALUES ('old', 1, ?)").run(JSON.stringify(message))
  expect(store.history('old')).toEqual([french, ...turn('first', 'un')])
  expect(database.pragma('user_version', { simple: true })).toBe(1)
  // As the manual says to forget one.
  database.exec("PRAGMA foreign_keys=1; DELETE FROM sessions WHERE id = 's'")
  expect(store.history('s')).toEqual([])
  database.close()
  store.close()
})

test('a call of a tool whose result never came is not sent along', () => {
  const called = { role: 'assistant', content: null, tool_calls: [{ id: 'a' }] }
  const history = [{ role: 'user', content: 'look' }, called]
  const result = { role: 'tool', tool_call_id: 'a', content: 'seen' }
  const other = { role: 'user', content: 'something else' }
  expect(conversation(history, [result])).toEqual([...history, result])
  expect(conversation(history, [other])).toEqual([history[0], other])
  expect(conversation([{ ...called, content: 'I look.' }], [other])).toEqual([
    { role: 'assistant', content: 'I look.' },
    other,
  ])
})

test('a damaged file is kept under another name and reported, and the sessions begin anew', async () => {
  const store = open()
  await store.append('x', turn('a', 'b'))
  store.close()
  writeFileSync(sessionsFile(dir), 'rubbish '.repeat(1000))
  const next = open()
  expect(warnings[0]).toMatch(/sessions\.db is damaged .* kept as .*\.corrupt-.*begin anew/)
  expect(next.history('x')).toEqual([])
  await next.append('x', turn('c', 'd'))
  next.close()
  expect(readdirSync(join(dir, 'sessions')).some((name) => name.includes('.corrupt-'))).toBe(true)
})

test('a file of a newer version is refused and left alone', () => {
  const database = openDatabase(sessionsFile(dir))
  database.pragma('user_version = 99')
  database.close()
  expect(() => open()).toThrow('has schema version 99; this program supports 1')
})

test('names of sessions are checked', () => {
  for (const good of ['a', 's_1f', 'user:42', 'Morning-1.x']) expect(parseSessionId(good)).toBe(good)
  for (const bad of ['', '-x', 'a b', 'a/b', 'x'.repeat(129), 'é']) expect(() => parseSessionId(bad)).toThrow('session')
})

test('two programs that find the file damaged at the same time begin one new store', async () => {
  open().close()
  writeFileSync(sessionsFile(dir), 'rubbish '.repeat(1000))
  let first: ReturnType<typeof open> | undefined
  // The time is asked for when the second has found the damage, and has moved nothing yet.
  const second = open({
    ...systemClock(),
    wallMs: () => {
      first ??= open()
      return Date.now()
    },
  })
  await first?.append('x', turn('a', 'b'))
  expect(second.history('x')).toEqual(turn('a', 'b'))
  first?.close()
  second.close()
  expect(warnings).toHaveLength(1)
})
