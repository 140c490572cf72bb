import { HermesError } from '../errors.ts'

/** Options common to all commands, anywhere on the command line, and the remaining arguments. */
export interface CommandLine {
  readonly profile: string | undefined
  /** Every `-p`, in order; `profile` is the last one. */
  readonly profiles: readonly string[]
  readonly json: boolean
  readonly args: readonly string[]
}

/**
 * Takes `-p NAME`, `--profile NAME`, `--profile=NAME` and `--json` out of the arguments before a `--`.
 * @throws HermesError USAGE when `-p` has no name
 */
export function splitCommandLine(argv: readonly string[]): CommandLine {
  const args: string[] = []
  const profiles: string[] = []
  let json = false
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i] ?? ''
    if (arg === '--') {
      args.push(...argv.slice(i))
      break
    }
    if (arg === '--json') json = true
    else if (arg === '-p' || arg === '--profile') profiles.push(nameAfter(argv[++i]))
    else if (arg.startsWith('--profile=')) profiles.push(nameAfter(arg.slice('--profile='.length)))
    else args.push(arg)
  }
  return { profile: profiles.at(-1), profiles, json, args }
}

function nameAfter(value: string | undefined): string {
  const name = value?.trim().toLowerCase()
  if (name) return name
  throw new HermesError('USAGE', '-p requires the name of a profile', { next: 'hermes profile list' })
}

/** `hermes token …`, which a root caller runs as root: the tokens are root's. */
export const isTokenCommand = ([first]: readonly string[]): boolean => first === 'token'

/**
 * Recognizes `gateway run` and bare `gateway`, as run by a slot, as the container's main program, or in a shell.
 * Undefined: another command.
 */
export function gatewayRun(args: readonly string[]): { readonly noSupervise: boolean } | undefined {
  const line = args.join(' ')
  if (!/^gateway( run)?( --no-supervise)?$/.test(line)) return undefined
  return { noSupervise: line.endsWith('--no-supervise') }
}

export interface DashboardArguments {
  readonly host?: string
  readonly port?: string
  readonly insecure?: boolean
}

/**
 * `hermes dashboard [--host H] [--port P] [--insecure] [--no-open]`, the dashboard itself. Undefined: another command.
 * @throws HermesError USAGE for an option it does not have
 */
export function dashboardRun(args: readonly string[]): DashboardArguments | undefined {
  if (args[0] !== 'dashboard' || (args[1] !== undefined && !args[1].startsWith('-'))) return undefined
  if (args.includes('--help') || args.includes('-h')) return undefined
  const found: { host?: string; port?: string; insecure?: boolean } = {}
  const rest = args.slice(1).flatMap((arg) => {
    const equals = /^(--(?:host|port))=(.*)$/.exec(arg)
    return equals === null ? [arg] : [equals[1] ?? '', equals[2] ?? '']
  })
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === '--insecure') found.insecure = true
    else if (arg === '--host' || arg === '--port') {
      const value = rest.shift()
      if (!value) throw new HermesError('USAGE', `${arg} needs a value`, { next: 'hermes dashboard --help' })
      found[arg === '--host' ? 'host' : 'port'] = value
    } else if (arg !== '--no-open') {
      throw new HermesError('USAGE', `hermes dashboard has no option ${arg}`, { next: 'hermes dashboard --help' })
    }
  }
  return found
}
