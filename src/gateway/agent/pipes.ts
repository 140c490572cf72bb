import type { Native } from '../../system/native.ts'

/**
 * Real pipes, which a program can open again as /dev/stdout; Node's own are socket pairs (ENXIO).
 * Undefined where koffi does not load (the supervisor says so): programs work, unless they open /dev/stdout by name.
 * Loaded at the first use: a gateway without a program needs none.
 */
export async function realPipe(): Promise<Native['pipe'] | undefined> {
  const { loadNative } = await import('../../system/native-libc.ts')
  const { native, problem } = await loadNative()
  return problem === undefined ? (options) => native.pipe(options) : undefined
}
