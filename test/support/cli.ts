import { type ChildProcess, spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { program } from './install.ts'
import { outputOf } from './programs/output.ts'

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  readonly home: string
  readonly env?: Readonly<Record<string, string>>
  /** Text for standard input; default: none, as in a script. */
  readonly input?: string
}

/** The environment of a command in a test: nothing of ours but the home; a root user stays root without asking. */
export const cliEnvironment = ({ home, env }: CliOptions): Record<string, string> => ({
  PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
  HOME: home,
  HERMES_HOME: home,
  HERMES_RUN_DIR: join(home, 'run'),
  HERMES_DOCKER_EXEC_AS_ROOT: '1',
  ...env,
})

/** Starts any program with that environment. */
export function startProgram(argv: readonly string[], options: CliOptions): ChildProcess {
  const [command = '', ...args] = argv
  const stdin = options.input === undefined ? 'ignore' : 'pipe'
  return spawn(command, args, { env: cliEnvironment(options), stdio: [stdin, 'pipe', 'pipe'] })
}

/** Runs any program to its end. A signal that ended it counts as 128. */
export function runProgram(argv: readonly string[], options: CliOptions): Promise<Ran> {
  const child = startProgram(argv, options)
  const output = outputOf(child)
  child.stdin?.end(options.input)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? 128, ...output }))
  })
}

/** Runs the built `hermes`. */
export const hermes = (args: readonly string[], options: CliOptions): Promise<Ran> =>
  runProgram([program('hermes'), ...args], options)
