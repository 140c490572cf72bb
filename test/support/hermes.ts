import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { runSync } from '../../scripts/run.ts'
import { type ControlClient, connectControl } from '../../src/control/client.ts'
import type { SlotStatus, StatusResult } from '../../src/protocol/control.ts'
import { installDir } from './install.ts'
import { quickDir } from './quick-dir.ts'
import { waitFor } from './wait.ts'

/** A profile of a test: its name, and the YAML under `gateway:` as an object. */
export interface TestProfile {
  readonly name: string
  readonly gateway: Readonly<Record<string, unknown>>
  /** Likewise `agent:`. */
  readonly agent?: Readonly<Record<string, unknown>>
  /** Likewise `budget:`. */
  readonly budget?: Readonly<Record<string, unknown>>
  /** Likewise `secrets:`. */
  readonly secrets?: Readonly<Record<string, unknown>>
  /** Likewise `notify:`, in the default profile. */
  readonly notify?: readonly Readonly<Record<string, unknown>>[]
  /** Likewise `forward:`. */
  readonly forward?: readonly Readonly<Record<string, unknown>>[]
  /** Defaults to `running`; null writes no desired_state at all. */
  readonly desired?: 'running' | 'stopped' | null
}

export interface RunningHermes extends AsyncDisposable {
  readonly home: string
  readonly runDir: string
  readonly init: ChildProcess
  /** Everything the programs wrote so far. */
  stdout(): string
  stderr(): string
  /** One request on a connection of its own. */
  readonly control: <T>(use: (client: ControlClient) => Promise<T>) => Promise<T>
  status(): Promise<StatusResult>
  slot(name: string): Promise<SlotStatus | undefined>
  supervisorPid(): Promise<number>
  /** TERM to init; resolves with its exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
  exit(): Promise<number | null>
}

/** Writes the files of a home: config.yaml is JSON, which is YAML. */
export function writeHome(home: string, profiles: readonly TestProfile[]): void {
  for (const { name, desired, ...config } of profiles) {
    const dir = name === 'default' ? home : join(home, 'profiles', name)
    mkdirSync(dir, { recursive: true })
    writeFileSync(join(dir, 'config.yaml'), JSON.stringify(config))
    if (desired !== null) writeFileSync(join(dir, 'desired_state'), `${desired ?? 'running'}\n`)
  }
}

/**
 * The real programs, in the foreground mode of `npm start`, in a home of their own.
 * Disposing kills what is left and removes the home.
 */
export async function startHermes(options: {
  readonly profiles: readonly TestProfile[]
  readonly env?: Readonly<Record<string, string>>
  readonly home?: string
  /** Keep the home when the run ends (to start again on it). */
  readonly keepHome?: boolean
  readonly deadlineMs?: number
  /** Default: `run` in the home. */
  readonly runDir?: string
  /** false: do not wait until it runs. */
  readonly untilRunning?: false
  /** An install tree of the test's own. */
  readonly install?: string
  /** A descriptor for init's standard output; default: a pipe that is read. */
  readonly stdout?: number
  /** Uid and gid of the user who starts it; the home is that user's. Default: ours. */
  readonly user?: number
}): Promise<RunningHermes> {
  const home = options.home ?? quickDir('hermes-test-')
  writeHome(home, options.profiles)
  if (options.user !== undefined) runSync('chown', ['--recursive', `${options.user}:${options.user}`, home])
  const runDir = options.runDir ?? join(home, 'run')
  const init = spawn(join(options.install ?? installDir(), 'bin', 'init'), ['--foreground'], {
    env: {
      PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
      HERMES_HOME: home,
      HERMES_RUN_DIR: runDir,
      ...options.env,
    },
    stdio: ['ignore', options.stdout ?? 'pipe', 'pipe'],
    ...(options.user !== undefined && { uid: options.user, gid: options.user }),
  })
  let stdout = ''
  let stderr = ''
  init.stdout?.setEncoding('latin1').on('data', (text: string) => {
    stdout = (stdout + text).slice(-1_000_000)
  })
  init.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-1_000_000)
  })
  const exited = new Promise<number | null>((resolve) => init.on('exit', resolve))

  const control = async <T>(use: (client: ControlClient) => Promise<T>): Promise<T> => {
    const client = await connectControl(join(runDir, 'control.sock'))
    try {
      return await use(client)
    } finally {
      client.close()
    }
  }
  const status = (): Promise<StatusResult> => control((client) => client.request('status', {}))
  const hermes: RunningHermes = {
    home,
    runDir,
    init,
    stdout: () => stdout,
    stderr: () => stderr,
    control,
    status,
    slot: async (name) => (await status()).slots.find(({ slot }) => slot === name),
    supervisorPid: () => control(async (client) => (await client.request('ping', {})).pid),
    stop: (signal = 'SIGTERM') => {
      init.kill(signal)
      return exited
    },
    exit: () => exited,
    async [Symbol.asyncDispose]() {
      if (init.exitCode === null && init.signalCode === null) {
        init.kill('SIGTERM')
        // Two INTs after a TERM end a foreground run at once; a test that failed half-way must not leave slots behind.
        await Promise.race([exited, waitFor('init to stop', () => init.exitCode !== null || init.signalCode !== null)])
      }
      if (options.keepHome !== true) rmSync(home, { recursive: true, force: true })
    },
  }
  if (options.untilRunning === false) return hermes
  const wanted = options.profiles.filter(({ desired }) => desired === undefined || desired === 'running')
  await waitFor(
    'the supervisor to run',
    async () => {
      if (init.exitCode !== null) throw new Error(`init ended with ${init.exitCode}: ${stderr}`)
      const seen = await status().catch(() => undefined)
      return seen?.phase === 'running' && wanted.every(({ name }) => seen.slots.some((slot) => slot.profile === name))
    },
    { deadlineMs: options.deadlineMs ?? 30_000 },
  )
  return hermes
}

/** Waits for a gateway to be as `is` says. @throws Error with how it was last */
export const gatewayThat = (
  hermes: RunningHermes,
  profile: string,
  is: (slot: SlotStatus) => boolean,
): Promise<SlotStatus> =>
  waitFor(
    `gateway-${profile}`,
    async () => {
      const found = await hermes.slot(`gateway-${profile}`)
      if (found !== undefined && is(found)) return found
      throw new Error(JSON.stringify(found))
    },
    { deadlineMs: 60_000 },
  )

/** Every line a slot has in its log: archives in order, then current. */
export function logLines(home: string, profile: string): string[] {
  const dir = join(home, 'logs', 'gateways', profile)
  return logFiles(dir).flatMap((name) => readFileSync(join(dir, name), 'utf8').split('\n').slice(0, -1))
}

/** Names of archives in order, then `current`. */
export const logFiles = (dir: string): string[] => [
  ...readdirSync(dir)
    .filter((name) => name.endsWith('.log'))
    .sort(),
  'current',
]
