import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { connectControl } from '../../../control/client.ts'
import { pause } from '../../../system/clock.ts'
import { EXIT, HermesError } from '../../../system/errors.ts'
import { childEnding, type Kernel } from '../../../system/native/child-ending.ts'
import { loadNative } from '../../../system/native/native-libc.ts'
import { homePaths, runPaths } from '../../../system/paths.ts'
import { warningLine } from '../../../system/text/foreign-text.ts'
import type { Input } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import type { Outcome } from '../../terminal/output.ts'
import { actionOptions } from '../gateway.ts'
import { findInit, type Running, requireHost, runDirToBe } from './place.ts'

/** Longer than init waits for the profiles of a boot. */
const WAIT_MS = 60_000
const LOOK_EVERY_MS = 20
/** The first lines of init may be read later; these are enough to say why it has ended. */
const MAX_SAID = 100_000

/** `hermes start` */
export async function start(context: Context, input: Input): Promise<Outcome> {
  requireHost(context, input, 'start')
  const { timeoutMs = WAIT_MS } = actionOptions(input)
  const init = join(context.install, 'bin', 'init')
  if (!existsSync(init))
    throw new HermesError('FAILED', `the install is incomplete: ${init} is missing`, {
      next: 'install it again',
      exitCode: EXIT.notFound,
    })
  const env = definedOf(context.env)
  if (input.options.detach !== true) {
    if (process.execve === undefined) throw new Error('this Node cannot become another program (process.execve)')
    // The terminal and its signals are init's from here on, with this very process.
    return process.execve(init, [init, '--foreground'], env)
  }
  const runDir = runDirToBe(context)
  const { initPid } = runPaths(runDir, 'private')
  const before = await findInit(runDir, initPid)
  if (before.state === 'running') return outcome(context, 'is already running', before.pid)
  // Relative paths would mean something else in the new directory.
  const settings = { HERMES_HOME: context.home, ...(env.HERMES_RUN_DIR && { HERMES_RUN_DIR: runDir }) }
  const { native: kernel } = await loadNative()
  const child = spawn(init, ['--foreground'], {
    cwd: '/',
    env: { ...env, ...settings },
    // A session of its own: the end of the terminal is not init's.
    detached: true,
    // Slots print into their logs. init's own lines are in the supervisor's log, and the first ones here.
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  // init has a session of its own, so Ctrl-C does not reach it.
  const interrupted = (signal: NodeJS.Signals): void => {
    context.output.err(`hermes: Hermes goes on with its start (pid ${child.pid})\n  next: hermes status; hermes stop\n`)
    process.kill(process.pid, signal)
  }
  process.once('SIGINT', interrupted)
  try {
    return outcome(context, 'is running', await untilItAnswers(context, child, { runDir, timeoutMs, kernel }))
  } finally {
    process.off('SIGINT', interrupted)
    // init goes on without a reader of its lines.
    child.stderr?.destroy()
    child.unref()
  }
}

interface Wait {
  readonly runDir: string
  readonly timeoutMs: number
  readonly kernel: Kernel
}

/** @returns pid of the init that runs. @throws HermesError with what it has printed, if it ends or does not answer */
async function untilItAnswers(
  context: Context,
  child: ChildProcess,
  { runDir, timeoutMs, kernel }: Wait,
): Promise<number> {
  const { clock, home, output } = context
  const look = (): Promise<Running> => findInit(runDir, runPaths(runDir, 'private').initPid)
  let said = ''
  let ended: string | undefined
  let how = 'it is not known how'
  void childEnding(child, kernel).then((ending) => {
    how = 'signal' in ending ? `signal ${ending.signal}` : `exit code ${ending.exitCode}`
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-MAX_SAID)
  })
  child.once('error', (error) => {
    ended = error.message
  })
  // With all that it has printed.
  child.once('close', () => {
    ended ??= how
  })
  const untilMs = clock.nowMs() + timeoutMs
  while (!(await answers(context, runDir, untilMs))) {
    // A second one that started at the same moment is refused: the first one is then waited for.
    if (ended !== undefined && (await look()).state === 'none') {
      output.err(said)
      throw new HermesError('FAILED', `Hermes has ended while it started for ${home} (${ended})`, {
        next: 'read its lines above; hermes start shows them as they come',
      })
    }
    if (clock.nowMs() >= untilMs)
      throw new HermesError('TIMED_OUT', `Hermes for ${home} (pid ${child.pid}) does not answer yet; it goes on`, {
        next: `hermes status; its lines are in ${homePaths(home).supervisorLog}`,
      })
    await pause(clock, LOOK_EVERY_MS)
  }
  if (ended === undefined)
    for (const [, warning = ''] of said.matchAll(/^hermes: (?:warning|error): (.*)$/gm))
      output.err(warningLine(warning))
  const init = await look()
  return init.state === 'running' ? init.pid : (child.pid ?? 0)
}

/** Tells whether the supervisor has finished its boot. */
async function answers({ clock, home }: Context, runDir: string, untilMs: number): Promise<boolean> {
  try {
    const client = await connectControl(runPaths(runDir, 'private').controlSocket, clock, { home })
    try {
      await client.request('ping', { booted: true }, { timeoutMs: Math.max(1, untilMs - clock.nowMs()) })
      return true
    } finally {
      client.close()
    }
  } catch (error) {
    if (error instanceof HermesError) return false
    throw error
  }
}

function outcome({ home, json }: Context, words: string, pid: number): Outcome {
  const { logs, supervisorLog } = homePaths(home)
  const gateways = join(logs, 'gateways')
  return {
    ...(json
      ? {}
      : {
          text: `Hermes ${words} for ${home} (pid ${pid})
logs: ${supervisorLog}, ${gateways}
next: hermes status; hermes stop
`,
        }),
    json: { pid, home, started: words === 'is running', logs: [supervisorLog, gateways] },
  }
}

const definedOf = (env: Context['env']): Record<string, string> =>
  Object.fromEntries(Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
