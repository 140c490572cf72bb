import type { Native } from '../../system/native/native.ts'

/** System calls for programs that Node lacks: real pipes, and the exact ending of a process. */
export type ProgramNative = Pick<Native, 'pipe' | 'openProcess' | 'waitStatus'>

/**
 * Makes real pipes, which a program can open again as /dev/stdout; Node's own are socket pairs (ENXIO). Undefined if
 * koffi does not load (the supervisor reports that): programs still work unless they open /dev/stdout by name, and a
 * death by a real-time signal looks like success. Loaded at first use, because a gateway without a program does not
 * need it.
 */
export async function programNative(): Promise<ProgramNative | undefined> {
  const { loadNative } = await import('../../system/native/native-libc.ts')
  const { native, problem } = await loadNative()
  return problem === undefined ? native : undefined
}
