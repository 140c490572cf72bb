import { once } from 'node:events'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { pageToken, startDashboard } from '../../support/dashboard/dashboard.ts'
import { readEvents } from '../../support/dashboard/event-stream.ts'
import { startHermes } from '../../support/hermes.ts'
import { stretchedMs, waitFor, within } from '../../support/wait.ts'

/** As many connections as the dashboard has. */
const ALL = 1000
const TEN = Array.from({ length: 10 }, (_, index) => `127.0.1.${index + 1}`)

class Crowd implements Disposable {
  readonly sockets: Socket[] = []
  /** Connections that the dashboard has closed. */
  closed = 0

  async join(port: number, addresses: readonly string[], write = ''): Promise<void> {
    const arrived = Array.from({ length: ALL }, async (_, index) => {
      const socket = connect({ port, host: '127.0.0.1', localAddress: addresses[index % addresses.length] })
      this.sockets.push(socket)
      socket
        .on('error', () => undefined)
        .on('close', () => this.closed++)
        .resume()
      await once(socket, 'connect')
      socket.write(write)
    })
    await within('the crowd', Promise.all(arrived))
  }

  [Symbol.dispose](): void {
    for (const socket of this.sockets) socket.destroy()
  }
}

/** Reads a whole answer over a new connection. @returns undefined if the dashboard closes the connection */
const askFrom = (
  localAddress: string,
  port: number,
  path: string,
): Promise<{ code: number; bytes: number } | undefined> =>
  new Promise((resolve) => {
    request({ host: '127.0.0.1', port, localAddress, path, agent: false }, async (response) => {
      const chunks: Buffer[] = await response.toArray().catch(() => [])
      resolve({ code: response.statusCode ?? 0, bytes: Buffer.concat(chunks).length })
    })
      .on('error', () => resolve(undefined))
      .end()
  })

test.each([
  ['an IPv4 socket', '127.0.0.1', TEN],
  // It reports IPv4 addresses as addresses of one IPv6 network.
  ['a dual-stack socket', '::', TEN],
  ['a socket that one address has filled', '127.0.0.1', ['127.0.1.1']],
])('clients that hold every connection and ask nothing keep no other address out at %s', async (_, host, addresses) => {
  await using hermes = await startHermes({ profiles: [] })
  const env = { HERMES_DASHBOARD_INSECURE: '1' }
  await using dashboard = await startDashboard(hermes, { args: ['--host', host], env })
  using crowd = new Crowd()
  await crowd.join(dashboard.port, addresses)
  const startedAtMs = performance.now()
  for (const path of ['/login', '/api/status', '/login', '/api/status'])
    expect([path, await askFrom('127.0.0.2', dashboard.port, path)]).toMatchObject([path, { code: 200 }])
  // Half-open connections end by themselves after ten seconds.
  expect(performance.now() - startedAtMs).toBeLessThan(stretchedMs(5000))
})

test.each([
  ['send a request that does not end', 'POST /auth/password-login HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{'],
  ['keep their connection after the answer', 'GET /api/status HTTP/1.1\r\nHost: a\r\n\r\n'],
])('nor do clients that %s', async (_, write) => {
  await using hermes = await startHermes({ profiles: [] })
  const env = { HERMES_DASHBOARD_INSECURE: '1' }
  await using dashboard = await startDashboard(hermes, { args: ['--host', '127.0.0.1'], env })
  using crowd = new Crowd()
  await crowd.join(dashboard.port, TEN, write)
  expect(await askFrom('127.0.0.2', dashboard.port, '/api/status')).toMatchObject({ code: 200 })
})

test('an open stream keeps its place, even where its own address holds most connections', async () => {
  await using hermes = await startHermes({ profiles: [{ name: 'loud', gateway: { command: ['yes'] } }] })
  await using dashboard = await startDashboard(hermes)
  const headers = { 'X-Hermes-Token': pageToken((await dashboard.ask('/login')).body) }
  using reader = await readEvents(dashboard.port, '/api/profiles/loud/logs/follow', headers)
  using crowd = new Crowd()
  await crowd.join(dashboard.port, ['127.0.0.1'])
  await waitFor('a newcomer to get the place of another', () => crowd.closed > 0)
  const seen = reader.bytes
  await waitFor('more of the stream', () => reader.bytes > seen)
})
