import { HermesError } from '../system/errors.ts'

/** The profile that every volume has: its directory is the volume's top. */
export const DEFAULT_PROFILE = 'default'

/** The helper slot that sends notifications. */
export const NOTIFIER = 'notifier'

/** The helper slot that sends the lines of logs to other servers. */
export const FORWARDER = 'forwarder'

/** The helper slot that serves the APIs of all profiles on one port. */
export const FRONT_PORT = 'front-port'

/** Names that a new profile cannot have: words with another meaning, and the slots of helpers, present and planned. */
export const RESERVED_NAMES = [
  DEFAULT_PROFILE,
  'root',
  'hermes',
  'any',
  'dashboard',
  'dispatcher',
  NOTIFIER,
  FORWARDER,
  FRONT_PORT,
  'meter',
  'exporter',
] as const

const PATTERN = /^[a-z0-9][a-z0-9_-]{0,63}$/
const RULE = 'use 1 to 64 characters of a-z, 0-9, _ and -, starting with a letter or digit'

/** Returns the reason why `name`, unchanged, cannot be a directory in `profiles/`; undefined if it can. */
export function profileNameProblem(name: string): string | undefined {
  if ((RESERVED_NAMES as readonly string[]).includes(name)) return 'the name is reserved'
  return PATTERN.test(name) ? undefined : RULE
}

/** Tells whether it is a valid name of a profile in `profiles/`, so never `default`. */
export const isProfileName = (name: string): boolean => profileNameProblem(name) === undefined

/**
 * Parses the name of a new profile: trimmed, in lower case.
 * @throws HermesError BAD_NAME
 */
export function parseProfileName(text: string): string {
  const name = text.trim().toLowerCase()
  const problem = profileNameProblem(name)
  if (problem === undefined) return name
  const next =
    problem === RULE ? 'choose another name, for example "coder"' : `reserved names: ${RESERVED_NAMES.join(', ')}`
  throw new HermesError('BAD_NAME', `${JSON.stringify(text)} is not a valid profile name: ${problem}`, { next })
}
