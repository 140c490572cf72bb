import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import { readSecretFile, type Secret, secretProblem } from '../../system/files/secret-file.ts'
import { notOf, trusted } from '../../system/files/trust.ts'

type User = Pick<RuntimeIdentity, 'uid' | 'gid' | 'groups'>
const STICKY = 0o1000

export interface SecretReaderFacts {
  /** Name of a secret → path of its file. */
  readonly files: Readonly<Record<string, string>>
  /** The runtime user; absent where init runs as that user. */
  readonly identity?: User
}

export interface ReadSecrets {
  readonly values: Readonly<Record<string, string>>
  /** One line for each file that is of no use. */
  readonly problems: readonly string[]
}

/** Reads all of them; one that fails keeps no other from being reported. */
export function readSecrets({ files, identity }: SecretReaderFacts): ReadSecrets {
  const read = Object.entries(files).map(([name, path]) => ({
    name,
    path,
    secret: identity === undefined ? readSecretFile(path) : readForUser(path, identity),
  }))
  return {
    values: Object.fromEntries(
      read.flatMap(({ name, secret }) => (secret.problem === undefined ? [[name, secret.text]] : [])),
    ),
    problems: read.flatMap(({ name, path, secret }) =>
      secret.problem === undefined ? [] : [`${secretProblem(name, path, secret.problem)}; ${secret.next}`],
    ),
  }
}

/**
 * Reads with the rights of the runtime user, and with root's only if that user may not and cannot change what is at the
 * path either: otherwise a link there could make root read any file of the container for a gateway.
 */
function readForUser(path: string, user: User): Secret {
  const asUser = withIdsOf(user, () => readSecretFile(path))
  if (asUser.problem === undefined || !asUser.forbidden) return asUser
  const found = trusted(path, notChosenBy(user))
  if (found === undefined) return { problem: 'does not exist', next: 'mount the secret there, or correct the variable' }
  if (!('fault' in found)) return readSecretFile(found.real)
  const { file, message, repair } = found.fault
  return {
    problem: `root does not read it, because of ${file}: ${message}`,
    next: `${repair}, or let uid ${user.uid} read the secret`,
  }
}

/**
 * As notOf, but a directory such as /tmp may be open to all: with the sticky bit only the owner of an entry can replace
 * it, and the owner of each entry on the way is checked too.
 */
function notChosenBy({ uid, gid, groups }: User): ReturnType<typeof notOf> {
  const rule = notOf({ uid, groups: [gid, ...groups] })
  return (path, status) =>
    status.isDirectory() && (status.mode & STICKY) !== 0 && status.uid !== uid ? undefined : rule(path, status)
}

/** Effective ids only: real and saved ones stay root's, so no other process can signal or trace this one. */
function withIdsOf<T>({ uid, gid, groups }: User, read: () => T): T {
  const own = process.getgroups?.() ?? []
  process.setgroups?.([...groups])
  process.setegid?.(gid)
  process.seteuid?.(uid)
  try {
    return read()
  } finally {
    process.seteuid?.(0)
    process.setegid?.(0)
    process.setgroups?.(own)
  }
}
