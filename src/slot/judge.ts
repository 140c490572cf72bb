/**
 * Decides what happens to a slot whose process has ended or could not be started: docs/slots.md, "What an exit
 * means".
 */

import { spanText } from '../system/text/span.ts'
import { backoffMs } from './backoff.ts'
import type { Ending } from './ending.ts'
import { asksForRestart, describeEnding, describeNotRun, isSuccess, permanentReason } from './ending.ts'
import { childOf, type DeathRecord, isOwnJudgement, type Slot, type SlotEvent, type Verdict } from './slot.ts'

export interface Judgement {
  readonly verdict: Verdict
  /** Counts as one more death in a row. */
  readonly counts: boolean
  /** Is recorded in the list of deaths. */
  readonly isDeath: boolean
}

const notADeath = (verdict: Verdict): Judgement => ({ verdict, counts: false, isDeath: false })
const aDeath = (verdict: Verdict): Judgement => ({ verdict, counts: true, isDeath: true })

/** The next state of a slot whose process was stopped: its desired state decides. */
export const wantedVerdict = (slot: Slot): Verdict =>
  slot.wanted === 'down' ? { to: 'down' } : { to: 'start', again: slot.state === 'stopping' ? slot.again : true }

/**
 * Judges the end of a slot's process.
 * @param slot the slot as it was when the process ended
 * @param more `lastOutput`: its last output, which belongs to the reason for parking it
 */
export function judgeEnding(
  slot: Slot,
  death: DeathRecord,
  random: number,
  { lastOutput, notRun }: Pick<Extract<SlotEvent, { type: 'exited' }>, 'lastOutput' | 'notRun'> = {},
): Judgement {
  const { ending } = death
  const { policy } = slot
  const reason = reasonOf(slot, notRun === undefined ? describeEnding(ending) : describeNotRun(notRun))
  if (policy.kind === 'job') return notADeath({ to: 'down', reason })
  const own = isOwnJudgement(slot)
  if (slot.state === 'stopping' && !own) return notADeath(slot.verdict ?? wantedVerdict(slot))
  if (policy.kind === 'oneshot') return oneshotEnding(slot, death)

  const permanent = permanentReason(ending)
  if (permanent !== undefined) {
    return aDeath({ to: 'parked', reason: lastOutput === undefined ? permanent : `${permanent}: ${lastOutput}` })
  }
  const wasUp = death.upMs !== undefined
  if (slot.wanted === 'once') return aDeath({ to: 'down', reason: `${reason}; it was meant to run once` })
  if (wasUp && !own && asksForRestart(ending) && policy.restart !== 'never')
    return notADeath({ to: 'start', again: true })
  if (policy.restart === 'never' || (policy.restart === 'on-failure' && isSuccess(ending) && !own)) {
    return aDeath({ to: 'down', reason: `${reason}; restart is ${policy.restart}` })
  }
  const tooMany = tooManyDeaths(slot, death)
  if (tooMany !== undefined) return aDeath({ to: 'parked', reason: tooMany })
  const forgiven = death.upMs !== undefined && death.upMs >= policy.forgetAfterMs
  const k = (forgiven ? 0 : slot.deathsInRow) + 1
  const startAtMs = death.atMs + backoffMs(policy.restartDelay, k, wasUp, random)
  return aDeath({ to: 'backoff', startAtMs, reason, ...(notRun && notRun.code !== 'NO_SECRET' && { notRun: true }) })
}

/** How the process ended, and why it was stopped. */
function reasonOf(slot: Slot, how: string): string {
  if (slot.state !== 'stopping') return how
  if (slot.cause === 'start-timeout') {
    const { startTimeoutMs, startTimeoutKey: key = 'start_timeout' } = slot.policy
    return `It did not become ready within ${spanText(startTimeoutMs)} (${key}) and was stopped`
  }
  return slot.cause === 'condemned' && slot.why !== undefined ? `${slot.why}; it ${how}` : how
}

/** A oneshot is not repeated automatically: services that depend on it wait until it has been corrected. */
function oneshotEnding(slot: Slot, { ending }: DeathRecord): Judgement {
  if (slot.state !== 'stopping' && isSuccess(ending)) return notADeath({ to: 'done' })
  const how = describeEnding(ending)
  const late = slot.state === 'stopping' ? `did not finish within ${slot.policy.startTimeoutMs} ms and ` : ''
  return aDeath({ to: 'down', reason: `${late}${how}` })
}

/**
 * Judges a process that could not be started, or vanished without a trace: there is no ending to record, but one more
 * failure in a row.
 */
export function judgeFailure(slot: Slot, reason: string, random: number, nowMs: number): Judgement {
  const { policy } = slot
  if (policy.kind !== 'service' || slot.wanted === 'once' || policy.restart === 'never')
    return notADeath({ to: 'down', reason })
  const startAtMs = nowMs + backoffMs(policy.restartDelay, slot.deathsInRow + 1, false, random)
  const unstarted = childOf(slot) === null
  return {
    verdict: { to: 'backoff', startAtMs, reason, ...(unstarted && { unstarted }) },
    counts: true,
    isDeath: false,
  }
}

/** @returns the reason for giving up on the slot; undefined: it may die again */
function tooManyDeaths(slot: Slot, { ending, atMs }: DeathRecord): string | undefined {
  const { giveUpAfter } = slot.policy
  if (giveUpAfter === null) return undefined
  const fromMs = Math.max(slot.commandAtMs, atMs - giveUpAfter.withinMs)
  const deaths = slot.deaths.filter((one) => one.atMs >= fromMs).length + 1
  if (deaths < giveUpAfter.deaths) return undefined
  const often = deaths === 1 ? 'once' : deaths === 2 ? 'twice' : `${deaths} times`
  const last = lastText(slot, ending)
  return `It crashed ${often} in ${spanText(giveUpAfter.withinMs)} (last ${last}), so it is no longer restarted`
}

function lastText(slot: Slot, ending: Ending): string {
  if (slot.state === 'stopping' && slot.cause === 'start-timeout') return 'time not ready within its limit'
  if (slot.state === 'stopping' && slot.cause === 'condemned' && slot.why !== undefined) return `time: ${slot.why}`
  return 'exitCode' in ending ? `exit code ${ending.exitCode}` : `SIG${ending.signal}`
}
