import type { Identity } from './provider.ts'

export type IsAllowed = (identity: Omit<Identity, 'scope'>) => boolean

/**
 * Decides which of a provider's users may log in.
 * @param text HERMES_DASHBOARD_ALLOWED_USERS: email addresses and subjects, separated by commas; unset: everyone
 * @param unverified HERMES_DASHBOARD_ALLOW_UNVERIFIED_EMAIL: accepts an address that the provider has not verified
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

/** Display name of a user: the email address. */
export const nameOf = ({ subject, email }: Pick<Identity, 'subject' | 'email'>): string => email ?? subject
