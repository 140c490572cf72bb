import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import { hasCode } from '../../system/error-code.ts'
import type { Native } from '../../system/native/native.ts'

type Ids = Pick<RuntimeIdentity, 'uid' | 'gid'>

/**
 * Runs `act`; if root is not allowed to, runs it again with the effective ids of the runtime user, who is: a
 * container without CAP_DAC_OVERRIDE or CAP_KILL, or a network mount that maps root to another user. Real and saved ids
 * stay root's, so no other process can signal or trace us in the meantime (kill(2), ptrace(2)).
 * @param user absent: root is not dropped, so there is no other user
 * @throws the last error of `act`
 */
export function orAsRuntimeUser<T>(user: Ids | undefined, act: () => T): T {
  try {
    return act()
  } catch (error) {
    if (user === undefined || !isRefusal(error)) throw error
    return asRuntimeUser(user, act)
  }
}

/**
 * The same for calls on the thread pool, whose threads may wait long. The ids belong to the whole process, so the
 * second attempt runs at once on the main thread: the file system has just answered the first one.
 * @param first started as root
 */
export async function orAsRuntimeUserLater<T>(user: Ids | undefined, first: Promise<T>, act: () => T): Promise<T> {
  try {
    return await first
  } catch (error) {
    if (user === undefined || !isRefusal(error)) throw error
    return asRuntimeUser(user, act)
  }
}

function asRuntimeUser<T>({ uid, gid }: Ids, act: () => T): T {
  const [rootUid, rootGid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0]
  process.setegid?.(gid)
  process.seteuid?.(uid)
  try {
    return act()
  } finally {
    process.seteuid?.(rootUid)
    process.setegid?.(rootGid)
  }
}

const isRefusal = (error: unknown): boolean => hasCode(error, 'EACCES', 'EPERM')

/** The same native calls, but they can also signal processes of the runtime user without CAP_KILL. */
export const killingAs = (user: Ids | undefined, native: Native): Native => ({
  ...native,
  kill: (pid, signal) => orAsRuntimeUser(user, () => native.kill(pid, signal)),
})
