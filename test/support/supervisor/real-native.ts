import { loadNative } from '../../../src/system/native/native-libc.ts'

const { native, problem } = await loadNative()
if (problem !== undefined) throw new Error(problem)

/** The libc of this process: what is tested with it cannot be had from a fake. */
export const realNative = native
