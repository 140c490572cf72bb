// The real program `hermes gateway run` as its slot runs it, without a supervisor: readiness on fd 3, output kept.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { program } from './install.ts'
import { freePort } from './port.ts'
import { outputOf } from './programs/output.ts'
import { quickDir } from './quick-dir.ts'
import { waitFor, within } from './wait.ts'

export interface GatewayOptions {
  readonly home?: string
  /** Defaults to `default`. */
  readonly profile?: string
  /** config.yaml, as an object: JSON is YAML. */
  readonly config?: Readonly<Record<string, unknown>>
  readonly env?: Readonly<Record<string, string>>
  /** On a free port, without a key; false: API_SERVER_* is left to `env`. */
  readonly api?: boolean
}

export interface TestGateway extends AsyncDisposable {
  readonly home: string
  readonly dir: string
  readonly port: number
  readonly url: string
  readonly child: ChildProcess
  readonly pid: number
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  stderr(): string
  stdout(): string
  log(name?: 'agent' | 'errors'): string
  term(): void
}

/** Starts it and resolves at once: it may be meant to fail. */
export async function spawnGateway(options: GatewayOptions = {}): Promise<TestGateway> {
  const { profile = 'default', config, env, api = true } = options
  const home = options.home ?? quickDir('hermes-gateway-')
  const dir = profile === 'default' ? home : join(home, 'profiles', profile)
  mkdirSync(dir, { recursive: true })
  if (config !== undefined) writeFileSync(join(dir, 'config.yaml'), JSON.stringify(config))
  const port = Number(env?.API_SERVER_PORT ?? (await freePort()))
  const child = spawn(program('hermes'), ['-p', profile, 'gateway', 'run'], {
    cwd: dir,
    env: {
      PATH: process.env.PATH,
      HERMES_HOME: home,
      HERMES_RUN_DIR: join(home, 'run'),
      HERMES_PROFILE: profile,
      HERMES_SUPERVISED: '1',
      HERMES_DOCKER_EXEC_AS_ROOT: '1',
      ...(api ? { API_SERVER_ENABLED: '1', API_SERVER_PORT: String(port) } : {}),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  const output = outputOf(child)
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal })),
  )
  return {
    home,
    dir,
    port,
    url: `http://127.0.0.1:${port}`,
    child,
    pid: child.pid ?? 0,
    exited,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    log: (name = 'agent') => readFileSync(join(dir, 'logs', `${name}.log`), 'utf8'),
    term: () => void child.kill('SIGTERM'),
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await within('the gateway to end', exited)
      if (options.home === undefined) rmSync(home, { recursive: true, force: true })
    },
  }
}

/** Starts it and waits for its newline on fd 3. */
export async function startGateway(options: GatewayOptions = {}): Promise<TestGateway> {
  const gateway = await spawnGateway(options)
  const ready = new Promise<string>((resolve, reject) => {
    ;(gateway.child.stdio[3] as Readable).once('data', (bytes: Buffer) => resolve(bytes.toString()))
    void gateway.exited.then(({ code }) => reject(new Error(`it ended with ${code}: ${gateway.stderr()}`)))
  })
  await within('the gateway to be ready', ready, { seen: () => gateway.stderr() })
  return gateway
}

/** Resident memory, bytes. */
export const residentBytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024

/** The most it ever was, bytes. */
export const peakResidentBytes = (pid: number): number =>
  Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024

/** Waits until the gateway's own log says it. */
export const saw = (gateway: TestGateway, text: string | RegExp, name: 'agent' | 'errors' = 'agent'): Promise<true> =>
  waitFor(`${text} in ${name}.log`, () => {
    const log = gateway.log(name)
    return typeof text === 'string' ? log.includes(text) : text.test(log)
  }) as Promise<true>
