import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { type IncomingHttpHeaders, request } from 'node:http'
import { dirname, join } from 'node:path'
import { Sealer } from '../../../src/dashboard/auth/seal.ts'
import type { RunningHermes } from '../hermes.ts'
import { installDir } from '../install.ts'
import { freePort } from '../port.ts'
import { waitFor, within } from '../wait.ts'

export interface DashboardAnswer {
  readonly code: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** Of a JSON body. */
  // biome-ignore lint/suspicious/noExplicitAny: what is asserted on is not known to be anything before
  json(): any
  /** Cookies that were set, by name, without their attributes; those taken back are left out. */
  cookies(): Readonly<Record<string, string>>
}

export interface Asking {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly json?: unknown
  readonly body?: string | Buffer
}

export interface RunningDashboard extends AsyncDisposable {
  readonly port: number
  readonly origin: string
  readonly child: ChildProcess
  said(): string
  /** The path goes out exactly as it is written here. */
  ask(path: string, asking?: Asking): Promise<DashboardAnswer>
  /** With the token of the page, and our own Origin: as the page asks where no log-in is needed. */
  asPage(path: string, asking?: Asking): Promise<DashboardAnswer>
  /** TERM; resolves with the exit code and how long it took. */
  stop(): Promise<{ readonly code: number | null; readonly tookMs: number }>
}

export const password = {
  HERMES_DASHBOARD_BASIC_AUTH_USERNAME: 'me',
  HERMES_DASHBOARD_BASIC_AUTH_PASSWORD: 'correct horse',
}

/** `hermes dashboard` of a run, with no environment but this. */
export function spawnDashboard(
  hermes: Pick<RunningHermes, 'home' | 'runDir'>,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  install = installDir(),
): ChildProcess {
  return spawn(join(install, 'bin', 'hermes'), ['dashboard', ...args], {
    env: {
      PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
      HERMES_HOME: hermes.home,
      HERMES_RUN_DIR: hermes.runDir,
      HERMES_DOCKER_EXEC_AS_ROOT: '1',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

export function capture(child: ChildProcess): () => string {
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  }
  return () => said
}

/** Starts a dashboard and waits until it listens. */
export async function startDashboard(
  hermes: Pick<RunningHermes, 'home' | 'runDir'>,
  options: {
    readonly args?: readonly string[]
    readonly env?: Readonly<Record<string, string>>
    readonly port?: number
    readonly install?: string
  } = {},
): Promise<RunningDashboard> {
  const port = options.port ?? (await freePort())
  const child = spawnDashboard(hermes, ['--port', String(port), ...(options.args ?? [])], options.env, options.install)
  const said = capture(child)
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  await waitFor('the dashboard to listen', () => {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${said()}`)
    return said().includes(`:${port}\n`)
  })
  const origin = `http://127.0.0.1:${port}`
  const ask = (path: string, asking: Asking = {}): Promise<DashboardAnswer> => askHttp(port, path, asking)
  let token: Promise<string> | undefined
  return {
    port,
    origin,
    child,
    said,
    ask,
    async asPage(path, asking = {}) {
      token ??= ask('/').then(({ body }) => pageToken(body))
      return ask(path, { ...asking, headers: { Origin: origin, 'X-Hermes-Token': await token, ...asking.headers } })
    },
    async stop() {
      const atMs = performance.now()
      child.kill('SIGTERM')
      return { code: await within('the dashboard to stop', exited, { seen: said }), tookMs: performance.now() - atMs }
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      // A dashboard that does not obey is named, and does not outlive its test.
      await within('the dashboard to stop', exited, { seen: said }).finally(() => child.kill('SIGKILL'))
    },
  }
}

/** The token that a page was given. */
export function pageToken(html: string): string {
  const found = /<meta name="hermes-token" content="([^"]+)">/.exec(html)?.[1]
  if (found === undefined) throw new Error(`no token in the page: ${html.slice(0, 500)}`)
  return found
}

export function askHttp(port: number, path: string, asking: Asking = {}): Promise<DashboardAnswer> {
  const { method = 'GET', headers = {}, json } = asking
  const body = json === undefined ? asking.body : JSON.stringify(json)
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method,
        agent: false,
        headers: {
          ...(json === undefined ? {} : { 'Content-Type': 'application/json' }),
          ...(body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }),
          ...headers,
        },
      },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        response.on('error', reject)
        response.on('end', () => resolve(answerOf(response.statusCode ?? 0, response.headers, text)))
      },
    )
    asked.on('error', reject)
    asked.end(body)
  })
}

const answerOf = (code: number, headers: IncomingHttpHeaders, body: string): DashboardAnswer => ({
  code,
  headers,
  body,
  json: () => JSON.parse(body),
  cookies: () =>
    Object.fromEntries(
      (headers['set-cookie'] ?? [])
        .filter((cookie) => !/;\s*max-age=0/i.test(cookie))
        .map((cookie) => {
          const pair = cookie.split(';')[0] ?? ''
          return [unmarked(pair), pair.slice(pair.indexOf('=') + 1)]
        }),
    ),
})

/**
 * The first cookie of a session as it would be later: sealed again with the key in the volume.
 * @param change to what it holds: `expiresMs`, `endsMs`
 */
export function resealed(
  home: string,
  { hermes_session_at = '' }: Readonly<Record<string, string>>,
  change: Readonly<Record<string, number>>,
): string {
  const key = readFileSync(join(home, 'dashboard.key'), 'utf8').trim()
  const sealer = new Sealer(Buffer.from(key, 'base64url'))
  const held = sealer.open('access', hermes_session_at)
  if (typeof held !== 'object') throw new Error('not a cookie of this volume')
  return cookieHeader({ hermes_session_at: sealer.seal('access', { ...held, ...change }) })
}

/**
 * The name of a cookie without the mark of its dashboard, as earlier versions had it: a dashboard takes its own by
 * both.
 */
export const unmarked = (cookie: string): string => (cookie.split('=')[0] ?? '').replace(/_[0-9a-f]{8}$/, '')

/** As a Cookie header. */
export const cookieHeader = (cookies: Readonly<Record<string, string>>): string =>
  Object.entries(cookies)
    .map(([name, value]) => `${name}=${value}`)
    .join('; ')
