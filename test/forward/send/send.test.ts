import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import type { Batch } from '../../../src/forward/batch.ts'
import { sendBatch } from '../../../src/forward/send/send.ts'
import type { ForwardTarget, PostTarget } from '../../../src/profile/config/kinds/forward-kinds.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { startReceiver } from '../../support/notify/receiver.ts'

const batch: Batch = {
  node: 'n',
  slots: [{ slot: 'web', profile: undefined, lines: [{ atMs: 0, ns: 1n, text: 'one' }] }],
}
const MESSAGE = '<30>1 1970-01-01T00:00:00.000Z n web - - - one'
const facts = (env: Readonly<Record<string, string>> = {}) => ({
  home: '/nowhere',
  env,
  clock: systemClock(),
  signal: new AbortController().signal,
})
const syslog = (url: string): ForwardTarget => ({
  name: 'a',
  to: 'syslog',
  address: { value: url },
  facility: 'daemon',
  profiles: null,
})
const posts = (to: 'loki' | 'otlp', more: Partial<PostTarget>): ForwardTarget => ({
  name: 'a',
  to,
  address: { env: 'URL' },
  labels: {},
  headers: {},
  tokenEnv: null,
  profiles: null,
  ...more,
})

async function listening(taken: (socket: Socket) => void) {
  const server = createServer(taken)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `tcp://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () => new Promise<void>((done) => server.close(() => done())),
  }
}

test('syslog over TCP is delivered when the server has read everything and closed the connection', async () => {
  let text = ''
  await using server = await listening((socket) => {
    socket.setEncoding('utf8').on('data', (part) => {
      text += part
    })
  })
  expect(await sendBatch(syslog(server.url), batch, facts())).toEqual({ is: 'delivered', text: 'sent' })
  expect(text).toBe(`${MESSAGE.length} ${MESSAGE}`)
})

test('a connection that is reset, or cannot be made, is a failure', async () => {
  const { url } = await (async () => {
    await using server = await listening((socket) => void socket.once('data', () => socket.resetAndDestroy()))
    const attempt = await sendBatch(syslog(server.url), batch, facts())
    expect(attempt).toEqual({ is: 'failed', text: `${server.url} cannot be reached: ECONNRESET` })
    return server
  })()
  const attempt = await sendBatch(syslog(url), batch, facts())
  expect(attempt).toEqual({ is: 'failed', text: `${url} cannot be reached: ECONNREFUSED` })
})

test('syslog over UDP is one datagram for each line', async () => {
  const socket = createSocket('udp4')
  try {
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    const arrived = once(socket, 'message')
    expect((await sendBatch(syslog(`udp://127.0.0.1:${socket.address().port}`), batch, facts())).is).toBe('delivered')
    expect(String((await arrived)[0])).toBe(MESSAGE)
  } finally {
    socket.close()
  }
})

test('Loki and OTLP get JSON at their paths, with the headers and the token of the target', async () => {
  await using receiver = await startReceiver()
  const env = { URL: receiver.url, TOKEN: 'T0KEN' }
  expect(await sendBatch(posts('otlp', { tokenEnv: 'TOKEN' }), batch, facts(env))).toMatchObject({ is: 'delivered' })
  const team = { headers: { 'X-Scope-OrgID': 'team' }, labels: { env: 'prod' } }
  expect(await sendBatch(posts('loki', team), batch, facts(env))).toMatchObject({ is: 'delivered' })
  const [otlp, loki] = receiver.requests
  expect(otlp).toMatchObject({
    path: '/hook/v1/logs',
    headers: { 'content-type': 'application/json', authorization: 'Bearer T0KEN' },
  })
  expect(JSON.parse(otlp?.body ?? '').resourceLogs).toHaveLength(1)
  expect(loki).toMatchObject({ path: '/hook/loki/api/v1/push', headers: { 'x-scope-orgid': 'team' } })
  expect(JSON.parse(loki?.body ?? '').streams[0].stream).toMatchObject({ env: 'prod', slot: 'web' })
})

test('an address or a token that is not there yet is waited for', async () => {
  const text = async (target: ForwardTarget, env: Readonly<Record<string, string>>) =>
    await sendBatch(target, batch, facts(env))
  expect(await text(posts('loki', {}), {})).toEqual({ is: 'failed', text: 'the variable URL is not set' })
  expect(await text(posts('loki', {}), { URL: 'loki' })).toEqual({
    is: 'failed',
    text: 'the variable URL has no URL that begins with http:// or https://',
  })
  expect(await text(posts('loki', { tokenEnv: 'TOKEN' }), { URL: 'http://127.0.0.1:1' })).toEqual({
    is: 'failed',
    text: 'the variable TOKEN is not set',
  })
})
