/**
 * Drops root in the command-line program: a `docker exec hermes …` as root becomes the runtime user before anything
 * else happens, so that root never owns a file of the volume.
 */
import { lstatSync, readFileSync } from 'node:fs'
import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import { accountId, accountRows, groupsOfMember } from '../../system/files/accounts.ts'
import type { Native } from '../../system/native/native.ts'
import { isImageInstall } from '../../system/programs/install.ts'

/** Sources of the identity; tests use other paths. */
export interface IdentitySources {
  /** Written by init; only root can write it. */
  readonly identityFile: string
  readonly passwd: string
  readonly group: string
  readonly install: string
}

export const identitySources = (install: string): IdentitySources => ({
  identityFile: '/run/hermes/identity',
  passwd: '/etc/passwd',
  group: '/etc/group',
  install,
})

/**
 * Finds the user that a root caller becomes: the identity that init wrote or, in the image, the user `hermes`.
 * @returns undefined outside a hermes container: root in a checkout stays root
 * @throws Error with one line for users
 */
export function findIdentity(sources: IdentitySources): RuntimeIdentity | undefined {
  const written = readIdentity(sources.identityFile)
  if (written) return written
  // Only in the image does the user `hermes` of /etc/passwd belong to us.
  if (!isImageInstall(sources.install)) return undefined
  const user = 'hermes'
  const row = accountRows(readFileSync(sources.passwd, 'utf8')).find(([name]) => name === user)
  const [uid, gid] = [accountId(row?.[2]), accountId(row?.[3])]
  if (uid === undefined || gid === undefined) throw new Error(`no user "${user}" in ${sources.passwd}`)
  const more = groupsOfMember(accountRows(readFileSync(sources.group, 'utf8')), user)
  const groups = [...new Set([gid, ...more.filter((id) => id > 0)])]
  return { uid, gid, groups, user, home: row?.[5] || '/opt/data' }
}

/** Commands that act in a profile's directory; all others are those of an operator, who is the runtime user. */
const IN_PROFILE: readonly string[] = ['chat', 'config', 'env', 'login', 'setup']

/**
 * The user that a root caller becomes for a command of a walled profile.
 * @param file written by init; only root can write it
 * @returns undefined: the profile is not walled, or the command is an operator's
 * @throws Error with one line for users
 */
export function findWalled(
  { profile, args }: { readonly profile: string | undefined; readonly args: readonly string[] },
  home: string,
  file = '/run/hermes/walls',
): RuntimeIdentity | undefined {
  const [first = '', second] = args
  const isGateway = first === 'gateway' && (second === undefined || second === 'run')
  if (profile === undefined || !(IN_PROFILE.includes(first) || isGateway)) return undefined
  const stat = lstatSync(file, { throwIfNoEntry: false })
  if (stat === undefined) return undefined
  if (!stat.isFile() || stat.uid !== 0 || (stat.mode & 0o022) !== 0)
    throw new Error(`${file} is not writable by root alone`)
  const walls = JSON.parse(readFileSync(file, 'utf8')) as Readonly<Record<string, unknown>>
  if (!Object.hasOwn(walls, profile)) return undefined
  const uid = walls[profile]
  if (typeof uid !== 'number' || !Number.isInteger(uid) || uid < 1) throw new Error(`${file} does not contain uids`)
  return { uid, gid: uid, groups: [], user: profile, home: `${home}/profiles/${profile}/home` }
}

function readIdentity(file: string): RuntimeIdentity | undefined {
  const stat = lstatSync(file, { throwIfNoEntry: false })
  if (!stat) return undefined
  // init was not root (--user). Its file proves only its owner, and that owner is the one user whom root can become
  // without risk.
  if (stat.isFile() && stat.uid !== 0) return ownerOf(stat)
  // A file that another user can write must not decide which user root becomes.
  if (!stat.isFile() || stat.uid !== 0 || (stat.mode & 0o022) !== 0)
    throw new Error(`${file} is not writable by root alone`)
  const value = JSON.parse(readFileSync(file, 'utf8')) as Partial<RuntimeIdentity>
  const { uid, gid, groups = [], user, home } = value
  if (
    ![uid, gid, ...groups].every((id) => Number.isInteger(id) && Number(id) >= 0) ||
    typeof user !== 'string' ||
    typeof home !== 'string'
  ) {
    throw new Error(`${file} does not contain an identity`)
  }
  return { uid: uid as number, gid: gid as number, groups, user, home }
}

const ownerOf = ({ uid, gid }: { readonly uid: number; readonly gid: number }): RuntimeIdentity => ({
  uid,
  gid,
  groups: [gid],
  user: String(uid),
  home: '/opt/data',
})

/**
 * Becomes this user for good, and verifies it.
 * @returns the new values of HOME, USER and LOGNAME
 * @throws Error with one line for users
 */
export function becomeUser(
  identity: RuntimeIdentity,
  native: Pick<Native, 'dropPrivileges'>,
): Readonly<Record<string, string>> {
  if (identity.uid !== 0) {
    try {
      native.dropPrivileges(identity)
    } catch (error) {
      throw new Error(
        `cannot become ${identity.user} (uid ${identity.uid}): ${(error as Error).message}; check that CAP_SETUID and CAP_SETGID are granted`,
        { cause: error },
      )
    }
    const left = leftOfRoot()
    if (left !== undefined) throw new Error(`became ${identity.user} (uid ${identity.uid}), but ${left}`)
  }
  return { HOME: identity.home, USER: identity.user, LOGNAME: identity.user }
}

/** Reason why this process could become root again; undefined if it cannot. */
function leftOfRoot(): string | undefined {
  const status = readFileSync('/proc/self/status', 'utf8')
  const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? ''
  if (field('Uid').split(/\s+/).includes('0')) return 'one of its uids is still 0'
  if (!/^0+$/.test(field('CapPrm')) || !/^0+$/.test(field('CapEff'))) return 'it still has capabilities'
  return undefined
}
