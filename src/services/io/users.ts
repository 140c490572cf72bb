import { readFileSync } from 'node:fs'
import { accountId, accountRows, groupsOfMember } from '../../system/files/accounts.ts'
import type { ServiceUser } from '../definition.ts'

/**
 * Finds the account that a service runs as: a name of /etc/passwd, `name:group`, a uid, or `uid:gid`.
 * @returns undefined when there is no such account
 */
export function findUser(account: string): ServiceUser | undefined {
  const [who = '', which] = account.split(':')
  const users = accountRows(readFileSync('/etc/passwd', 'utf8'))
  const groups = accountRows(readFileSync('/etc/group', 'utf8'))
  const user = users.find(([name, , uid]) => name === who || uid === who)
  const uid = user === undefined ? accountId(who) : accountId(user[2])
  if (uid === undefined) return undefined
  const group = which === undefined ? undefined : groups.find(([name, , gid]) => name === which || gid === which)
  const gid = which === undefined ? (accountId(user?.[3]) ?? uid) : (accountId(group?.[2]) ?? accountId(which))
  if (gid === undefined) return undefined
  const name = user?.[0] ?? String(uid)
  // A group that is named is the only one: so `s6-setuidgid uid:gid` has it.
  const supplementary = which === undefined ? groupsOfMember(groups, name).filter((id) => id !== gid) : []
  return { uid, gid, groups: supplementary, name, home: user?.[5] || '/' }
}
