import { closeSync } from 'node:fs'
import type { Native, SpawnedProgram } from '../../system/native/native.ts'

/** A program that has just been spawned, and our end of the socket to it. */
export interface SpawnedLinked {
  readonly pid: number
  readonly fd: number
}

/**
 * Spawns a program with one end of a socket pair as its descriptor `at`.
 * @returns undefined without the binding
 * @throws NativeError
 */
export function spawnLinked(
  native: Pick<Native, 'socketPair' | 'spawn'>,
  program: SpawnedProgram,
  at: number,
): SpawnedLinked | undefined {
  const pair = native.socketPair()
  if (pair === undefined) return undefined
  const [ours, theirs] = pair
  let pid: number | undefined
  try {
    pid = native.spawn({ ...program, fds: withDescriptor(program.fds, at, theirs) })
    return pid === undefined ? undefined : { pid, fd: ours }
  } finally {
    closeSync(theirs)
    if (pid === undefined) closeSync(ours)
  }
}

/** The same descriptors with another one at `at`; what lies between is closed. */
export const withDescriptor = <T>(fds: readonly (number | 'ignore')[], at: number, one: T): (number | 'ignore' | T)[] =>
  Array.from({ length: Math.max(fds.length, at + 1) }, (_, fd) => (fd === at ? one : (fds[fd] ?? 'ignore')))
