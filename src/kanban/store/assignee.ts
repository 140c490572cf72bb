import { requireProfile } from '../../profile/directory/disk.ts'
import { HermesError } from '../../system/errors.ts'
import { normalizeAssignee } from '../rules.ts'

/** Who does a task, as somebody typed it: a profile, a person, another tool. @throws HermesError USAGE */
export function parseAssignee(text: string): string {
  const name = normalizeAssignee(text)
  if (name !== null && /^[a-z0-9][a-z0-9_-]{0,63}$/.test(name)) return name
  throw new HermesError('USAGE', `${JSON.stringify(text.slice(0, 80))} cannot be an assignee`, {
    next: 'name a profile: hermes profile list',
  })
}

/** @throws HermesError NO_SUCH_PROFILE: a name nobody has is more often a slip than a person's lane */
export function requireAssignee(home: string, text: string): string {
  const name = parseAssignee(text)
  try {
    return requireProfile(home, name).name
  } catch (error) {
    if (!(error instanceof HermesError)) throw error
    throw new HermesError(error.code, error.message, {
      next: `${error.next ?? 'hermes profile list'}; --lane assigns it to somebody who is not a profile`,
      cause: error,
    })
  }
}
