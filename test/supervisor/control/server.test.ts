import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { type LogEventMessage, MAX_REQUEST_BYTES } from '../../../src/protocol/control.ts'
import type { Follower } from '../../../src/supervisor/control/server.ts'
import { HermesError } from '../../../src/system/errors.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'
import { waitFor } from '../../support/wait.ts'
import { aSlot, RawClient, type ServerUnderTest, startServer } from './client.ts'

const pong = { instance: 'test', pid: 42 }
/** Whatever was done to the server: another client gets its answer. */
async function serves({ path }: ServerUnderTest): Promise<void> {
  const client = await RawClient.connect(path)
  client.send('ping', 1)
  expect(await client.reply()).toEqual({ id: 1, ok: true, result: pong })
  client.socket.destroy()
}

describe('a request', () => {
  test('is answered with its id; several on one connection, and half a line at a time', async () => {
    using server = startServer({ deaths: () => ({ deaths: [] }) })
    const client = await RawClient.connect(server.path)
    client.socket.write('{"v":1,"id":7,"op":"pi')
    await waitFor('the connection', () => server.server.connections === 1)
    client.socket.write('ng"}\n{"v":1,"id":8,"op":"deaths","slot":"gateway-a"}\n')
    expect(await client.reply(0)).toEqual({ id: 7, ok: true, result: pong })
    expect(await client.reply(1)).toEqual({ id: 8, ok: true, result: { deaths: [] } })
  })

  test('that was foreseen to fail gets code, message and next step; a bug is reported and named as one', async () => {
    using server = startServer({
      start: () => {
        throw new HermesError('PARKED', 'it is parked', { next: 'start it' })
      },
      stop: () => Promise.reject(new TypeError('undefined is not a function')),
    })
    const client = await RawClient.connect(server.path)
    client.send('start', 1, { slot: 'gateway-a' })
    expect(await client.reply(0)).toEqual({
      id: 1,
      ok: false,
      error: { code: 'PARKED', message: 'it is parked', next: 'start it' },
    })
    expect(server.warnings).toEqual([])
    client.send('stop', 2, { slot: 'gateway-a' })
    expect(await client.reply(1)).toMatchObject({
      id: 2,
      ok: false,
      error: { code: 'FAILED', message: expect.stringContaining('undefined is not a function') },
    })
    expect(server.warnings).toEqual([expect.stringMatching(/a bug.*"stop".*control\/server.test/s)])
    await serves(server)
  })

  test('whose sender closes its half at once is answered still', async () => {
    const answer = Promise.withResolvers<{ deaths: [] }>()
    using server = startServer({ deaths: () => answer.promise })
    const client = await RawClient.connect(server.path, { allowHalfOpen: true })
    client.socket.end('{"v":1,"id":1,"op":"deaths","slot":"gateway-a"}\n')
    await once(client.socket, 'finish')
    await serves(server)
    answer.resolve({ deaths: [] })
    expect(await client.reply()).toMatchObject({ ok: true })
    await client.gone()
  })

  test('without a newline at its end gets an error that says so', async () => {
    using server = startServer()
    const client = await RawClient.connect(server.path, { allowHalfOpen: true })
    client.socket.end('{"v":1,"id":1,"op":"ping"}')
    expect(await client.reply()).toMatchObject({ error: { message: expect.stringContaining('newline') } })
  })

  test('that waits does not hold up the next one of its connection', async () => {
    const answer = Promise.withResolvers<never>()
    using server = startServer({ start: () => answer.promise })
    const client = await RawClient.connect(server.path)
    client.send('start', 1, { slot: 'gateway-a', wait: true })
    client.send('ping', 2)
    expect(await client.reply()).toMatchObject({ id: 2 })
  })

  test('whose client is gone is carried out all the same', async () => {
    const answer = Promise.withResolvers<never>()
    using server = startServer({ start: () => answer.promise })
    const client = await RawClient.connect(server.path)
    client.send('start', 1, { slot: 'gateway-a', wait: true })
    client.send('ping', 2)
    await client.reply()
    client.socket.destroy()
    await serves(server)
    await waitFor('the other connection to end', () => server.server.connections === 1)
    answer.reject(new HermesError('FAILED', 'it did not start'))
    await waitFor('the end of the connection', () => server.server.connections === 0)
    expect(server.warnings).toEqual([])
  })
})

describe('bad input gets an error and affects no other client', () => {
  test.each([
    ['not JSON', 'hello', null, 'not JSON'],
    ['an empty line', '', null, 'not JSON'],
    ['no object', '[1]', null, 'not a JSON object'],
    ['null', 'null', null, 'not a JSON object'],
    ['another version', '{"v":2,"id":3,"op":"ping"}', 3, 'version 2'],
    ['no operation', '{"v":1,"id":3}', 3, 'no operation'],
    ['an operation nobody has', '{"v":1,"id":3,"op":"__proto__"}', 3, 'no operation'],
    ['no id', '{"v":1,"op":"ping"}', null, 'id: expected'],
    ['an id that is no number', '{"v":1,"id":"x","op":"ping"}', null, 'id: expected'],
    [
      'a slot that leaves its directory',
      '{"v":1,"id":3,"op":"stop","slot":"../../etc"}',
      3,
      'slot: expected a slot name',
    ],
    ['a slot that is no text', '{"v":1,"id":3,"op":"stop","slot":{}}', 3, 'slot: expected a slot name'],
    ['a signal nobody knows', '{"v":1,"id":3,"op":"signal","slot":"gateway-a","signal":"9"}', 3, 'signal: expected'],
    [
      'a timeout below zero',
      '{"v":1,"id":3,"op":"stop","slot":"gateway-a","timeoutMs":-1}',
      3,
      'timeoutMs: expected at least 0',
    ],
    [
      'a timeout past a day',
      '{"v":1,"id":3,"op":"stop","slot":"gateway-a","timeoutMs":1e12}',
      3,
      'timeoutMs: expected at most',
    ],
    [
      'wait that is no boolean',
      '{"v":1,"id":3,"op":"start","slot":"gateway-a","wait":"yes"}',
      3,
      'wait: expected boolean',
    ],
    ['slots that are no list', '{"v":1,"id":3,"op":"logs","slots":"gateway-a"}', 3, 'slots: expected array'],
    [
      'a bad slot in a list',
      '{"v":1,"id":3,"op":"logs","slots":["gateway-a","-"]}',
      3,
      'slots.1: expected a slot name',
    ],
    [
      'a job outside its name space',
      '{"v":1,"id":3,"op":"job","slot":"gateway-a","profile":"a","command":["x"],"cwd":"/","env":{},"logFile":"/l"}',
      3,
      'slot: expected a slot name that begins with "job-"',
    ],
    [
      'a job with a variable that breaks a shell',
      '{"v":1,"id":3,"op":"job","slot":"job-1","profile":"a","command":["x"],"cwd":"/","env":{"A;B":"1"},"logFile":"/l"}',
      3,
      'env',
    ],
    [
      'a job without a command',
      '{"v":1,"id":3,"op":"job","slot":"job-1","profile":"a","command":[],"cwd":"/","env":{},"logFile":"/l"}',
      3,
      'command: expected at least one argument',
    ],
    [
      'a job in a relative directory',
      '{"v":1,"id":3,"op":"job","slot":"job-1","profile":"a","command":["x"],"cwd":"tmp","env":{},"logFile":"/l"}',
      3,
      'cwd: expected an absolute path',
    ],
  ])('%s', async (_what, line, id, message) => {
    using server = startServer()
    const client = await RawClient.connect(server.path)
    client.socket.write(`${line}\n`)
    expect(await client.reply(0)).toMatchObject({
      id,
      ok: false,
      error: { code: 'BAD_REQUEST', message: expect.stringContaining(message) },
    })
    client.send('ping', 9)
    expect(await client.reply(1)).toMatchObject({ id: 9, ok: true })
    expect(server.warnings).toEqual([])
  })

  test('bytes that are not text', async () => {
    using server = startServer()
    const client = await RawClient.connect(server.path)
    client.socket.write(Buffer.from([0, 255, 254, 10]))
    expect(await client.reply()).toMatchObject({ ok: false })
    await serves(server)
  })

  test('a line of 10 MB: the sender reads why before it is cut', async () => {
    using server = startServer()
    const client = await RawClient.connect(server.path)
    client.socket.write(Buffer.alloc(10_000_000, 'x'))
    client.socket.write('\n')
    client.send('ping', 2)
    expect(await client.reply()).toMatchObject({
      id: null,
      ok: false,
      error: { message: expect.stringContaining(String(MAX_REQUEST_BYTES)) },
    })
    await serves(server)
    client.socket.end()
    await client.gone()
    expect(client.lines).toHaveLength(1)
  })

  test('a line of a megabyte is still a request', async () => {
    using server = startServer()
    const client = await RawClient.connect(server.path)
    const request = JSON.stringify({ v: 1, id: 1, op: 'ping', x: '' })
    client.socket.write(`${request.replace('""', `"${'x'.repeat(MAX_REQUEST_BYTES - request.length)}"`)}\n`)
    expect(await client.reply()).toMatchObject({ ok: true })
  })

  test('a sender that never stops is cut in the end, before any patience ends', async () => {
    using server = startServer({}, { clock: fakeClock() })
    const client = await RawClient.connect(server.path, { allowHalfOpen: true })
    const chunk = Buffer.alloc(1_000_000, 'x')
    const more = (): void => {
      while (!client.closed && client.socket.write(chunk));
    }
    client.socket.on('drain', more)
    more()
    await client.gone()
    await serves(server)
  })
})

describe('many clients', () => {
  test('1,000 connections at once are all answered', async () => {
    using server = startServer()
    const clients = await Promise.all(Array.from({ length: 1000 }, () => RawClient.connect(server.path)))
    for (const [i, client] of clients.entries()) client.send('ping', i)
    for (const [i, client] of clients.entries()) expect(await client.reply()).toMatchObject({ id: i, ok: true })
    for (const client of clients) client.socket.destroy()
    await waitFor('all to be gone', () => server.server.connections === 0)
  })

  test('more than there is room for: those idle longest make room', async () => {
    const waiting = Promise.withResolvers<never>()
    using server = startServer({ start: () => waiting.promise }, { limits: { connections: 3 } })
    const busy = await RawClient.connect(server.path)
    busy.send('start', 1, { slot: 'gateway-a', wait: true })
    busy.send('ping', 2)
    await busy.reply()
    const idle = await RawClient.connect(server.path)
    idle.send('ping', 1)
    await idle.reply()
    for (let i = 0; i < 10; i++) await serves(server)
    const [one, two] = [await RawClient.connect(server.path), await RawClient.connect(server.path)]
    await idle.gone()
    two.send('ping', 1)
    await two.reply()
    expect([busy.closed, one.closed, two.closed]).toEqual([false, false, false])
  })

  test('no room at all: the newcomer gets an error', async () => {
    const waiting = Promise.withResolvers<never>()
    using server = startServer({ start: () => waiting.promise }, { limits: { connections: 1 } })
    const busy = await RawClient.connect(server.path)
    busy.send('start', 1, { slot: 'gateway-a', wait: true })
    busy.send('ping', 2)
    await busy.reply()
    const late = await RawClient.connect(server.path)
    expect(await late.reply()).toMatchObject({ ok: false, error: { message: expect.stringContaining('too many') } })
    await late.gone()
    expect(busy.closed).toBe(false)
  })

  test('a thousand requests in one piece do not hold up another client, and all are answered', async () => {
    using server = startServer()
    const greedy = await RawClient.connect(server.path)
    greedy.socket.write(Array.from({ length: 10_000 }, (_, id) => `{"v":1,"id":${id},"op":"ping"}\n`).join(''))
    await serves(server)
    expect(greedy.lines.length).toBeLessThan(10_000)
    await waitFor('all answers', () => greedy.lines.length === 10_000)
  })

  test('unfinished lines are bounded together: the longest goes', async () => {
    using server = startServer({}, { limits: { unfinishedBytes: 1_000_000 } })
    const long = await RawClient.connect(server.path)
    long.socket.write('x'.repeat(600_000))
    const short = await RawClient.connect(server.path)
    short.socket.write('x'.repeat(500_000))
    expect(await long.reply()).toMatchObject({ ok: false, error: { message: expect.stringContaining('unfinished') } })
    expect(short.lines).toEqual([])
    await serves(server)
  })
})

describe('a slow client is cut off', () => {
  const patience = { requestTimeoutMs: 10_000, idleMs: 30_000 }

  test('a request that is never finished, and a connection that never says anything', async () => {
    const clock = fakeClock()
    using server = startServer({}, { clock, limits: patience })
    const [half, silent] = [await RawClient.connect(server.path), await RawClient.connect(server.path)]
    half.socket.write('{"v":1,')
    const other = await RawClient.connect(server.path)
    other.send('ping', 1)
    await other.reply()
    clock.advance(9000)
    half.socket.write('"id":')
    other.send('ping', 2)
    await other.reply(1)
    clock.advance(2000)
    expect(await half.reply()).toMatchObject({
      error: { message: expect.stringContaining('not complete after 10000 ms') },
    })
    expect(silent.closed).toBe(false)
    clock.advance(30_000)
    await silent.gone()
    await other.gone()
    await serves(server)
  })

  test('a request under way is not idle, however long it takes', async () => {
    const clock = fakeClock()
    const answer = Promise.withResolvers<{ deaths: [] }>()
    using server = startServer({ deaths: () => answer.promise }, { clock, limits: patience })
    const client = await RawClient.connect(server.path)
    client.send('deaths', 1, { slot: 'gateway-a' })
    await serves(server)
    clock.advance(3_600_000)
    answer.resolve({ deaths: [] })
    expect(await client.reply()).toMatchObject({ ok: true })
  })

  test('a reader that never reads: no more of its requests are taken, and then it goes', async () => {
    const clock = fakeClock()
    let asked = 0
    const deaths = Array.from({ length: 1000 }, () => ({ at: aSlot.since, exitCode: 1 }))
    const answer = (): { deaths: typeof deaths } => {
      asked++
      return { deaths }
    }
    using server = startServer({ deaths: answer }, { clock, limits: patience })
    const client = await RawClient.connect(server.path)
    client.socket.pause()
    const request = '{"v":1,"id":1,"op":"deaths","slot":"gateway-a"}\n'
    client.socket.write(request.repeat(10_000))
    let seen = -1
    await waitFor('the server to stop answering', async () => {
      if (asked === seen && asked > 0) return true
      seen = asked
      await serves(server)
      return false
    })
    // 256 KiB here and what the kernel takes; not the 470 MB it asked for.
    expect(asked).toBeLessThan(100)
    expect(client.socket.writableLength, 'requests that were not even taken').toBeGreaterThan(0)
    clock.advance(11_000)
    client.socket.resume()
    await client.gone()
    await serves(server)
  })
})

describe('followers', () => {
  test('get the result first, then every event', async () => {
    using server = startServer({
      events: (_request, follower) => {
        follower.send({ type: 'slot', at: aSlot.since, slot: aSlot })
        setImmediate(() => follower.send({ type: 'removed', at: aSlot.since, slot: aSlot }))
        return {}
      },
    })
    const client = await RawClient.connect(server.path)
    client.send('events', 5)
    expect(await client.reply(0)).toEqual({ id: 5, ok: true, result: {} })
    expect(await client.reply(1)).toEqual({ id: 5, event: { type: 'slot', at: aSlot.since, slot: aSlot } })
    expect(await client.reply(2)).toMatchObject({ id: 5, event: { type: 'removed' } })
  })

  test('that do not read lose lines, learn how many, and no other follower loses any', async () => {
    const followers: Follower[] = []
    using server = startServer({
      logs: (_request, follower) => {
        followers.push(follower)
        return {}
      },
    })
    const [slow, quick] = [await RawClient.connect(server.path), await RawClient.connect(server.path)]
    slow.send('logs', 1, { slots: [] })
    await slow.reply()
    quick.send('logs', 1, { slots: [] })
    await quick.reply()
    slow.socket.pause()
    const [toSlow, toQuick] = followers
    const lines = Array.from({ length: 10 }, () => 'x'.repeat(1000))
    let sent = 0
    let refused = 0
    while (refused < 500) {
      sent += lines.length
      if (toQuick?.send({ slot: 'gateway-a', lines }) === false) expect.fail('the quick one was refused')
      if (toSlow?.send({ slot: 'gateway-a', lines }) === false) refused += lines.length
      await waitFor('the quick one to have read', () => quick.lines.length === sent / lines.length + 1)
    }
    // Lines that are not made into an event any more count all the same.
    expect([toSlow?.isBehind, toQuick?.isBehind]).toEqual([true, false])
    toSlow?.missLines('gateway-a', 7)
    slow.socket.resume()
    const received = (client: RawClient): LogEventMessage[] =>
      client.lines.slice(1).map((line) => JSON.parse(line).event as LogEventMessage)
    const count = (client: RawClient): number => received(client).reduce((sum, event) => sum + event.lines.length, 0)
    const missed = (client: RawClient): number => received(client).reduce((sum, event) => sum + (event.missed ?? 0), 0)
    // Without a further line: the count comes by itself.
    await waitFor('the count of what was missed', () => missed(slow) > 0)
    await waitFor('all lines', () => count(quick) === sent)
    expect([missed(slow), count(slow)]).toEqual([refused + 7, sent - refused])
    expect(missed(quick)).toBe(0)
  })

  test('of transitions hear the last one, with how many they missed', async () => {
    let follower: Follower | undefined
    using server = startServer({
      events: (_request, given) => {
        follower = given
        return {}
      },
    })
    const client = await RawClient.connect(server.path)
    client.send('events', 1)
    await client.reply()
    client.socket.pause()
    let restarts = 0
    const send = (): unknown =>
      follower?.send({ type: 'slot', at: aSlot.since, slot: { ...aSlot, restarts: ++restarts } })
    while (send());
    send()
    client.socket.resume()
    const last = await waitFor(
      'the last transition',
      () => client.lines.at(-1)?.includes('"missed"') && client.lines.at(-1),
    )
    expect(JSON.parse(last)).toMatchObject({ event: { slot: { restarts }, missed: 1 } })
  })

  test('that do not read for a minute are cut, not after ten seconds: a terminal may be stopped for a while', async () => {
    const clock = fakeClock()
    let follower: Follower | undefined
    using server = startServer(
      {
        logs: (_request, given) => {
          follower = given
          return {}
        },
      },
      { clock },
    )
    const client = await RawClient.connect(server.path)
    client.send('logs', 1, { slots: [] })
    await client.reply()
    client.socket.pause()
    while (follower?.send({ slot: 'a', lines: ['x'.repeat(10_000)] }));
    const other = await RawClient.connect(server.path)
    // Data that the kernel accepted at first counts as read: let the report arrive.
    other.send('ping', 1)
    await other.reply(0)
    for (const turn of [1, 2]) {
      clock.advance(25_000)
      other.send('ping', 1)
      await other.reply(turn)
    }
    expect(server.server.connections).toBe(2)
    clock.advance(11_000)
    await waitFor('the cut', () => server.server.connections === 1)
    expect(other.closed).toBe(false)
    expect(follower?.send({ slot: 'a', lines: [] })).toBe(false)
  })

  test('that are gone are reported to the handler at once, and to a handler that asks late', async () => {
    const closed: string[] = []
    let follower: Follower | undefined
    using server = startServer({
      events: (_request, given) => {
        follower = given
        given.onClose(() => closed.push('early'))
        return {}
      },
    })
    const client = await RawClient.connect(server.path)
    client.send('events', 1)
    await client.reply()
    client.socket.destroy()
    await waitFor('the word of it', () => closed.length > 0)
    follower?.onClose(() => closed.push('late'))
    expect(closed).toEqual(['early', 'late'])
  })

  test('are counted: past the limit one is refused, and a place is free again when one goes', async () => {
    using server = startServer({}, { limits: { followers: 2 } })
    const follow = async (): Promise<RawClient> => {
      const client = await RawClient.connect(server.path)
      client.send('events', 1)
      await client.reply()
      return client
    }
    const first = await follow()
    await follow()
    const third = await follow()
    expect(JSON.parse(third.lines[0] ?? '')).toMatchObject({ ok: false, error: { code: 'REFUSED' } })
    first.socket.destroy()
    await waitFor('a free place', async () => JSON.parse((await follow()).lines[0] ?? '').ok)
  })
})
