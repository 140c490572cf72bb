import type { Native } from './native.ts'

/**
 * `Native.dropPrivileges` without the binding, whose loading takes longer than a short command. The saved gid becomes
 * the gid, so another process of that user can set this process's limits (prlimit(2)).
 * @throws Error EPERM without the right to; Node refuses it while UV_USE_IO_URING is set
 */
export const dropByNode: Native['dropPrivileges'] = ({ uid, gid, groups }) => {
  process.setgroups?.([...groups])
  process.setgid?.(gid)
  process.setuid?.(uid)
}
