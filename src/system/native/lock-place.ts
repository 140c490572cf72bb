import { statfs } from 'node:fs'

/**
 * File systems whose locks are the kernel's own, by f_type of statfs(2): asking one for a lock waits for no server.
 * Anything else may be a network mount.
 */
const LOCAL: ReadonlySet<number> = new Set([
  0xef53, // ext2 to ext4
  0x58465342, // xfs
  0x9123683e, // btrfs
  0x01021994, // tmpfs
  0x794c7630, // overlayfs
  0x2fc12fc1, // zfs
  0xf2f52010, // f2fs
])

/**
 * Whether a lock on this open file is given or refused at once. Asked on another thread: a dead mount may not answer.
 */
export const locksAtOnce = (fd: number): Promise<boolean> =>
  new Promise((resolve) =>
    statfs(`/proc/self/fd/${fd}`, (error, found) => resolve(error === null && LOCAL.has(Number(found.type) >>> 0))),
  )
