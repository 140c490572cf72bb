// The front port's server before a real HTTP server that stands for a gateway.
import { mkdirSync } from 'node:fs'
import { Agent, createServer, type IncomingMessage, type RequestListener, request, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import type { HelperServer } from '../../../src/control/helper-program.ts'
import { frontServer } from '../../../src/gateway/front/server.ts'
import { writeApiAddress } from '../../../src/profile/state/api-address.ts'
import { scratchDir } from '../../support/scratch.ts'
import { within } from '../../support/wait.ts'

const open: Server[] = []
afterEach(() => {
  for (const server of open.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push(server)
  return (server.address() as AddressInfo).port
}

interface Scene extends HelperServer {
  readonly port: number
  readonly gateway: Server
}

async function scene(gatewayDoes: RequestListener): Promise<Scene> {
  const home = scratchDir('hermes-front-')
  mkdirSync(join(home, 'logs'))
  const gateway = createServer(gatewayDoes)
  writeApiAddress(home, { host: '127.0.0.1', port: await listen(gateway), keyed: true })
  const failed = (error: unknown): never => {
    throw error
  }
  const front = frontServer({ home, failed })
  return { ...front, gateway, port: await listen(front.server) }
}

interface Sent {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly agent?: Agent
}

/** The head of an answer. */
const ask = (port: number, path: string, { method = 'GET', headers = {}, agent }: Sent = {}, body = '') =>
  within(
    `the answer to ${path}`,
    new Promise<IncomingMessage & { readonly isReused: boolean }>((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, path, method, headers, ...(agent && { agent }) }, (answer) =>
        resolve(Object.assign(answer, { isReused: sent.reusedSocket })),
      )
      sent.once('error', reject)
      sent.end(body)
    }),
  )

test('a request and its answer pass unchanged, without what is about the connection', async () => {
  const { port } = await scene((incoming, answer) => {
    const head = { 'x-request-id': 'order-66', 'set-cookie': ['a=1', 'b=2'], connection: 'close, x-hop', 'x-hop': '1' }
    answer.writeHead(418, 'teapot', head)
    const { url, method, headers } = incoming
    void text(incoming).then((body) => answer.end(JSON.stringify({ url, method, headers, body })))
  })
  const headers = {
    authorization: 'Bearer k',
    connection: 'x-mine',
    'x-mine': '1',
    te: 'trailers',
    'x-request-id': 'me',
  }
  const answer = await ask(port, '/p/default/v1/models?a=%2F', { method: 'PUT', headers }, 'body')
  expect([answer.statusCode, answer.statusMessage]).toEqual([418, 'teapot'])
  expect(answer.headers).toMatchObject({ 'set-cookie': ['a=1', 'b=2'], 'x-request-id': 'order-66' })
  expect(answer.headers).not.toHaveProperty('x-hop')
  const seen = JSON.parse(await text(answer)) as { headers: Record<string, string> }
  expect(seen).toMatchObject({ url: '/v1/models?a=%2F', method: 'PUT', body: 'body' })
  expect(seen.headers).toMatchObject({ authorization: 'Bearer k', 'x-request-id': 'me' })
  expect(seen.headers).not.toHaveProperty('x-mine')
  expect(seen.headers).not.toHaveProperty('te')
})

test('the body of a GET in chunks stays a body, and does not become a second request', async () => {
  const seen: string[] = []
  const { port } = await scene((incoming, answer) => {
    void text(incoming).then((body) => {
      seen.push(`${incoming.method} ${incoming.url} ${body.length}`)
      answer.end()
    })
  })
  const hidden = 'GET /v1/hidden HTTP/1.1\r\nhost: x\r\n\r\n'
  const answer = await ask(port, '/p/default/v1/a', { headers: { 'transfer-encoding': 'chunked' } }, hidden)
  await text(answer)
  await text(await ask(port, '/p/default/v1/b', { method: 'POST' }))
  expect(seen).toEqual([`GET /v1/a ${hidden.length}`, 'POST /v1/b 0'])
})

test('each part of an answer comes when the gateway sends it, and a client keeps its connection', async () => {
  const gate = Promise.withResolvers<void>()
  const { port } = await scene((_incoming, answer) => {
    answer.writeHead(200, { 'content-type': 'text/event-stream' })
    answer.write('data: 1\n\n')
    void gate.promise.then(() => answer.end('data: 2\n\n'))
  })
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const answer = await ask(port, '/p/default/v1/x', { method: 'POST', agent })
  const parts = (answer as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  expect(String((await within('the first part', parts.next())).value)).toBe('data: 1\n\n')
  gate.resolve()
  expect(String((await within('the second part', parts.next())).value)).toBe('data: 2\n\n')
  await parts.next()
  const second = await ask(port, '/p/nosuch/v1/x', { method: 'POST', agent })
  expect([second.isReused, second.statusCode]).toEqual([true, 404])
  await text(second)
  agent.destroy()
})

test('a client that goes away takes its request with it, before the answer, in it and in an upload', async () => {
  const begun: string[] = []
  const gone: string[] = []
  const seen = new Map<string, () => void>()
  const ended = new Map<string, () => void>()
  const { port } = await scene((incoming, answer) => {
    const kind = incoming.url?.slice(4) ?? ''
    begun.push(kind)
    if (kind === 'answer') answer.write('part')
    incoming.resume()
    incoming.once('error', () => undefined)
    answer.once('close', () => {
      gone.push(kind)
      ended.get(kind)?.()
    })
    seen.get(kind)?.()
  })
  for (const kind of ['wait', 'answer', 'upload']) {
    const arrived = new Promise<void>((resolve) => seen.set(kind, resolve))
    const left = new Promise<void>((resolve) => ended.set(kind, resolve))
    const length = kind === 'upload' ? 1000 : 0
    const client = connect(port, '127.0.0.1')
    client.on('error', () => undefined)
    client.write(`POST /p/default/v1/${kind} HTTP/1.1\r\nhost: x\r\ncontent-length: ${length}\r\n\r\n`)
    await within(`${kind} to arrive`, arrived)
    if (kind === 'answer') await within('a part', new Promise((resolve) => client.once('data', resolve)))
    client.destroy()
    await within(`${kind} to be given up`, left)
  }
  expect([begun, gone]).toEqual([
    ['wait', 'answer', 'upload'],
    ['wait', 'answer', 'upload'],
  ])
})

test('a large upload arrives whole, and an answer before its end reaches a client that still sends', async () => {
  const { port } = await scene((incoming, answer) => {
    if (incoming.url === '/v1/refused') return void answer.writeHead(413).end('too large')
    let bytes = 0
    incoming.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    incoming.once('end', () => answer.end(String(bytes)))
  })
  const body = 'x'.repeat(8 << 20)
  const whole = await ask(port, '/p/default/v1/x', { method: 'POST' }, body)
  expect(await text(whole)).toBe(String(body.length))
  const refused = await ask(port, '/p/default/v1/refused', { method: 'POST' }, body)
  expect([refused.statusCode, await text(refused)]).toEqual([413, 'too large'])
})

test('a gateway that ends instead of answering is a 502, one that nothing listens for a 503, a torn answer breaks off', async () => {
  const { port, gateway } = await scene((incoming, answer) => {
    if (incoming.url === '/v1/torn') answer.write('part', () => incoming.socket.destroy())
    else incoming.socket.destroy()
  })
  const broken = await ask(port, '/p/default/v1/drop', { method: 'POST' })
  expect([broken.statusCode, broken.headers['retry-after']]).toEqual([502, '2'])
  expect(broken.headers['x-request-id']).toMatch(/^req_/)
  expect(JSON.parse(await text(broken))).toMatchObject({ error: { code: 'gateway_broken', type: 'server_error' } })
  await expect(text(await ask(port, '/p/default/v1/torn'))).rejects.toThrow('aborted')
  await new Promise((resolve) => gateway.close(resolve))
  const absent = await ask(port, '/p/default/v1/x', { method: 'POST' })
  expect([absent.statusCode, absent.headers['retry-after']]).toEqual([503, '5'])
})

test('a drain lets an answer end, takes no new connection, and closes those that wait', async () => {
  const gate = Promise.withResolvers<void>()
  const { port, drain } = await scene((_incoming, answer) => {
    answer.write('first ')
    void gate.promise.then(() => answer.end('last'))
  })
  const idle = connect(port, '127.0.0.1')
  await new Promise((resolve) => idle.once('connect', resolve))
  // 408 would be that of the time-out.
  const idleSaid = text(idle).catch(() => '')
  expect((await ask(port, '/health')).statusCode).toBe(200)
  const answer = await ask(port, '/p/default/v1/x')
  const drained = drain()
  expect(await within('the idle connection to end', idleSaid)).toBe('')
  await expect(ask(port, '/health')).rejects.toThrow('ECONNREFUSED')
  gate.resolve()
  expect(await text(answer)).toBe('first last')
  await within('the drain to end', drained)
})
