// The one way in which scripts and tests run a program whose end they wait for.
import { constants } from 'node:os'
import { execa, execaSync } from 'execa'

export interface RunOptions {
  readonly cwd?: string
  /** All of its environment; default: ours. */
  readonly env?: Readonly<Record<string, string>>
  /** Its standard input; default: empty. */
  readonly input?: string
  /** After so long the program is killed and the call fails; default: 10 minutes. */
  readonly timeoutMs?: number
  /** Where its output goes: into the result (default), or also to our own. */
  readonly output?: 'kept' | 'shown'
}

/** A program that has ended. */
export interface Ran {
  /** Its exit code; 128 + n after signal n, as a shell says it. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const TIMEOUT_MS = 600_000
const MAX_OUTPUT = 256e6

const KEPT = ['pipe'] as const
const SHOWN = ['inherit', 'pipe'] as const

function execaOptions({ cwd, env, input = '', timeoutMs = TIMEOUT_MS, output = 'kept' }: RunOptions) {
  const stream: typeof KEPT | typeof SHOWN = output === 'kept' ? KEPT : SHOWN
  return {
    ...(cwd !== undefined && { cwd }),
    ...(env !== undefined && { env, extendEnv: false }),
    input,
    timeout: timeoutMs,
    maxBuffer: MAX_OUTPUT,
    stripFinalNewline: false,
    stdout: stream,
    stderr: stream,
  } as const
}

/**
 * Runs a program to its end. If it is killed, the processes that it has started end with it.
 * @throws an error with the command and all of its output when the program cannot be started, exits with another code
 * than 0, is killed, or takes too long
 */
export async function run(file: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { stdout, stderr } = await execa(file, args, { ...execaOptions(options), killDescendants: true })
  return { code: 0, stdout, stderr }
}

/** As {@link run}, but a program that exits with another code than 0 is a result, too. */
export async function tryRun(file: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const result = await execa(file, args, { ...execaOptions(options), killDescendants: true, reject: false })
  return { code: codeOf(result), stdout: result.stdout, stderr: result.stderr }
}

/** As {@link run}, while nothing else happens. @returns its standard output */
export const runSync = (file: string, args: readonly string[], options: RunOptions = {}): string =>
  execaSync(file, args, execaOptions(options)).stdout

/** As {@link tryRun}, while nothing else happens. */
export function tryRunSync(file: string, args: readonly string[], options: RunOptions = {}): Ran {
  const result = execaSync(file, args, { ...execaOptions(options), reject: false })
  return { code: codeOf(result), stdout: result.stdout, stderr: result.stderr }
}

/** @throws when it could not be started, or had to be killed */
function codeOf(result: {
  exitCode?: number
  signal?: NodeJS.Signals
  timedOut: boolean
  isMaxBuffer: boolean
}): number {
  if (result.exitCode !== undefined) return result.exitCode
  if (result.signal === undefined || result.timedOut || result.isMaxBuffer) throw result
  return 128 + constants.signals[result.signal]
}
