import type { Identity } from './provider.ts'

export type IsAllowed = (identity: Identity) => boolean

/**
 * Who may enter, of those a provider vouches for.
 * @param text HERMES_DASHBOARD_ALLOWED_USERS: mail addresses and subjects with commas; unset: everybody
 */
export function parseAllowList(text: string | undefined): IsAllowed {
  const names = (text ?? '').split(/[\s,]+/).filter((name) => name !== '')
  if (names.length === 0) return () => true
  const subjects = new Set(names)
  const emails = new Set(names.filter((name) => name.includes('@')).map((name) => name.toLowerCase()))
  return ({ subject, email, emailVerified }) =>
    subjects.has(subject) || (email !== undefined && emailVerified !== false && emails.has(email.toLowerCase()))
}

/** How a user is called: by the address, which people know each other by. */
export const nameOf = ({ subject, email }: Identity): string => email ?? subject
