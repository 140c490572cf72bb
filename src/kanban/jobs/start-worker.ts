/** Starts the worker of a claimed task. */
import { rmSync } from 'node:fs'
import type { JobSpec } from '../../protocol/control.ts'
import { pause } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import { readLiving } from '../../system/programs/proc.ts'
import { HANDOVER_LIMITS } from '../handover/facts.ts'
import type { Installation } from '../installation.ts'
import type { Profiles } from '../nodes/profiles.ts'
import type { Board } from '../port/board.ts'
import type { FailedSpawn } from '../port/run-end.ts'
import type { Claimed, Worker } from '../port/tick-writes.ts'
import { handedFiles } from '../store/attachments.ts'
import { contextFile } from '../store/places.ts'
import type { Jobs } from './jobs.ts'
import { prepareJob, SpawnError } from './spawn.ts'

/** Time that the dispatcher waits for a new worker's pid; after that the next tick asks the supervisor. */
const PID_WAIT_MS = 1000
const PID_POLL_MS = 10

export type Started =
  | { readonly state: 'started'; readonly workspace: string; readonly worker?: Worker }
  /** The claim must be given back. `stop`: nothing more can be started. */
  | ({ readonly state: 'failed'; readonly stop: boolean } & FailedSpawn)
  /** The supervisor died before it answered, so the job may be running. The claim stays; the next tick asks. */
  | { readonly state: 'unclear'; readonly error: string }

export interface StartOptions extends Installation {
  readonly board: Board
  readonly jobs: Jobs
  readonly profiles: Pick<Profiles, 'config' | 'directory'>
  /** `kanban.context_max_bytes` */
  readonly contextMaxBytes: number
  /** Additions to a job under the lease of this node: its epoch, and a stop that ends before it. */
  readonly underLease: Pick<JobSpec, 'nodeEpoch' | 'stopTimeoutMs'>
  /** Asks the board again while others hold it. */
  readonly free: <T>(work: () => Promise<T>) => Promise<T>
}

export async function startWorker(options: StartOptions, claimed: Claimed, profile: string): Promise<Started> {
  try {
    return await start(options, claimed, profile)
  } catch (error) {
    const result = startedBy(error)
    if (result.state === 'failed') rmSync(contextFile(options.home, claimed.slot), { force: true })
    return result
  }
}

/** @throws the error, if it does not answer a start */
function startedBy(error: unknown): Started {
  if (error instanceof SpawnError) return { state: 'failed', stop: false, failure: true, error: error.message }
  if (!(error instanceof HermesError)) throw error
  const { code, message } = error
  switch (code) {
    case 'STOPPING':
    case 'VOLUME_BUSY':
      return { state: 'failed', stop: true, failure: false, error: message }
    case 'REFUSED':
      if (error.detail === 'LEASE_OVER') return { state: 'failed', stop: true, failure: false, error: message }
      return { state: 'failed', stop: false, failure: true, error: message }
    case 'BAD_REQUEST':
    case 'NO_SUCH_PROFILE':
      return { state: 'failed', stop: false, failure: true, error: message }
    default:
      return { state: 'unclear', error: message }
  }
}

async function start(options: StartOptions, claimed: Claimed, profile: string): Promise<Started> {
  const { home, board, jobs, profiles, builtIn, contextMaxBytes, free } = options
  const { row, runId, slot } = claimed
  const { agent, gateway } = profiles.config(profile)
  const handover = await free(() => board.handover(row.id, HANDOVER_LIMITS))
  const files = await free(() => handedFiles(board, row.id))
  const spec = prepareJob({
    home,
    place: board.place,
    task: row,
    profile: profiles.directory(profile),
    runId,
    slot,
    agent,
    environment: gateway.env,
    builtIn,
    handover,
    files,
    contextMaxBytes,
  })
  await jobs.start({ ...spec, ...options.underLease })
  const worker = await findWorker(options, slot)
  return { state: 'started', workspace: spec.cwd, ...(worker && { worker }) }
}

async function findWorker({ clock, jobs }: StartOptions, slot: string): Promise<Worker | undefined> {
  const untilMs = clock.nowMs() + PID_WAIT_MS
  for (;;) {
    const job = await jobs.look(slot)
    if (job.state !== 'running') return undefined
    if (job.pid !== undefined) {
      const startTime = readLiving(job.pid)?.startTime
      return startTime === undefined ? undefined : { pid: job.pid, startTime }
    }
    if (clock.nowMs() >= untilMs) return undefined
    await pause(clock, PID_POLL_MS)
  }
}
