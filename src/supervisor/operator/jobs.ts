import { existsSync } from 'node:fs'
import { walledUid } from '../../profile/walled.ts'
import type { JobResult, JobSpec } from '../../protocol/control.ts'
import { HermesError } from '../../system/errors.ts'
import { profileDir } from '../../system/paths.ts'
import type { SlotEntry } from '../slots/entry.ts'
import { jobResult } from '../slots/job-results.ts'
import type { SlotTable } from '../slots/table.ts'
import { requireSlot } from './slot-lookup.ts'

/** Slots that a client makes for one run of a program. */
export class Jobs {
  readonly #home: string
  readonly #table: SlotTable

  constructor(home: string, table: SlotTable) {
    this.#home = home
    this.#table = table
  }

  /** @throws HermesError EXISTS, NO_SUCH_PROFILE */
  start({ slot, profile, command, cwd, env, logFile, stdinFile, resultFile, stopTimeoutMs }: JobSpec): JobResult {
    const home = this.#home
    if (this.#table.get(slot) !== undefined) throw new HermesError('EXISTS', `the job ${slot} already exists`)
    if (profile !== 'default' && !existsSync(profileDir(home, profile)))
      throw new HermesError('NO_SUCH_PROFILE', `no profile ${JSON.stringify(profile)} in ${home}/profiles`)
    const uid = walledUid(home, profile)
    if (uid !== undefined && uid !== process.getuid?.())
      throw new HermesError('REFUSED', `${profile} is walled, and jobs of walled profiles do not run yet`, {
        next: 'give the task to another profile (docs/walls.md)',
      })
    this.#table.register(slot, true, {
      slot,
      profile,
      command,
      cwd,
      env,
      logFile,
      ...(stdinFile !== undefined && { stdinFile }),
      ...(resultFile !== undefined && { resultFile }),
      ...(stopTimeoutMs !== undefined && { stopTimeoutMs }),
    })
    return { state: 'running' }
  }

  /** @throws HermesError NO_SUCH_SLOT, BAD_REQUEST, FAILED */
  result(slot: string): JobResult {
    const entry = this.#entry(slot)
    return jobResult(entry.slot) ?? noResult(entry)
  }

  /** Removes the job unless it still runs. @throws HermesError likewise */
  take(slot: string): JobResult {
    const entry = this.#entry(slot)
    const result = jobResult(entry.slot)
    if (result?.state !== 'running') this.#table.remove(slot)
    return result ?? noResult(entry)
  }

  #entry(slot: string): SlotEntry {
    const entry = requireSlot(this.#table, slot)
    if (entry.job === undefined) throw new HermesError('BAD_REQUEST', `${slot} is not a job`)
    return entry
  }
}

/** There is no ending to report, and none is invented. */
function noResult({ key, slot }: SlotEntry): never {
  const reason = slot.state === 'down' ? slot.reason : undefined
  throw new HermesError('FAILED', `${key} has no result: ${reason ?? 'it was stopped before it ran'}`, {
    detail: reason === undefined ? 'STOPPED_BEFORE_RUN' : 'NO_RESULT',
  })
}
