import { elapsedText } from '../../system/text/span.ts'
import type { HealthReport } from './liveness.ts'

/** Observations of a process and of everything below it. */
export interface Activity {
  /** Stopped by a signal, as by SIGSTOP. */
  readonly isStopped: boolean
  /** Time since it last printed a line or used CPU. */
  readonly idleMs: number
  /** CPU that it has used between the last two looks; absent: there was one look. */
  readonly cpu?: { readonly usedMs: number; readonly ofMs: number }
  /** Requests that it has open for more than a few seconds; absent: none, or it does not say. */
  readonly requests?: { readonly open: number; readonly oldestMs: number }
}

/** A process that does nothing for so long while a request waits is quiet. */
const QUIET_MS = 60_000
/** … and after so long it is stuck: no answer of a model takes this long without a line or any CPU. */
const STUCK_MS = 300_000
/** Share of a CPU below which a process does nothing: an idle Node uses less. */
const IDLE_SHARE = 0.01

export const usesCpu = ({ usedMs, ofMs }: NonNullable<Activity['cpu']>): boolean => usedMs >= ofMs * IDLE_SHARE

/** Whether a process works, from what was seen of it. */
export function judgeActivity(activity: Activity): HealthReport {
  const { isStopped, idleMs, requests } = activity
  if (isStopped) return { health: 'stuck', evidence: ['is stopped by a signal'] }
  const waiting = requests === undefined ? 0 : Math.min(idleMs, requests.oldestMs)
  if (requests === undefined || waiting < QUIET_MS) return { health: 'ok', evidence: [] }
  const evidence = [requestsText(requests), `has printed no line and used no CPU for ${elapsedText(idleMs)}`]
  return { health: waiting < STUCK_MS ? 'quiet' : 'stuck', evidence }
}

/** Further observations, for any health. */
export function activityText({ isStopped, cpu, requests }: Activity, health: HealthReport['health']): string[] {
  const isJudged = health !== 'ok'
  return [
    ...(requests === undefined || isJudged ? [] : [requestsText(requests)]),
    ...(cpu === undefined || isStopped ? [] : [cpuText(cpu)]),
  ]
}

const requestsText = ({ open, oldestMs }: NonNullable<Activity['requests']>): string =>
  open === 1
    ? `has a request open for ${elapsedText(oldestMs)}`
    : `has ${open} requests open, the oldest for ${elapsedText(oldestMs)}`

const cpuText = ({ usedMs, ofMs }: NonNullable<Activity['cpu']>): string =>
  `used ${Math.round((usedMs / ofMs) * 100)} % of a CPU in the last ${elapsedText(ofMs)}`
