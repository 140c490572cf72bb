/**
 * Results of jobs as the supervisor leaves them in the volume until they are taken: what was finished in an earlier
 * life of the container is known in the next one, and is not done again.
 */

import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { JobResult } from '../../protocol/control.ts'
import { unlessCode } from '../../system/error-code.ts'
import { readSmallFile } from '../../system/files/small-file.ts'
import { contextFile, contextsDir, resultsDir } from '../store/places.ts'
import { parseJobSlot } from '../task.ts'
import { type JobState, type Jobs, toState } from './jobs.ts'

const SUFFIX = '.json'
const MAX_RESULT_BYTES = 10_000

export const resultFile = (home: string, slot: string): string => join(resultsDir(home), `${slot}${SUFFIX}`)

/** @returns `none` also for a file that is not the supervisor's work */
export function keptResult(home: string, slot: string): JobState {
  const { text } = readSmallFile(resultFile(home, slot), MAX_RESULT_BYTES)
  if (text === undefined) return { state: 'none' }
  try {
    const value = JSON.parse(text) as Partial<Extract<JobResult, { state: 'ended' }>> | null
    return value?.state === 'ended' && typeof value.ending === 'object'
      ? toState(value as JobResult)
      : { state: 'none' }
  } catch {
    // Torn or foreign: as good as none.
    return { state: 'none' }
  }
}

/** Slots that have a file in the volume: their result, or what was handed over to them. */
export const keptSlots = (home: string): readonly string[] => [
  ...slotsIn(resultsDir(home)),
  ...slotsIn(contextsDir(home)),
]

const slotsIn = (directory: string): readonly string[] =>
  unlessCode(['ENOENT'], () => readdirSync(directory), [])
    .filter((name) => name.endsWith(SUFFIX))
    .map((name) => name.slice(0, -SUFFIX.length))
    .filter((slot) => parseJobSlot(slot) !== undefined)

/** The board has its result, or needs none: it is forgotten by the supervisor, and in the volume. */
export async function forgetJob(home: string, jobs: Jobs, slot: string): Promise<void> {
  await jobs.take(slot)
  for (const file of [resultFile(home, slot), contextFile(home, slot)]) rmSync(file, { force: true })
}
