import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import { hasCode } from '../../system/error-code.ts'
import type { Native } from '../../system/native/native.ts'

type Ids = Pick<RuntimeIdentity, 'uid' | 'gid'>

/**
 * Does `act`; where root may not do it, once more with the effective ids of the runtime user, who may: a container
 * without CAP_DAC_OVERRIDE or CAP_KILL, a network mount that maps root to `nobody`. Real and saved ids stay root's, so
 * no other process can signal or trace us during the call (kill(2), ptrace(2)).
 * @param user absent: nothing is dropped, and there is no other user to be
 * @throws what `act` threw the last time
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
 * The same for what goes by the thread pool, whose threads may wait long. The ids are the whole process's, so the
 * second try is made at once on the main thread: the file system has just answered the first one.
 * @param first it was begun as root
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

/** The same native calls, but processes of the runtime user can be signalled without CAP_KILL, too. */
export const killingAs = (user: Ids | undefined, native: Native): Native => ({
  ...native,
  kill: (pid, signal) => orAsRuntimeUser(user, () => native.kill(pid, signal)),
})
