/** Results of jobs. */

import { rmSync } from 'node:fs'
import type { JobResult } from '../../protocol/control.ts'
import { childOf, type Slot } from '../../slot/slot.ts'
import { replaceFileSync } from '../../system/files/replace-file.ts'
import type { SlotEntry } from './entry.ts'

/** undefined: the job is over without an ending, because it never ran or vanished unseen. */
export function jobResult(slot: Slot): JobResult | undefined {
  const child = childOf(slot)
  if (slot.state !== 'down' && slot.state !== 'parked') return { state: 'running', ...(child && { pid: child.pid }) }
  const ended = slot.lastEnding
  if (ended === undefined) return undefined
  const { ending, wallMs, asked } = ended
  return { state: 'ended', ending, at: new Date(wallMs).toISOString(), ...(asked && { asked }) }
}

/**
 * Results in the volume, if the job's owner requested it: the slot's own file ends with the container, and finished
 * work must not be repeated only because its result had not been collected.
 */
export class JobResults {
  readonly #warn: (text: string) => void

  constructor(warn: (text: string) => void) {
    this.#warn = warn
  }

  /** Writes the result of a job that is over; whatever else the slot is or does, nothing. */
  keep({ key, job, slot }: SlotEntry): void {
    const file = job?.resultFile
    if (file === undefined) return
    const result = jobResult(slot)
    if (result?.state !== 'ended') return
    try {
      replaceFileSync(file, `${JSON.stringify(result)}\n`, { mode: 0o600 })
    } catch (error) {
      // It can still be requested while the container lives.
      this.#warn(`the result of ${key} is not kept over a restart: cannot write ${file}: ${(error as Error).message}`)
    }
  }

  /** Its owner has it, or no longer needs it. */
  drop({ key, job }: SlotEntry): void {
    if (job?.resultFile === undefined) return
    try {
      rmSync(job.resultFile, { force: true })
    } catch (error) {
      this.#warn(`the result of ${key} stays behind: cannot remove ${job.resultFile}: ${(error as Error).message}`)
    }
  }
}
