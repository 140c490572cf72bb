import { DATABASE_SECRET } from './dashboard-secrets.ts'
import { HermesError } from './errors.ts'

const PATTERN = /^postgres(?:ql)?:\/\/\S+$/

/**
 * Checks the form of a database's address. Nothing of it is part of a message, since it may contain a password.
 * @returns one line for people; undefined: it can be an address of PostgreSQL
 */
export const addressProblem = (address: string): string | undefined =>
  PATTERN.test(address) ? undefined : 'is not an address of PostgreSQL such as postgres://USER:PASSWORD@HOST/DATABASE'

/** @throws HermesError REFUSED */
export function requireAddress(address: string): string {
  const problem = addressProblem(address)
  if (problem === undefined) return address
  throw new HermesError('REFUSED', `${DATABASE_SECRET} ${problem}`, {
    next: 'correct it, or leave it unset to keep the board in the volume',
  })
}
