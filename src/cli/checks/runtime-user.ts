import { readSmallFile } from '../../system/files/small-file.ts'
import type { Context } from '../context/context.ts'

export interface UserIds {
  readonly uid: number
  readonly gid: number | undefined
}

const MAX_BYTES = 64 * 1024

/**
 * The user that owns the volume: the one that init has written down, else the caller. `docker exec -u` can make another
 * user ask, for whom the volume is not to be changed.
 */
export function runtimeUser({ paths, uid }: Pick<Context, 'paths' | 'uid'>): UserIds {
  const own = { uid, gid: process.getgid?.() }
  try {
    const found = JSON.parse(readSmallFile(paths.identity, MAX_BYTES).text ?? '{}') as Partial<UserIds>
    return typeof found.uid === 'number' && typeof found.gid === 'number' ? { uid: found.uid, gid: found.gid } : own
  } catch {
    return own // not an identity; hermes itself reports that when it drops root
  }
}
