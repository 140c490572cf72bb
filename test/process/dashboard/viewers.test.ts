import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { askHttp, pageToken, type RunningDashboard, startDashboard } from '../../support/dashboard/dashboard.ts'
import { readEvents, type StreamedEvent } from '../../support/dashboard/event-stream.ts'
import { startHermes } from '../../support/hermes.ts'
import { waitFor, within } from '../../support/wait.ts'

const loud = {
  command: ['sh', '-c', 'exec yes "the quick brown fox jumps over the lazy dog, again and again and again"'],
}

const tokenOf = async (dashboard: RunningDashboard): Promise<Readonly<Record<string, string>>> => ({
  'X-Hermes-Token': pageToken((await dashboard.ask('/login')).body),
})

const missedOf = (events: readonly StreamedEvent[]): number =>
  events.reduce((sum, { event, data }) => sum + (event === 'missed' ? data.missed : 0), 0)

const linesOf = (events: readonly StreamedEvent[]): number =>
  events.reduce((sum, { event, data }) => sum + (event === 'lines' ? data.lines.length : 0), 0)

/** Reads a stream and keeps nothing of it. */
const countBytes = (port: number, path: string, headers: Readonly<Record<string, string>>) =>
  new Promise<{ readonly bytes: () => number; readonly end: () => void }>((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
      })
      response.on('error', () => undefined)
      resolve({ bytes: () => bytes, end: () => asked.destroy() })
    })
    asked.on('error', reject)
    asked.end()
  })

test('a slot that writes faster than its viewers read: they get some lines, and the number of those they missed', async () => {
  await using hermes = await startHermes({ profiles: [{ name: 'loud', gateway: loud }] })
  await using dashboard = await startDashboard(hermes)
  using reader = await readEvents(dashboard.port, '/api/profiles/loud/logs/follow', await tokenOf(dashboard))
  await waitFor('lines and losses', () => linesOf(reader.events) > 2000 && missedOf(reader.events) > 2000)
  // No viewer is sent more than a page can show.
  expect(Math.max(...reader.events.map(({ data }) => data.lines?.length ?? 0))).toBeLessThanOrEqual(1000)
  expect(reader.events.every(({ data }) => JSON.stringify(data).length < 200_000)).toBe(true)
})

test('a viewer that stops reading affects no other client, and gets what it missed when it reads again', async () => {
  await using hermes = await startHermes({ profiles: [{ name: 'loud', gateway: loud }] })
  await using dashboard = await startDashboard(hermes)
  const headers = await tokenOf(dashboard)
  const path = '/api/profiles/loud/logs/follow'
  using slow = await readEvents(dashboard.port, path, headers)
  using quick = await readEvents(dashboard.port, path, headers)
  await waitFor('lines for both', () => linesOf(slow.events) > 0 && linesOf(quick.events) > 0)
  slow.pause()
  const held = linesOf(slow.events)
  // More than what the kernel and the dashboard hold for one viewer together.
  await waitFor('the quick one to be far ahead', () => quick.bytes - slow.bytes > 8_000_000, { deadlineMs: 100_000 })
  const memory = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${dashboard.child.pid}/status`, 'utf8'))?.[1])
  expect(memory).toBeLessThan(250_000)
  // It began first, so in the end it has received every line that the other one has received, shown or missed.
  const told = (events: readonly StreamedEvent[]): number => linesOf(events) + missedOf(events)
  slow.resume()
  await waitFor('it to go on', () => linesOf(slow.events) > held + 1000)
  await waitFor('what it missed', () => told(slow.events) >= told(quick.events))
  // The lines written in between were not kept for it.
  expect(linesOf(slow.events)).toBeLessThan(linesOf(quick.events))
  expect((await dashboard.ask('/api/status')).code).toBe(200)
})

test('fifty viewers of loud logs cost the server what it may have, 60 MB, and not the garbage of what they were sent', async () => {
  const names = Array.from({ length: 10 }, (_, n) => `loud${n}`)
  await using hermes = await startHermes({ profiles: names.map((name) => ({ name, gateway: loud })) })
  await using dashboard = await startDashboard(hermes)
  const headers = await tokenOf(dashboard)
  const paths = Array.from({ length: 50 }, (_, n) => `/api/profiles/loud${n % names.length}/logs/follow`)
  const viewers = await Promise.all(paths.map((path) => countBytes(dashboard.port, path, headers)))
  using all = new DisposableStack()
  for (const { end } of viewers) all.defer(end)
  const read = (): number => viewers.reduce((sum, { bytes }) => sum + bytes(), 0)
  await waitFor('100 MB to be read', () => read() > 100_000_000, { deadlineMs: 90_000 })
  const rollup = (): string => readFileSync(`/proc/${dashboard.child.pid}/smaps_rollup`, 'utf8')
  const pssKb = (): number => Number(/^Pss:\s+(\d+)/m.exec(rollup())?.[1])
  // Between two collections it may be more.
  await waitFor('less than 60 MB', () => pssKb() < 60_000 || Promise.reject(new Error(`${pssKb()} kB`)))
})

test('when the last viewer has gone, neither the slot nor the events are followed', async () => {
  await using hermes = await startHermes({ profiles: [{ name: 'loud', gateway: loud }] })
  await using dashboard = await startDashboard(hermes)
  const headers = await tokenOf(dashboard)
  const connections = (): number =>
    readFileSync(`/proc/${dashboard.child.pid}/net/unix`, 'utf8')
      .split('\n')
      .filter((line) => line.endsWith(`${hermes.runDir}/control.sock`) && / 03 /.test(line)).length
  const before = connections()
  {
    using logs = await readEvents(dashboard.port, '/api/profiles/loud/logs/follow', headers)
    using events = await readEvents(dashboard.port, '/api/events', headers)
    await waitFor('both', () => logs.events.length > 0 && events.events.length > 0)
    expect(connections()).toBeGreaterThan(before)
  }
  await waitFor('the connections to go', () => connections() <= before)
})

test('viewers that leave as soon as they have come leave nothing behind that would keep a stopped dashboard alive', async () => {
  await using hermes = await startHermes({ profiles: [{ name: 'loud', gateway: loud }] })
  await using dashboard = await startDashboard(hermes)
  const headers = await tokenOf(dashboard)
  for (let i = 0; i < 50; i++) {
    for (const path of ['/api/events', '/api/profiles/loud/logs/follow'])
      (await readEvents(dashboard.port, path, headers))[Symbol.dispose]()
  }
  expect(await within('the dashboard to stop', dashboard.stop())).toMatchObject({ code: 0 })
})

test('half a request is cut off; others are answered before that', async () => {
  await using hermes = await startHermes({ profiles: [] })
  await using dashboard = await startDashboard(hermes)
  const closed = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      let said = ''
      const socket = connect(dashboard.port, '127.0.0.1', () => socket.write(text))
      socket.setEncoding('utf8').on('data', (chunk: string) => {
        said += chunk
      })
      socket.on('error', reject)
      socket.on('close', () => resolve(said))
    })
  const header = closed('GET /api/status HTTP/1.1\r\nHost: localhost\r\nX-Slow: ')
  const huge = await closed(`GET / HTTP/1.1\r\nHost: localhost\r\nX-Large: ${'x'.repeat(40_000)}\r\n\r\n`)
  expect(huge).toMatch(/^HTTP\/1\.1 431 /)
  expect((await askHttp(dashboard.port, '/api/status')).code).toBe(200)
  expect(await header).toMatch(/^HTTP\/1\.1 408 /)
})
