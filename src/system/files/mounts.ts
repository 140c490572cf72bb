import { closeSync, constants, openSync, readFileSync } from 'node:fs'

/** Missing from Node's constants; the same on x86-64 and arm64. */
export const O_PATH = 0o10000000

/** One line of /proc/self/mountinfo (proc_pid_mountinfo(5)). */
export interface Mount {
  readonly id: string
  /** Device of its file system. */
  readonly device: string
  /** Which directory or file of that file system is mounted. */
  readonly root: string
  readonly point: string
  readonly isReadOnly: boolean
}

export function parseMounts(text: string): readonly Mount[] {
  return text.split('\n').flatMap((line) => {
    const [mount = '', superblock = ''] = line.split(' - ')
    const [id, , device, root, point, options] = mount.split(' ')
    if (id === undefined || device === undefined || root === undefined || point === undefined) return []
    const isReadOnly = [options, superblock.split(' ')[2]].some((list) => list?.split(',').includes('ro'))
    return [{ id, device, root: unescaped(root), point: unescaped(point), isReadOnly }]
  })
}

const unescaped = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))

/** The id of the mount a descriptor was opened on (proc_pid_fdinfo(5)). */
export const mountOf = (fd: number): string | undefined =>
  /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1]

/**
 * Tells whether a path without links is on a mount that is read-only everywhere: no other mount gives write access to
 * it.
 */
export function isReadOnlyHere(path: string): boolean {
  const mounts = parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'))
  const fd = openSync(path, O_PATH | constants.O_NOFOLLOW)
  try {
    const id = mountOf(fd)
    return cannotBeWritten(
      path,
      mounts.find((mount) => mount.id === id),
      mounts,
    )
  } finally {
    closeSync(fd)
  }
}

/** @param on the mount that the path is on */
export function cannotBeWritten(path: string, on: Mount | undefined, mounts: readonly Mount[]): boolean {
  if (on === undefined || !on.isReadOnly) return false
  const inFileSystem = `${on.root}/${path.slice(on.point.length)}`.replaceAll(/\/+/g, '/')
  return !mounts.some(
    ({ device, root, isReadOnly }) =>
      device === on.device && !isReadOnly && `${inFileSystem}/`.startsWith(root === '/' ? '/' : `${root}/`),
  )
}
