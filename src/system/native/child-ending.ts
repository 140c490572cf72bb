import type { ChildProcess } from 'node:child_process'
import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import type { Native } from './native.ts'

/** How a process ended: its exit code, or the number of the signal that ended it. */
export type ChildEnding = { readonly exitCode: number } | { readonly signal: number }

/** System calls that give more detail than Node; undefined where native calls are not available. */
export type Kernel = Pick<Native, 'openProcess' | 'waitStatus'> | undefined

/** The low bits of a wait status (wait(2)): the signal that ended the process, 0 if none did. */
const SIGNAL_BITS = 0x7f

/** Decodes the wait status of an ended process; bit 7 (a core was written) is left out. */
export const endingOf = (status: number): ChildEnding =>
  (status & SIGNAL_BITS) === 0 ? { exitCode: (status >> 8) & 0xff } : { signal: status & SIGNAL_BITS }

/**
 * Determines how a child of ours ended. Node has no names for real-time signals: for a child that died by one it
 * reports code 0 and signal null, like success; `promisify(execFile)` and `exec` then resolve. Therefore the kernel
 * is asked (Linux 6.15 and later answer; on older ones Node's report is used).
 * @param child a child that has just been started: in a later turn of the loop its pid may belong to another process
 * @returns resolves at its end, even if others still hold its streams; never rejects, and never resolves for a child
 * that was not started
 */
export function childEnding(child: ChildProcess, kernel: Kernel): Promise<ChildEnding> {
  const processFd = child.pid === undefined ? undefined : kernel?.openProcess(child.pid)
  return new Promise((resolve) => {
    // `exit`, not `close`: grandchildren may keep the descriptors open indefinitely.
    child.once('exit', (code, name) => {
      const hidden = name === null && code === 0 && processFd !== undefined ? kernel?.waitStatus(processFd) : undefined
      const signal = name === null ? (hidden ?? 0) & SIGNAL_BITS : constants.signals[name]
      if (processFd !== undefined) closeSync(processFd)
      resolve(signal === 0 ? { exitCode: code ?? 0 } : { signal })
    })
  })
}
