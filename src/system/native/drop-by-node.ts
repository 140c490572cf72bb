import type { Native } from './native.ts'

/**
 * `Native.dropPrivileges` without the binding, whose loading takes longer than a short command. The saved gid becomes
 * the gid, so another process of that user can set this process's limits (prlimit(2)): for a command that ends within
 * seconds, which that user can kill anyway.
 * @throws Error EPERM without the right to; Node refuses it unless {@link canDropByNode}
 */
export const dropByNode: Native['dropPrivileges'] = ({ uid, gid, groups }) => {
  process.setgroups?.([...groups])
  process.setgid?.(gid)
  process.setuid?.(uid)
}

/** False while io_uring may be used. */
export const canDropByNode = (env: NodeJS.ProcessEnv): boolean => env.UV_USE_IO_URING === undefined
