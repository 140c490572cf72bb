import { HermesError } from '../system/errors.ts'

/** The profile that every volume has: its directory is the volume's top. */
export const DEFAULT_PROFILE = 'default'

/** Names a new profile cannot have: words that mean something else, and the slots of helpers, present and planned. */
export const RESERVED_NAMES = [
  DEFAULT_PROFILE,
  'root',
  'hermes',
  'any',
  'dashboard',
  'dispatcher',
  'notifier',
  'meter',
  'exporter',
] as const

const PATTERN = /^[a-z0-9][a-z0-9_-]{0,63}$/
const RULE = 'a name has 1 to 64 characters of a-z, 0-9, _ and -, and begins with a letter or digit'

/** Why `name`, exactly as it is, cannot be a directory in `profiles/`; undefined when it can. */
export function profileNameProblem(name: string): string | undefined {
  if ((RESERVED_NAMES as readonly string[]).includes(name)) return 'the name is reserved'
  return PATTERN.test(name) ? undefined : RULE
}

/** A valid name of a profile that lies in `profiles/`, so never `default`. */
export const isProfileName = (name: string): boolean => profileNameProblem(name) === undefined

/**
 * The name of a new profile as somebody typed it, trimmed and in lower case.
 * @throws HermesError BAD_NAME
 */
export function parseProfileName(text: string): string {
  const name = text.trim().toLowerCase()
  const problem = profileNameProblem(name)
  if (problem === undefined) return name
  const next =
    problem === RULE ? 'choose another name, for example "coder"' : `reserved are: ${RESERVED_NAMES.join(', ')}`
  throw new HermesError('BAD_NAME', `${JSON.stringify(text)} cannot be the name of a profile: ${problem}`, { next })
}
