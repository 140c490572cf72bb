import type { Native } from '../../system/native/native.ts'

/** What Node cannot do for a program: pipes, and telling how it ended. */
export type ProgramNative = Pick<Native, 'pipe' | 'openProcess' | 'waitStatus'>

/**
 * Makes real pipes, which a program can open again as /dev/stdout; Node's own are socket pairs (ENXIO).
 * Undefined where koffi does not load (the supervisor says so): programs work, unless they open /dev/stdout by name, and a death by a
 * real-time signal is taken for a success.
 * Loaded at the first use: a gateway without a program needs none.
 */
export async function programNative(): Promise<ProgramNative | undefined> {
  const { loadNative } = await import('../../system/native/native-libc.ts')
  const { native, problem } = await loadNative()
  return problem === undefined ? native : undefined
}
