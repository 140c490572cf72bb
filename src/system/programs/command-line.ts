import { HermesError } from '../errors.ts'

/** Options common to all commands, anywhere on the command line, and the remaining words. */
export interface CommandLine {
  readonly profile: string | undefined
  readonly json: boolean
  readonly words: readonly string[]
}

/**
 * Takes `-p NAME`, `--profile NAME`, `--profile=NAME` and `--json` out of the words before a `--`.
 * @throws HermesError USAGE when `-p` has no name
 */
export function splitCommandLine(argv: readonly string[]): CommandLine {
  const words: string[] = []
  let profile: string | undefined
  let json = false
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? ''
    if (word === '--') {
      words.push(...argv.slice(i))
      break
    }
    if (word === '--json') json = true
    else if (word === '-p' || word === '--profile') profile = nameAfter(argv[++i])
    else if (word.startsWith('--profile=')) profile = nameAfter(word.slice('--profile='.length))
    else words.push(word)
  }
  return { profile, json, words }
}

function nameAfter(value: string | undefined): string {
  const name = value?.trim().toLowerCase()
  if (name) return name
  throw new HermesError('USAGE', '-p requires the name of a profile', { next: 'hermes profile list' })
}

/**
 * Recognizes `gateway run` and bare `gateway`, as run by a slot, as the container's main program, or in a shell.
 * Undefined: another command.
 */
export function gatewayRun(words: readonly string[]): { readonly noSupervise: boolean } | undefined {
  const line = words.join(' ')
  if (!/^gateway( run)?( --no-supervise)?$/.test(line)) return undefined
  return { noSupervise: line.endsWith('--no-supervise') }
}

export interface DashboardWords {
  readonly host?: string
  readonly port?: string
  readonly insecure?: boolean
}

/**
 * `hermes dashboard [--host H] [--port P] [--insecure] [--no-open]`, the dashboard itself. Undefined: another command.
 * @throws HermesError USAGE for an option it does not have
 */
export function dashboardRun(words: readonly string[]): DashboardWords | undefined {
  if (words[0] !== 'dashboard' || (words[1] !== undefined && !words[1].startsWith('-'))) return undefined
  if (words.includes('--help') || words.includes('-h')) return undefined
  const found: { host?: string; port?: string; insecure?: boolean } = {}
  const rest = words.slice(1).flatMap((word) => {
    const equals = /^(--(?:host|port))=(.*)$/.exec(word)
    return equals === null ? [word] : [equals[1] ?? '', equals[2] ?? '']
  })
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--insecure') found.insecure = true
    else if (word === '--host' || word === '--port') {
      const value = rest.shift()
      if (!value) throw new HermesError('USAGE', `${word} needs a value`, { next: 'hermes dashboard --help' })
      found[word === '--host' ? 'host' : 'port'] = value
    } else if (word !== '--no-open') {
      throw new HermesError('USAGE', `hermes dashboard has no option ${word}`, { next: 'hermes dashboard --help' })
    }
  }
  return found
}
