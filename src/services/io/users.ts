import { readFileSync } from 'node:fs'
import type { ServiceUser } from '../definition.ts'

/**
 * Finds the account that a service runs as: a name of /etc/passwd, `name:group`, a uid, or `uid:gid`.
 * @returns undefined when there is no such account
 */
export function findUser(account: string): ServiceUser | undefined {
  const [who = '', which] = account.split(':')
  const users = rowsOf('/etc/passwd')
  const groups = rowsOf('/etc/group')
  const user = users.find(([name, , uid]) => name === who || uid === who)
  const uid = user === undefined ? numberOf(who) : numberOf(user[2])
  if (uid === undefined) return undefined
  const group = which === undefined ? undefined : groups.find(([name, , gid]) => name === which || gid === which)
  const gid = which === undefined ? (numberOf(user?.[3]) ?? uid) : (numberOf(group?.[2]) ?? numberOf(which))
  if (gid === undefined) return undefined
  const name = user?.[0] ?? String(uid)
  const more = groups
    .filter(([, , , members]) => members?.split(',').includes(name))
    .flatMap((row) => numberOf(row[2]) ?? [])
  // A group that is named is the only one: so `s6-setuidgid uid:gid` has it.
  const supplementary = which === undefined ? more.filter((id) => id !== gid) : []
  return { uid, gid, groups: supplementary, name, home: user?.[5] || '/' }
}

const rowsOf = (file: string): readonly (readonly string[])[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.split(':'))

/** Ids have 32 bits, and the largest stands for none: setpriv would cut 4294967296 to root's 0. */
const MAX_ID = 2 ** 32 - 2

const numberOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,10}$/.test(text) && Number(text) <= MAX_ID ? Number(text) : undefined
