import { createHash } from 'node:crypto'
import type { Scope } from '../../../access/scope.ts'
import { parsePasswordHash, passwordMatches } from '../../../system/password-hash.ts'
import { sameText } from '../../../system/text/same-text.ts'
import { misconfigured } from '../../settings/settings.ts'
import type { Identity, PasswordProvider } from './provider.ts'
import { parseUsers } from './users.ts'

interface User {
  readonly name: string
  readonly scope: Scope
  readonly matches: (password: string) => Promise<boolean> | boolean
}

/**
 * The users of the settings: one who may do everything, a list of others, or both; undefined where they name none.
 * @throws HermesError with exit code 78 for an invalid hash, and an invalid list
 */
export function basicProvider(setting: (name: string) => string | undefined): PasswordProvider | undefined {
  const username = setting('BASIC_AUTH_USERNAME')
  const password = setting('BASIC_AUTH_PASSWORD')
  const hashText = setting('BASIC_AUTH_PASSWORD_HASH')
  const list = setting('BASIC_AUTH_USERS')
  const secret = hashText ?? password
  const hash = hashText === undefined ? undefined : parsePasswordHash(hashText)
  if (username !== undefined && hashText !== undefined && hash === undefined) {
    throw misconfigured(
      'HERMES_DASHBOARD_BASIC_AUTH_PASSWORD_HASH is not a hash made by hermes',
      'make one with: echo PASSWORD | hermes dashboard hash-password',
    )
  }
  const listed: readonly User[] = list === undefined ? [] : parseUsers(list).map(ofList)
  const single = username !== undefined && secret !== undefined
  if (single && listed.some(({ name }) => name === username))
    throw misconfigured(
      `"${username}" is in HERMES_DASHBOARD_BASIC_AUTH_USERS and in HERMES_DASHBOARD_BASIC_AUTH_USERNAME`,
      'remove one of them',
    )
  const matches = (given: string) => (hash === undefined ? sameText(given, secret ?? '') : passwordMatches(given, hash))
  const users: readonly User[] = [...(single ? [{ name: username, scope: 'admin' as const, matches }] : []), ...listed]
  const [first] = users
  if (first === undefined) return undefined
  const print = list === undefined ? `basic\0${username}\0${secret}` : `basic\0${username}\0${secret}\0${list}`
  return {
    kind: 'password',
    name: 'basic',
    label: 'Name and password',
    fingerprint: createHash('sha256').update(print).digest('base64url'),
    async check(givenName, givenPassword) {
      // Looks at each name and at one password in any case, so the time does not reveal which one was wrong.
      const [found] = users.filter(({ name }) => sameText(givenName, name))
      const passwordIsRight = await (found ?? first).matches(givenPassword)
      return found !== undefined && passwordIsRight ? identityOf(found) : undefined
    },
  }
}

const ofList = ({ name, scope, hash }: ReturnType<typeof parseUsers>[number]): User => ({
  name,
  scope,
  matches: (password) => passwordMatches(password, hash),
})

/** The operator has set it: no provider need vouch for it. */
const identityOf = ({ name, scope }: User): Identity => ({
  subject: name,
  scope,
  ...(name.includes('@') ? { email: name, emailVerified: true } : {}),
})
