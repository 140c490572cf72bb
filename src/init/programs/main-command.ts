import { resolve } from 'node:path'
import { EXIT, HermesError } from '../../system/errors.ts'
import { isProgram, lookAt, placesOf } from '../../system/programs/look.ts'
import { isSubcommand } from '../../system/programs/subcommands.ts'

/** Programs of older images that templates still put before the container's arguments. All they did, init does. */
const FORWARDERS = ['/opt/hermes/docker/main-wrapper.sh', '/opt/hermes/docker/entrypoint.sh']

/** The container's arguments, without forwarders in front of them. */
export function withoutForwarders(argv: readonly string[]): readonly string[] {
  const first = argv.findIndex((argument) => !FORWARDERS.includes(argument))
  return first === -1 ? [] : argv.slice(first)
}

export interface MainCommandFacts {
  /** The container's arguments. */
  readonly argv: readonly string[]
  readonly hasTerminal: boolean
  /** PATH of the container. */
  readonly path: string
  /** The `hermes` of this install. */
  readonly hermes: string
  /** Whether a file can be run; another answer in tests. */
  readonly canRun?: (file: string) => boolean
}

/**
 * Interprets the container's arguments.
 * @returns the program and its arguments; empty: no main program, supervise until stopped
 */
export function mainCommand({
  argv,
  hasTerminal,
  path,
  hermes,
  canRun = (file) => isProgram(lookAt(file)),
}: MainCommandFacts): readonly string[] {
  const [first] = argv
  if (first === undefined) return hasTerminal ? [hermes] : []
  if (first === 'hermes') return [hermes, ...argv.slice(1)]
  if (isSubcommand(first) || first.startsWith('-')) return [hermes, ...argv]
  if (first.includes('/')) return argv
  const isOnPath = placesOf(first, { path, cwd: process.cwd() }).some(canRun)
  // For an argument that is neither, `hermes` reports the error and exits with 2.
  return isOnPath ? argv : [hermes, ...argv]
}

/**
 * Refuses a main program that cannot run. Checks only what is certain: the kernel decides whether the runtime user
 * may run it.
 * @param file as in the container's arguments; a name without a slash was found on PATH
 * @throws HermesError with the shell's codes, 127 and 126
 */
export function requireProgram(file: string): void {
  if (!file.includes('/')) return
  const seen = lookAt(file)
  const path = resolve(file)
  if (seen === 'missing') {
    throw new HermesError('FAILED', `the main program ${path} does not exist`, {
      next: "check the first argument after the image's name: the program must be in the image or in a mount",
      exitCode: EXIT.notFound,
    })
  }
  if (seen === 'hidden') {
    throw new HermesError('FAILED', `the main program ${path} cannot be reached`, {
      next: `uid ${process.getuid?.()} may not enter one of its directories: start the container without --user, or put the program elsewhere`,
      exitCode: EXIT.cannotExecute,
    })
  }
  if (isProgram(seen)) return
  const mode = (seen.mode & 0o7777).toString(8).padStart(4, '0')
  const [what, next] = seen.isFile()
    ? [`not executable (mode ${mode})`, `run chmod +x on it, or start its interpreter: sh ${file}`]
    : ['not a file', "the first argument after the image's name must be a program"]
  throw new HermesError('FAILED', `the main program ${path} is ${what}`, { next, exitCode: EXIT.cannotExecute })
}

/** A container whose main program is the dashboard takes no lease and has no gateway slots. */
export const isDashboard = (argv: readonly string[]): boolean =>
  argv[0] === 'dashboard' || (argv[0] === 'hermes' && argv[1] === 'dashboard')
