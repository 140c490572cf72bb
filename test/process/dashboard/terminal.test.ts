import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import WebSocket from 'ws'
import { descendants, listProcesses } from '../../../src/system/programs/proc.ts'
import {
  cookieHeader,
  pageToken,
  password,
  type RunningDashboard,
  resealed,
  startDashboard,
} from '../../support/dashboard/dashboard.ts'
import { installWithPage } from '../../support/dashboard/page.ts'
import { type RunningHermes, startHermes } from '../../support/hermes.ts'
import { stretchedMs, waitFor, within } from '../../support/wait.ts'

const TUI = { HERMES_DASHBOARD_TUI: '1' }

let hermes: RunningHermes
let page: { readonly install: string } & Disposable
beforeAll(async () => {
  page = installWithPage()
  hermes = await startHermes({ profiles: [] })
  const agent = { command: ['sh', '-c', 'env | grep -c HERMES_DASHBOARD; echo "you said $1"', 'sh', '{prompt}'] }
  writeFileSync(join(hermes.home, 'config.yaml'), JSON.stringify({ agent }))
})
afterAll(async () => {
  await hermes[Symbol.asyncDispose]()
  page[Symbol.dispose]()
})

const start = (env: Readonly<Record<string, string>> = TUI, args: readonly string[] = []): Promise<RunningDashboard> =>
  startDashboard(hermes, { env, args, install: page.install })

const tokenOf = async (dashboard: RunningDashboard): Promise<string> => pageToken((await dashboard.ask('/')).body)

function openSocket(
  { port, origin }: RunningDashboard,
  token: string | undefined,
  headers: Readonly<Record<string, string>> = {},
): WebSocket {
  const protocols = ['hermes', ...(token === undefined ? [] : [`hermes.token.${token}`])]
  return new WebSocket(`ws://127.0.0.1:${port}/api/terminal`, protocols, { headers: { Origin: origin, ...headers } })
}

/** The status that an upgrade was refused with. */
const refusal = (socket: WebSocket): Promise<number> =>
  new Promise((resolve, reject) => {
    socket.on('unexpected-response', (_, { statusCode = 0 }) => resolve(statusCode))
    socket.on('open', () => reject(new Error('it was opened')))
    socket.on('error', () => undefined)
  })

function reading(socket: WebSocket): () => string {
  let text = ''
  socket.on('message', (bytes: Buffer, isBinary: boolean) => {
    if (isBinary) text += bytes.toString('utf8')
  })
  return () => text
}

const send = (socket: WebSocket, message: object): void => socket.send(JSON.stringify(message))

/** Processes that the dashboard has started. */
const chats = (dashboard: RunningDashboard) =>
  descendants(listProcesses(), dashboard.child.pid ?? 0).filter(({ session, pid }) => session === pid)

test('type and be answered, resize, and closing ends everything on the terminal', async () => {
  await using dashboard = await start({ ...TUI, HERMES_DASHBOARD_BASIC_AUTH_PASSWORD: 'a secret' })
  const socket = openSocket(dashboard, await tokenOf(dashboard))
  await once(socket, 'open')
  expect(socket.protocol).toBe('hermes')
  const said = reading(socket)
  send(socket, { cols: 100, rows: 30 })
  const [chat] = await waitFor('the chat', () => chats(dashboard).length === 1 && chats(dashboard))
  const size = (): string =>
    execFileSync('stty', ['-F', `/proc/${chat?.pid}/fd/0`, 'size'])
      .toString()
      .trim()
  expect(size()).toBe('30 100')
  const environment = readFileSync(`/proc/${chat?.pid}/environ`, 'utf8')
  expect(environment).toContain('TERM=xterm-256color')
  expect(environment).not.toMatch(/HERMES_DASHBOARD|a secret/)
  await waitFor('its greeting', () => said() !== '')
  send(socket, { type: 'input', data: 'hello\r' })
  await waitFor('the answer', () => said().includes('you said hello'))
  // The agent counted the dashboard's secrets in its own environment.
  expect(said()).toMatch(/^0\r?$/m)
  send(socket, { type: 'resize', cols: 132, rows: 43 })
  await waitFor('the new size', () => size() === '43 132')
  socket.close()
  await waitFor('the end of the chat', () => chats(dashboard).length === 0)
})

test('the end of the program closes the socket', async () => {
  await using dashboard = await start()
  const socket = openSocket(dashboard, await tokenOf(dashboard))
  await once(socket, 'open')
  const said = reading(socket)
  send(socket, { cols: 80, rows: 24 })
  await waitFor('the prompt', () => said().includes('> '))
  send(socket, { type: 'input', data: '\u0004' })
  const [code] = await once(socket, 'close')
  expect(code).toBe(1000)
})

test('TERM to the dashboard ends its terminals, and soon itself', async () => {
  const dashboard = await start()
  const socket = openSocket(dashboard, await tokenOf(dashboard))
  await once(socket, 'open')
  send(socket, { cols: 80, rows: 24 })
  const [chat] = await waitFor('the chat', () => chats(dashboard).length === 1 && chats(dashboard))
  const { code, tookMs } = await dashboard.stop()
  expect(code).toBe(0)
  expect(tookMs).toBeLessThan(stretchedMs(5000))
  await waitFor('the end of the chat', () => !listProcesses().some(({ session }) => session === chat?.pid))
})

test('without its switch there is none', async () => {
  await using dashboard = await start({})
  expect(await refusal(openSocket(dashboard, await tokenOf(dashboard)))).toBe(404)
  expect((await dashboard.ask('/')).body).not.toContain('hermes-tui')
  await using on = await start()
  expect((await on.ask('/')).body).toContain('<meta name="hermes-tui"')
  expect((await on.asPage('/api/terminal')).code).toBe(404)
})

test('another page gets no socket, with or without what it could know', async () => {
  await using dashboard = await start()
  const token = await tokenOf(dashboard)
  const evil = { Origin: 'https://evil.example' }
  expect(await refusal(openSocket(dashboard, token, evil))).toBe(403)
  expect(await refusal(openSocket(dashboard, undefined))).toBe(401)
  expect(await refusal(openSocket(dashboard, 'made-up'))).toBe(401)
  expect(await refusal(openSocket(dashboard, token, { Host: 'evil.example' }))).toBe(421)
})

test('where a log-in is needed: the session, our Origin, and its token; a log-out closes the socket', async () => {
  await using dashboard = await start({ ...TUI, ...password }, ['--host', '0.0.0.0'])
  const json = { username: 'me', password: 'correct horse' }
  const headers = { Origin: dashboard.origin }
  const answer = await dashboard.ask('/auth/password-login', { method: 'POST', json, headers })
  const cookie = cookieHeader(answer.cookies())
  const token = pageToken((await dashboard.ask('/', { headers: { cookie } })).body)
  expect(await refusal(openSocket(dashboard, token))).toBe(401)
  expect(await refusal(openSocket(dashboard, undefined, { cookie }))).toBe(403)
  expect(await refusal(openSocket(dashboard, token, { cookie, Origin: 'https://evil.example' }))).toBe(403)
  const socket = openSocket(dashboard, token, { cookie })
  await once(socket, 'open')
  send(socket, { cols: 80, rows: 24 })
  await waitFor('the chat', () => chats(dashboard).length === 1)
  const closed = once(socket, 'close')
  await dashboard.ask('/auth/logout', { method: 'POST', headers: { ...headers, cookie, 'X-Hermes-Token': token } })
  expect((await closed)[0]).toBe(1008)
  await waitFor('the end of the chat', () => chats(dashboard).length === 0)
})

test('the end of its session closes the socket', async () => {
  await using dashboard = await start({ ...TUI, ...password }, ['--host', '0.0.0.0'])
  const json = { username: 'me', password: 'correct horse' }
  const headers = { Origin: dashboard.origin }
  const cookies = (await dashboard.ask('/auth/password-login', { method: 'POST', json, headers })).cookies()
  const token = pageToken((await dashboard.ask('/', { headers: { cookie: cookieHeader(cookies) } })).body)
  const cookie = resealed(hermes.home, cookies, { endsMs: Date.now() + stretchedMs(2_000) })
  const socket = openSocket(dashboard, token, { cookie })
  await once(socket, 'open')
  const [code, reason] = await within('the end of the session', once(socket, 'close'))
  expect([code, String(reason)]).toEqual([1008, 'the session has ended'])
})

test('ten terminals may be open, and another one when one of them is closed', async () => {
  await using dashboard = await start()
  const token = await tokenOf(dashboard)
  const sockets = Array.from({ length: 10 }, () => openSocket(dashboard, token))
  await Promise.all(sockets.map((socket) => once(socket, 'open')))
  expect(await refusal(openSocket(dashboard, token))).toBe(503)
  sockets[0]?.close()
  const opened = (socket: WebSocket): Promise<boolean> =>
    Promise.race([once(socket, 'open').then(() => true), once(socket, 'unexpected-response').then(() => false)])
  await waitFor('room for another', () => opened(openSocket(dashboard, token)))
})

test('a paste of any size delays no other client, and reaches the program whole', async () => {
  const config = join(hermes.home, 'config.yaml')
  const before = readFileSync(config)
  writeFileSync(config, JSON.stringify({ agent: { command: ['sh', '-c', 'echo "asked: $(wc -c) bytes"'] } }))
  await using dashboard = await start()
  const socket = openSocket(dashboard, await tokenOf(dashboard))
  await once(socket, 'open')
  const said = reading(socket)
  send(socket, { cols: 80, rows: 24 })
  await waitFor('the prompt', () => said().includes('> '))
  send(socket, { type: 'input', data: `\u001b[200~${'x'.repeat(600_000)}` })
  send(socket, { type: 'input', data: `${'y'.repeat(600_000)}\u001b[201~\r` })
  expect((await within('an answer to somebody else', dashboard.ask('/api/status'))).code).toBe(200)
  await waitFor('the question to be asked', () => said().includes('asked: 1200000 bytes'))
  socket.close()
  await waitFor('the end of the chat', () => chats(dashboard).length === 0)
  writeFileSync(config, before)
})

test('an invalid message closes the socket, and the dashboard goes on', async () => {
  await using dashboard = await start()
  const token = await tokenOf(dashboard)
  for (const message of ['', '{}', '{"cols":1e9,"rows":1}', 'x'.repeat(200_000)]) {
    const socket = openSocket(dashboard, token)
    await once(socket, 'open')
    const closed = once(socket, 'close')
    socket.send(message)
    expect([1008, 1009]).toContain((await closed)[0])
  }
  expect((await dashboard.ask('/api/status')).code).toBe(200)
  expect(readFileSync(`/proc/${dashboard.child.pid}/comm`, 'utf8')).toMatch(/node|hermes/)
})
