import { createHash } from 'node:crypto'
import { parsePasswordHash, passwordMatches } from '../../../system/password-hash.ts'
import { sameText } from '../../../system/text/same-text.ts'
import { misconfigured } from '../../settings/settings.ts'
import type { PasswordProvider } from './provider.ts'

/**
 * One user, named in the settings; undefined where they name none.
 * @throws HermesError with exit code 78 for an invalid hash
 */
export function basicProvider(setting: (name: string) => string | undefined): PasswordProvider | undefined {
  const username = setting('BASIC_AUTH_USERNAME')
  const password = setting('BASIC_AUTH_PASSWORD')
  const hashText = setting('BASIC_AUTH_PASSWORD_HASH')
  const secret = hashText ?? password
  if (username === undefined || secret === undefined) return undefined
  const hash = hashText === undefined ? undefined : parsePasswordHash(hashText)
  if (hashText !== undefined && hash === undefined) {
    throw misconfigured(
      'HERMES_DASHBOARD_BASIC_AUTH_PASSWORD_HASH is not a hash made by hermes',
      'make one with: echo PASSWORD | hermes dashboard hash-password',
    )
  }
  // The operator has set it: no provider need vouch for it.
  const identity = { subject: username, ...(username.includes('@') ? { email: username, emailVerified: true } : {}) }
  return {
    kind: 'password',
    name: 'basic',
    label: 'Name and password',
    fingerprint: createHash('sha256').update(`basic\0${username}\0${secret}`).digest('base64url'),
    async check(givenName, givenPassword) {
      // Compares both in any case, so the time does not reveal which one was wrong.
      const nameIsRight = sameText(givenName, username)
      const passwordIsRight =
        hash === undefined ? sameText(givenPassword, secret) : await passwordMatches(givenPassword, hash)
      return nameIsRight && passwordIsRight ? identity : undefined
    },
  }
}
