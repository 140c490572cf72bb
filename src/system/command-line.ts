import { HermesError } from './errors.ts'

/** Options that every command takes, wherever they stand, and the words that are left. */
export interface CommandLine {
  readonly profile: string | undefined
  readonly json: boolean
  readonly words: readonly string[]
}

/**
 * Takes `-p NAME`, `--profile NAME`, `--profile=NAME` and `--json` out of the words before a `--`.
 * @throws HermesError USAGE when `-p` names nothing
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
  throw new HermesError('USAGE', '-p needs the name of a profile', { next: 'hermes profile list shows them' })
}

/** `gateway run`, also bare `gateway`: what a slot, a container's main program or somebody at a shell runs. Undefined: another command. */
export function gatewayRun(words: readonly string[]): { readonly noSupervise: boolean } | undefined {
  const line = words.join(' ')
  if (!/^gateway( run)?( --no-supervise)?$/.test(line)) return undefined
  return { noSupervise: line.endsWith('--no-supervise') }
}
