import { ROLES, scopeOfRole } from '../../../access/role.ts'
import type { Scope } from '../../../access/scope.ts'
import { type PasswordHash, parsePasswordHash } from '../../../system/password-hash.ts'
import { misconfigured } from '../../settings/settings.ts'

export interface PasswordUser {
  readonly name: string
  readonly scope: Scope
  readonly hash: PasswordHash
}

const VARIABLE = 'HERMES_DASHBOARD_BASIC_AUTH_USERS'

/**
 * Reads the users of the password log-in, one a line: `NAME:ROLE:HASH`. Empty lines and lines that begin with # are
 * left out. One wrong line refuses all of it: a part of the list must not decide on rights.
 * @throws HermesError with exit code 78
 */
export function parseUsers(text: string): readonly PasswordUser[] {
  const users: PasswordUser[] = []
  text.split('\n').forEach((line, index) => {
    const whole = line.trim()
    if (whole === '' || whole.startsWith('#')) return
    const wrong = (why: string, next: string) => misconfigured(`${VARIABLE}, line ${index + 1}: ${why}`, next)
    const [, name, role = '', hashText = ''] = /^([^:\s]+):([^:\s]*):(\S+)$/.exec(whole) ?? []
    if (name === undefined)
      throw wrong('expected NAME:ROLE:HASH', 'make a hash with: echo PASSWORD | hermes dashboard hash-password')
    const scope = scopeOfRole(role)
    if (scope === undefined) throw wrong(`unknown role ${JSON.stringify(role)}`, `use one of: ${ROLES.join(', ')}`)
    const hash = parsePasswordHash(hashText)
    if (hash === undefined)
      throw wrong(`no hash made by hermes for "${name}"`, 'make one: echo PASSWORD | hermes dashboard hash-password')
    if (users.some((one) => one.name === name)) throw wrong(`"${name}" is there twice`, 'remove one of the lines')
    users.push({ name, scope, hash })
  })
  if (users.length === 0) throw misconfigured(`${VARIABLE} has no user`, 'add a line NAME:ROLE:HASH, or unset it')
  return users
}
