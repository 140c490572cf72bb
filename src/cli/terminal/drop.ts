/**
 * The privilege drop of the shim: a root `docker exec hermes …` becomes the runtime user before anything else happens, so that no
 * file of the volume ever belongs to root.
 */
import { lstatSync, readFileSync } from 'node:fs'
import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import type { Native } from '../../system/native/native.ts'
import { isImageInstall } from '../../system/programs/install.ts'

/** Where the facts come from; other places in tests. */
export interface IdentitySources {
  /** Written by init, root's alone. */
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
 * Who a root caller becomes: what init wrote, else, in the image, the user `hermes`.
 * @returns undefined outside a container of ours: a root user of a checkout stays root
 * @throws Error with one line for people
 */
export function findIdentity(sources: IdentitySources): RuntimeIdentity | undefined {
  const written = readIdentity(sources.identityFile)
  if (written) return written
  // Only in the image is a user `hermes` of /etc/passwd ours.
  if (!isImageInstall(sources.install)) return undefined
  const line = readFileSync(sources.passwd, 'utf8')
    .split('\n')
    .find((one) => one.startsWith('hermes:'))
  const [, , uid, gid, , home] = line?.split(':') ?? []
  const [uidNumber, gidNumber] = [Number(uid), Number(gid)]
  if (!Number.isInteger(uidNumber) || !Number.isInteger(gidNumber) || uid === '' || gid === '')
    throw new Error(`there is no user "hermes" in ${sources.passwd}`)
  return {
    uid: uidNumber,
    gid: gidNumber,
    groups: groupsOf('hermes', gidNumber, sources.group),
    user: 'hermes',
    home: home || '/opt/data',
  }
}

function readIdentity(file: string): RuntimeIdentity | undefined {
  const stat = lstatSync(file, { throwIfNoEntry: false })
  if (!stat) return undefined
  // init was not root (--user): its file may say no more than whose it is, and its user is the one whom root may become at no risk.
  if (stat.isFile() && stat.uid !== 0) return ownerOf(stat)
  // A file that somebody else could write must not decide who root becomes.
  if (!stat.isFile() || stat.uid !== 0 || (stat.mode & 0o022) !== 0) throw new Error(`${file} is not root's alone`)
  const value = JSON.parse(readFileSync(file, 'utf8')) as Partial<RuntimeIdentity>
  const { uid, gid, groups = [], user, home } = value
  if (
    ![uid, gid, ...groups].every((id) => Number.isInteger(id) && Number(id) >= 0) ||
    typeof user !== 'string' ||
    typeof home !== 'string'
  ) {
    throw new Error(`${file} holds no identity`)
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

function groupsOf(user: string, gid: number, file: string): readonly number[] {
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  const groups = lines.filter(([, , , members = '']) => members.split(',').includes(user)).map(([, , id]) => Number(id))
  return [...new Set([gid, ...groups.filter((id) => Number.isInteger(id) && id > 0)])]
}

/**
 * Becomes this user for good, and proves it.
 * @returns what HOME, USER and LOGNAME must be now
 * @throws Error with one line for people
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
        `cannot become ${identity.user} (uid ${identity.uid}): ${(error as Error).message}; is CAP_SETUID or CAP_SETGID missing?`,
        { cause: error },
      )
    }
    const left = leftOfRoot()
    if (left !== undefined) throw new Error(`became ${identity.user} (uid ${identity.uid}), but ${left}`)
  }
  return { HOME: identity.home, USER: identity.user, LOGNAME: identity.user }
}

/** What would let this process be root again; undefined: nothing. */
function leftOfRoot(): string | undefined {
  const status = readFileSync('/proc/self/status', 'utf8')
  const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? ''
  if (field('Uid').split(/\s+/).includes('0')) return 'a uid of the process is still 0'
  if (!/^0+$/.test(field('CapPrm')) || !/^0+$/.test(field('CapEff'))) return 'capabilities are left'
  return undefined
}
