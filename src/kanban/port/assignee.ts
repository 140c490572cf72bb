import { requireProfile } from '../../profile/directory/disk.ts'
import { HermesError } from '../../system/errors.ts'
import { normalizeAssignee } from '../rules.ts'
import { ANY } from '../task.ts'
import { defaultOf, type Node } from './nodes.ts'

/** Parses the name of an assignee: a profile, a person, another tool. @throws HermesError USAGE */
export function parseAssignee(text: string): string {
  const name = normalizeAssignee(text)
  if (name !== null && /^([a-z0-9][a-z0-9_-]{0,63}|default@[a-z0-9][a-z0-9._-]{0,62})$/.test(name)) return name
  throw new HermesError('USAGE', `${JSON.stringify(text.slice(0, 80))} is not a valid assignee`, {
    next: 'use the name of a profile; "hermes profile list" lists them',
  })
}

/**
 * A profile of this installation or of another node, or `any`.
 * @param nodes is asked for those that share the board only if the profile is not here
 * @throws HermesError NO_SUCH_PROFILE: an unknown name is more often a typing error than a person's lane
 */
export async function requireAssignee(
  home: string,
  text: string,
  nodes: () => Promise<readonly Node[]>,
): Promise<string> {
  const name = parseAssignee(text)
  if (name === ANY) return name
  try {
    return requireProfile(home, name).name
  } catch (error) {
    if (!(error instanceof HermesError)) throw error
    if ((await nodes()).some(({ name: node, profiles }) => profiles.includes(name) || name === defaultOf(node)))
      return name
    throw new HermesError(error.code, error.message, {
      next: `${error.next ?? 'hermes profile list'}; use --lane for an assignee that is not a profile`,
      cause: error,
    })
  }
}
