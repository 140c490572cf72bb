import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import { accountRows, groupsOfMember } from '../../system/files/accounts.ts'
import { truthy } from '../../system/markers.ts'
import type { Environment } from '../../system/programs/install.ts'
import type { Variables } from './environment.ts'

export const DEFAULT_ID = 10_000
const LARGEST_ID = 65_534
export const RUNTIME_USER = 'hermes'

/**
 * Numbers of capabilities(7). Without SETUID and SETGID root cannot be dropped; without CHOWN no file can be given
 * away.
 */
const CAP_CHOWN = 0
const CAP_SETGID = 6
const CAP_SETUID = 7
/** Needed to remove capabilities from the bounding set. */
const CAP_SETPCAP = 8
/** Lets root load code into the kernel. */
const CAP_SYS_MODULE = 16

/**
 * The ids that gateways, helpers and the main program run as: HERMES_UID/HERMES_GID, then PUID/PGID, else 10000; each
 * on its own. An empty variable counts as unset.
 * @throws HermesError naming the variable and what was expected
 */
export const requestedIds = (env: Environment): { readonly uid: number; readonly gid: number } => ({
  uid: idFrom(env, 'HERMES_UID', 'PUID'),
  gid: idFrom(env, 'HERMES_GID', 'PGID'),
})

function idFrom(env: Environment, ...names: readonly string[]): number {
  for (const name of names) {
    const text = env[name]
    if (text === undefined || text === '') continue
    const id = /^\d{1,5}$/.test(text) ? Number(text) : 0
    if (id >= 1 && id <= LARGEST_ID) return id
    throw new HermesError('USAGE', `${name}: expected a whole number from 1 to ${LARGEST_ID}, got "${text}"`, {
      next: 'set it to the id that owns the volume on the host, as `id -u` or `id -g` print it',
      exitCode: EXIT.failed,
    })
  }
  return DEFAULT_ID
}

export interface GroupFacts {
  /** The text of /etc/group. */
  readonly groupFile: string
  readonly user: string
  readonly gid: number
  /** Groups of this process: root's groups in the image, and those of `--group-add`. */
  readonly own: readonly number[]
  /** The group of a mounted docker.sock. */
  readonly dockerSocketGid?: number
}

/** Supplementary groups of the runtime identity, its primary group left out. */
export function supplementaryGroups({ groupFile, user, gid, own, dockerSocketGid }: GroupFacts): readonly number[] {
  const rows = accountRows(groupFile)
  const roots = groupsOfMember(rows, 'root')
  const added = own.filter((id) => !roots.includes(id))
  const socket = dockerSocketGid === undefined ? [] : [dockerSocketGid]
  // Group 0 owns files that only root was meant to write; nothing that is mounted changes that.
  const all = [...groupsOfMember(rows, user), ...added, ...socket].filter((id) => id !== gid && id !== 0)
  return [...new Set(all)].sort((a, b) => a - b)
}

/**
 * Why this root process cannot become the runtime user; undefined: it can.
 * @param status text of /proc/self/status
 * @param uidMap text of /proc/self/uid_map: in a user namespace some ids do not exist
 */
export function whyNoDrop(uid: number, status: string, uidMap: string): string | undefined {
  const missing = [['CAP_SETUID', CAP_SETUID] as const, ['CAP_SETGID', CAP_SETGID] as const].filter(
    ([, bit]) => !isEffective(bit, status),
  )
  if (missing.length > 0)
    return `${missing.map(([name]) => name).join(' and ')} ${missing.length > 1 ? 'are' : 'is'} missing`
  const ranges = uidMap
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
  const mapped = ranges.some(([first = 0, , length = 0]) => uid >= first && uid < first + length)
  return mapped || uidMap === '' ? undefined : `uid ${uid} does not exist in this user namespace`
}

/** Tells whether this root process may give files to another user. @param status text of /proc/self/status */
export const canGiveFiles = (status: string): boolean => isEffective(CAP_CHOWN, status)

/**
 * Tells people that this container is privileged: root in it can become root on the host.
 *
 * The sign is CAP_SYS_MODULE in the bounding set. Every engine gives it to a privileged container, gives it to no other
 * one unasked, and with it alone root can load a kernel module. The whole set would miss some: an engine gives the
 * capabilities that it knows and has itself. A writable /sys may be a mount. In a user namespace the capability has no
 * effect (user_namespaces(7)): root there is the engine's user.
 * @param status text of /proc/self/status
 * @param uidMap text of /proc/self/uid_map
 * @returns one line; undefined: it is not privileged
 */
export function privilegedWarning(status: string, uidMap: string): string | undefined {
  const isInitialNamespace = /^\s*0\s+0\s+4294967295\s*$/.test(uidMap)
  if (!isInitialNamespace || !isIn('CapBnd', CAP_SYS_MODULE, status)) return undefined
  return 'this container is privileged (CAP_SYS_MODULE): a program that becomes root in it can become root on the host. Start it without --privileged; docs/security.md lists what Hermes needs instead'
}

/**
 * Capabilities that walls need: to give files, to reach and close those of other users, to become them, and to end
 * their processes.
 */
const FOR_WALLS: readonly (readonly [name: string, bit: number])[] = [
  ['CAP_CHOWN', CAP_CHOWN],
  ['CAP_DAC_OVERRIDE', 1],
  ['CAP_FOWNER', 3],
  ['CAP_FSETID', 4],
  ['CAP_KILL', 5],
  ['CAP_SETGID', CAP_SETGID],
  ['CAP_SETUID', CAP_SETUID],
  ['CAP_SETPCAP', CAP_SETPCAP],
]

/** Names of the capabilities that this root process lacks for walls. @param status text of /proc/self/status */
export const missingForWalls = (status: string): readonly string[] =>
  FOR_WALLS.filter(([, bit]) => !isEffective(bit, status)).map(([name]) => name)

// If the kernel did not say, assume that nothing is missing.
const isEffective = (capability: number, status: string): boolean => isIn('CapEff', capability, status, 'ffffffff')

function isIn(set: 'CapEff' | 'CapBnd', capability: number, status: string, unknown = '0'): boolean {
  const bits = BigInt(`0x${new RegExp(`^${set}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? unknown}`)
  return (bits & (1n << BigInt(capability))) !== 0n
}

/**
 * Options of setpriv that keep a program of the runtime user from gaining privileges: setuid programs and file
 * capabilities of an image have no effect. HERMES_ALLOW_NEW_PRIVS=1 omits them, for an image whose gateways use sudo.
 * @param status text of /proc/self/status
 * @returns `note`: restrictions that are not available, for users
 */
export function restrictions(
  env: Environment,
  status: string,
): { readonly options: readonly string[]; readonly note?: string } {
  if (truthy(env.HERMES_ALLOW_NEW_PRIVS)) return { options: [] }
  if (isEffective(CAP_SETPCAP, status)) return { options: ['--no-new-privs', '--bounding-set=-all'] }
  return {
    options: ['--no-new-privs'],
    note: 'CAP_SETPCAP is missing: slots and the main program keep the capability bounding set of the container, of which they can use nothing',
  }
}

/** Arguments that run a command with this identity by setpriv (util-linux; busybox has no --reuid). */
export const setprivPrefix = (
  { uid, gid, groups }: Pick<RuntimeIdentity, 'uid' | 'gid' | 'groups'>,
  more: readonly string[] = [],
): readonly string[] => [
  '/usr/bin/setpriv',
  '--reuid',
  String(uid),
  '--regid',
  String(gid),
  ...(groups.length === 0 ? ['--clear-groups'] : ['--groups', groups.join(',')]),
  ...more,
  '--',
]

/** HOME, USER and LOGNAME of the runtime user. */
export const namesOf = ({ home, user }: Pick<RuntimeIdentity, 'home' | 'user'>): Variables => ({
  HOME: home,
  USER: user,
  LOGNAME: user,
})
