import { statSync } from 'node:fs'
import { join } from 'node:path'
import { isSubcommand } from '../system/subcommands.ts'

export interface MainFacts {
  /** The container's arguments. */
  readonly words: readonly string[]
  readonly hasTerminal: boolean
  /** PATH of the container. */
  readonly path: string
  /** The `hermes` of this install. */
  readonly hermes: string
  readonly isProgram?: (file: string) => boolean
}

/**
 * What the container's arguments ask for.
 * @returns the program and its arguments; empty: there is no main program, supervise until stopped
 */
export function mainWords({
  words,
  hasTerminal,
  path,
  hermes,
  isProgram = isExecutable,
}: MainFacts): readonly string[] {
  const [first] = words
  if (first === undefined) return hasTerminal ? [hermes] : []
  if (first === 'hermes') return [hermes, ...words.slice(1)]
  if (isSubcommand(first) || first.startsWith('-')) return [hermes, ...words]
  if (first.includes('/')) return words
  const isOnPath = path.split(':').some((dir) => isProgram(join(dir === '' ? '.' : dir, first)))
  // `hermes` says what is wrong with a word that is neither, and ends with 2.
  return isOnPath ? words : [hermes, ...words]
}

function isExecutable(file: string): boolean {
  const status = statSync(file, { throwIfNoEntry: false })
  return status?.isFile() === true && (status.mode & 0o111) !== 0
}

/** The container whose main program is the dashboard takes no lease and has no gateway slots. */
export const isDashboard = (words: readonly string[]): boolean =>
  words[0] === 'dashboard' || (words[0] === 'hermes' && words[1] === 'dashboard')
