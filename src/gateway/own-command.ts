import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { isatty } from 'node:tty'
import { ownEnvironment } from '../profile/environment/own-environment.ts'
import { takePidFile } from '../profile/state/pid-file.ts'
import { EXIT, HermesError } from '../system/errors.ts'
import { childEnding } from '../system/native/child-ending.ts'
import type { Native } from '../system/native/native.ts'
import { loadNative } from '../system/native/native-libc.ts'
import { warningLine } from '../system/text/foreign-text.ts'
import type { GatewayFacts } from './facts.ts'

const FORWARDED = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGCONT', 'SIGWINCH'] as const

/**
 * Runs `gateway.command` by hand, as its slot would: same directory, same environment; our terminal, our signals.
 * @returns its exit code, 128+n when a signal ended it
 */
export async function runOwnCommand(facts: GatewayFacts, command: readonly string[]): Promise<number> {
  const giveBack = takePidFile(facts.dir, facts.profile, (text) => facts.err(warningLine(text)))
  try {
    const { environment, warnings } = await ownEnvironment(facts)
    for (const warning of warnings) facts.err(warningLine(warning))
    const [program = '', ...args] = command
    const { native } = await loadNative()
    return await exitOf(
      spawn(program, args, { cwd: facts.dir, env: environment, stdio: 'inherit' }),
      program,
      facts.dir,
      native,
    )
  } finally {
    giveBack()
  }
}

function exitOf(
  child: ChildProcess,
  program: string,
  dir: string,
  native: Pick<Native, 'unblock' | 'openProcess' | 'waitStatus'>,
): Promise<number> {
  const ended = childEnding(child, native)
  // A terminal sends its INT and QUIT to the whole foreground group: passing them on would make two of one.
  const listeners = FORWARDED.filter((signal) => !isatty(0) || (signal !== 'SIGINT' && signal !== 'SIGQUIT')).map(
    (signal) => ({
      signal,
      pass: () => void child.kill(signal),
    }),
  )
  const ignore = (): void => undefined
  for (const { signal, pass } of listeners) process.on(signal, pass)
  // Our Node starts with it blocked (src/system/programs/own-node.ts).
  native.unblock(constants.signals.SIGUSR1)
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, ignore)
  return new Promise<number>((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) => reject(cannotStart(error, program, dir)))
    void ended.then((ending) => resolve('exitCode' in ending ? ending.exitCode : 128 + ending.signal))
  }).finally(() => {
    for (const { signal, pass } of listeners) process.off(signal, pass)
    for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.off(signal, ignore)
  })
}

const cannotStart = (error: NodeJS.ErrnoException, program: string, dir: string): HermesError =>
  new HermesError('FAILED', `cannot start gateway.command: ${program} (in ${dir}): ${error.code ?? error.message}`, {
    exitCode: error.code === 'ENOENT' ? EXIT.notFound : EXIT.cannotExecute,
    next: 'check it with "hermes config get gateway.command", correct it with "hermes config edit"',
    cause: error,
  })
