/** Log texts about slots, for supervisor.log and the container's stderr: one sentence per event. */

import { describeEnding, describeNotRun } from '../../slot/ending.ts'
import { childOf, isOwnJudgement, type Slot, type SlotEvent } from '../../slot/slot.ts'

export interface LogMessage {
  readonly level: 'info' | 'warn'
  readonly text: string
}

/** Seconds for people: `0.4 s`, `12 s`. */
export const seconds = (ms: number): string => `${ms < 10_000 ? Math.round(ms / 100) / 10 : Math.round(ms / 1000)} s`

/** `gateway-web exited with code 1`, `gateway-web: "nosuch" was not found`, `gateway-web: It crashed twice`. */
export const withSubject = (name: string, how: string): string => `${name}${/^("|It )/.test(how) ? ':' : ''} ${how}`

const inSome = (ms: number): string => (ms < 50 ? 'at once' : `in ${seconds(ms)}`)

/** @returns undefined where nothing is worth a line */
export function transitionText(
  key: string,
  before: Slot,
  after: Slot,
  event: SlotEvent,
  nowMs: number,
): LogMessage | undefined {
  const was = childOf(before)
  const name = was === null ? key : `${key} (pid ${was.pid})`
  if (before.state === 'starting' && before.child === null && after.state === 'starting' && after.child !== null)
    return undefined
  if (event.type === 'exited' || event.type === 'spawn-failed' || event.type === 'gone')
    return endOf({ key, name }, before, after, event, nowMs)
  if (before.state === after.state) {
    if (
      before.state === 'stopping' &&
      after.state === 'stopping' &&
      before.killAtMs !== null &&
      after.killAtMs === null
    )
      return { level: 'warn', text: overdue(name, before) }
    return undefined
  }
  switch (after.state) {
    case 'up':
      return { level: 'info', text: `${key} (pid ${after.child.pid}) is up` }
    case 'stopping':
      if (after.cause === 'start-timeout')
        return {
          level: 'warn',
          text: `${name} is not ready after ${seconds(before.policy.startTimeoutMs)}; it is stopped`,
        }
      if (after.cause === 'condemned') {
        const then = before.policy.restart === 'never' || before.policy.kind === 'job' ? 'stopped' : 'restarted'
        return { level: 'warn', text: `${key} ${after.why}; it is ${then}` }
      }
      if (after.cause === 'stray')
        return { level: 'warn', text: `${key} (pid ${after.child?.pid}) runs although it is not wanted; it is stopped` }
      return after.why === undefined ? undefined : { level: 'info', text: `${key} ${after.why}; it is restarted` }
    case 'down':
      return before.state === 'parked' || before.state === 'backoff'
        ? { level: 'info', text: `${key} is down` }
        : undefined
    case 'starting':
    case 'backoff':
    case 'parked':
    case 'done':
      return undefined
  }
}

/** The process did not end within its time limit. */
function overdue(name: string, { cause, policy }: Extract<Slot, { state: 'stopping' }>): string {
  if (cause !== 'finish')
    return `${name} did not obey SIG${policy.stopSignal} within ${seconds(policy.stopTimeoutMs)}; its process group is killed`
  const what = policy.kind === 'oneshot' ? 'the program that undoes it' : 'its finish program'
  return `${name}: ${what} has not ended within ${seconds(policy.finish?.timeoutMs ?? 0)}; it is killed`
}

const describeExit = ({ ending, notRun }: Extract<SlotEvent, { type: 'exited' }>): string =>
  notRun === undefined ? describeEnding(ending) : describeNotRun(notRun)

function endOf(
  { key, name }: { key: string; name: string },
  before: Slot,
  after: Slot,
  event: SlotEvent,
  nowMs: number,
): LogMessage | undefined {
  if (before === after || before.state === 'down' || before.state === 'parked' || before.state === 'backoff')
    return undefined
  const run = after.lastEnding
  // The finish program has ended: what there is to say is how the service itself did.
  if (event.type === 'exited' && run !== undefined && run.pid !== event.pid && before.policy.kind !== 'oneshot')
    return endOf({ key, name: `${key} (pid ${run.pid})` }, before, after, { ...event, ...run }, nowMs)
  const how = event.type === 'exited' ? describeExit(event) : 'reason' in after ? after.reason : undefined
  const asked = before.state === 'stopping' && !isOwnJudgement(before)
  const text = withSubject(name, how ?? 'is gone')
  if (asked && (after.state === 'down' || after.state === 'starting')) return { level: 'info', text }
  switch (after.state) {
    case 'backoff':
      return { level: 'warn', text: `${text}; starting again ${inSome(after.startAtMs - nowMs)}` }
    case 'starting':
      return { level: 'warn', text: `${text}; starting again at once` }
    case 'parked':
      return { level: 'warn', text: `${name}: ${after.reason}; it is parked until it is started by hand` }
    case 'down':
      return { level: 'info', text: `${name}: ${after.reason ?? how ?? 'ended'}` }
    case 'done':
      return { level: 'info', text: `${key} is done` }
    case 'up':
    case 'stopping':
      return undefined
  }
}
