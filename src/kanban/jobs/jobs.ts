/** Workers as jobs of the supervisor. */
import type { ControlClient } from '../../control/client.ts'
import type { JobResult, JobSpec, StatusResult } from '../../protocol/control.ts'
import { type ErrorDetail, HermesError } from '../../system/errors.ts'

/** TERM, then so long, then KILL. */
export const WORKER_STOP_MS = 5000

/** State of a job. `none`: the supervisor knows no such job. */
export type JobState =
  | { readonly state: 'none' }
  | { readonly state: 'running'; readonly pid?: number }
  | {
      readonly state: 'ended'
      readonly exitCode: number | null
      readonly signal: string | null
      /** It was stopped on request. */
      readonly asked: boolean
      /** Why there is neither code nor signal. */
      readonly reason?: string
    }

/** The supervisor, as far as the board needs it. */
export interface Jobs {
  /** Random, one per container life. */
  readonly instance: string
  /** Phase of the container's life. */
  phase(): Promise<StatusResult['phase']>
  /** Every job slot there is. */
  list(): Promise<readonly string[]>
  look(slot: string): Promise<JobState>
  /** @throws HermesError */
  start(spec: JobSpec): Promise<void>
  /** Waits until it is gone. */
  stop(slot: string): Promise<void>
  /** The result is on the board: forget the job. */
  take(slot: string): Promise<void>
}

/** @throws HermesError NO_SUPERVISOR */
export async function supervisorJobs(client: ControlClient): Promise<Jobs> {
  const { instance } = await client.request('ping', {})
  return {
    instance,
    phase: async () => (await client.request('status', {})).phase,
    list: async () => {
      const { slots } = await client.request('status', {})
      return slots.map(({ slot }) => slot).filter((slot) => slot.startsWith('job-'))
    },
    look: async (slot) => {
      try {
        return toState(await client.request('job-result', { slot }))
      } catch (error) {
        return withoutResult(error)
      }
    },
    start: async (spec) => {
      await client.request('job', spec)
    },
    stop: async (slot) => {
      try {
        await client.request(
          'stop',
          { slot, wait: true, timeoutMs: WORKER_STOP_MS + 5000 },
          { timeoutMs: WORKER_STOP_MS + 10_000 },
        )
      } catch (error) {
        if (!isNoSuchSlot(error)) throw error
      }
    },
    take: async (slot) => {
      try {
        await client.request('job-take', { slot })
      } catch (error) {
        // Without a result, the supervisor has forgotten the job already.
        withoutResult(error)
      }
    },
  }
}

export function toState(result: JobResult): JobState {
  if (result.state === 'running') return result
  const { ending } = result
  return {
    state: 'ended',
    exitCode: 'exitCode' in ending ? ending.exitCode : null,
    signal: 'signal' in ending ? ending.signal : null,
    asked: result.asked === true,
  }
}

const NO_RESULT: ReadonlySet<ErrorDetail | undefined> = new Set(['NO_RESULT', 'STOPPED_BEFORE_RUN', undefined])

const isNoSuchSlot = (error: unknown): boolean => error instanceof HermesError && error.code === 'NO_SUCH_SLOT'

/**
 * Recognizes the supervisor's answers that mean "no result"; anything else is thrown. An older supervisor sends no
 * detail, and to these requests it answers FAILED for nothing else.
 */
function withoutResult(error: unknown): JobState {
  if (isNoSuchSlot(error)) return { state: 'none' }
  if (!(error instanceof HermesError) || error.code !== 'FAILED' || !NO_RESULT.has(error.detail)) throw error
  const asked = error.detail === 'STOPPED_BEFORE_RUN'
  return { state: 'ended', exitCode: null, signal: null, asked, reason: error.message }
}
