// Every proxy of docs/dashboard.md, run with the words of that page.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import {
  askHttp,
  cookieHeader,
  pageToken,
  password,
  type RunningDashboard,
  startDashboard,
} from '../../support/dashboard/dashboard.ts'
import { readEvents } from '../../support/dashboard/event-stream.ts'
import { installWithPage } from '../../support/dashboard/page.ts'
import { type RunningHermes, startHermes } from '../../support/hermes.ts'
import { freePort } from '../../support/port.ts'
import { waitFor, within } from '../../support/wait.ts'

let hermes: RunningHermes
let page: { readonly install: string } & Disposable
let dashboard: RunningDashboard
let dir: string
beforeAll(async () => {
  page = installWithPage()
  hermes = await startHermes({ profiles: [] })
  writeFileSync(join(hermes.home, 'config.yaml'), JSON.stringify({ agent: { command: ['cat'] } }))
  dashboard = await startDashboard(hermes, {
    args: ['--host', '0.0.0.0'],
    install: page.install,
    env: { ...password, HERMES_DASHBOARD_TUI: '1', HERMES_DASHBOARD_TRUSTED_PROXIES: '127.0.0.1' },
  })
  dir = mkdtempSync(join(tmpdir(), 'hermes-proxy-'))
})
afterAll(async () => {
  await dashboard[Symbol.asyncDispose]()
  await hermes[Symbol.asyncDispose]()
  page[Symbol.dispose]()
  rmSync(dir, { recursive: true })
})

const text = readFileSync(join(import.meta.dirname, '../../../docs/dashboard.md'), 'utf8')
const snippets = (language: string): readonly string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(([, snippet = '']) => snippet)

interface Proxy {
  readonly program: string
  readonly args: (file: string) => readonly string[]
  /** The snippet in what has to stand around it, with our ports. */
  readonly file: (snippet: string, port: number) => string
}

const PROXIES: Readonly<Record<string, Proxy>> = {
  nginx: {
    program: 'nginx',
    args: (file) => ['-c', file, '-p', dir, '-e', 'stderr'],
    file: (snippet, port) => `
      daemon off; pid ${dir}/nginx.pid; events {}
      http { access_log off; client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/f;
        uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s; server { listen 127.0.0.1:${port}; ${snippet} } }`,
  },
  caddyfile: {
    program: 'caddy',
    args: (file) => ['run', '--adapter', 'caddyfile', '--config', file],
    file: (snippet, port) =>
      `{\n  admin off\n  auto_https off\n}\n${snippet.replace('hermes.example', `http://127.0.0.1:${port}`)}`,
  },
  haproxy: {
    program: 'haproxy',
    args: (file) => ['-db', '-f', file],
    file: (snippet, port) =>
      `defaults\n  timeout connect 5s\n  timeout client 1h\n\n${snippet.replace('bind :8080', `bind 127.0.0.1:${port}`)}`,
  },
}

async function run(
  kind: string,
  { program, args, file }: Proxy,
  snippet: string,
): Promise<AsyncDisposable & { port: number }> {
  const port = await freePort()
  const path = join(dir, `${kind}-${port}`)
  writeFileSync(path, file(snippet.replaceAll('127.0.0.1:9119', `127.0.0.1:${dashboard.port}`), port))
  const env = { PATH: process.env.PATH, HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir }
  const child: ChildProcess = spawn(program, args(path), { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (bytes: Buffer) => {
      said += bytes
    })
  const exited = once(child, 'exit')
  await waitFor(`${program} to listen`, async () => {
    if (child.exitCode !== null) throw new Error(said)
    return askHttp(port, '/')
  })
  return {
    port,
    async [Symbol.asyncDispose]() {
      // Not KILL: a worker of nginx outlives its master.
      child.kill('SIGTERM')
      await exited
    },
  }
}

const isHere = (program: string): boolean => spawnSync(program, ['-v']).error === undefined

describe.each(Object.entries(PROXIES))('behind %s', (kind, proxy) => {
  test
    .skipIf(!isHere(proxy.program))
    .each(snippets(kind).map((snippet, index) => [snippet.includes('/hermes') ? '/hermes' : '', index] as const))(
    `one logs in, watches and uses the terminal, as docs/dashboard.md has it: below "%s" (needs ${proxy.program})`,
    async (prefix, index) => {
      await using running = await run(kind, proxy, snippets(kind)[index] ?? '')
      const { port } = running
      const origin = `http://127.0.0.1:${port}`
      expect((await askHttp(port, `${prefix}/`)).headers.location).toBe(`${prefix}/login?next=%2F`)
      const login = await askHttp(port, `${prefix}/auth/password-login`, {
        method: 'POST',
        headers: { Origin: origin, Host: `127.0.0.1:${port}` },
        json: { username: 'me', password: 'correct horse' },
      })
      expect([login.code, login.body]).toEqual([200, `{"next":"${prefix}/"}\n`])
      expect(login.headers['set-cookie']?.[0]).toContain(`; Path=${prefix === '' ? '/' : prefix};`)
      const cookie = cookieHeader(login.cookies())
      const headers = { cookie, Origin: origin, Host: `127.0.0.1:${port}`, 'Accept-Encoding': 'gzip' }
      using reader = await readEvents(port, `${prefix}/api/events`, headers)
      await waitFor('the first event, not held back', () => reader.events[0]?.event === 'status')
      const token = pageToken((await askHttp(port, `${prefix}/`, { headers: { cookie } })).body)
      const socket = new WebSocket(
        `ws://127.0.0.1:${port}${prefix}/api/terminal`,
        ['hermes', `hermes.token.${token}`],
        {
          headers: { cookie, Origin: origin },
        },
      )
      let shown = ''
      socket.on('message', (bytes: Buffer) => {
        shown += bytes
      })
      await within('the terminal to open', once(socket, 'open'))
      socket.send(JSON.stringify({ cols: 80, rows: 24 }))
      await waitFor('the prompt', () => shown.includes('> '))
      socket.close()
    },
  )
})

test('of each proxy there is a snippet for a name of its own and one below a path', () => {
  for (const kind of Object.keys(PROXIES)) expect([kind, snippets(kind).length]).toEqual([kind, 2])
})
