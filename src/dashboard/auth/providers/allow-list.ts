import type { Identity } from './provider.ts'

export type IsAllowed = (identity: Identity) => boolean

/**
 * Who may enter, of those a provider vouches for.
 * @param text HERMES_DASHBOARD_ALLOWED_USERS: mail addresses and subjects with commas; unset: everybody
 * @param unverified HERMES_DASHBOARD_ALLOW_UNVERIFIED_EMAIL: an address counts without the provider's word that it is the user's
 */
export function parseAllowList(text: string | undefined, unverified: boolean): IsAllowed {
  const names = (text ?? '').split(/[\s,]+/).filter((name) => name !== '')
  if (names.length === 0) return () => true
  // At some providers users choose their subject, and one that looks like an address would be taken for its owner.
  const subjects = new Set(names.filter((name) => !name.includes('@')))
  const emails = new Set(names.filter((name) => name.includes('@')).map((name) => name.toLowerCase()))
  return ({ subject, email, emailVerified }) =>
    subjects.has(subject) ||
    (email !== undefined && (emailVerified === true || unverified) && emails.has(email.toLowerCase()))
}

/** How a user is called: by the address, which people know each other by. */
export const nameOf = ({ subject, email }: Identity): string => email ?? subject
