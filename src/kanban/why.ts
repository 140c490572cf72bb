/** Explains in one line why a task is not running. For ready tasks, the reason is the tick's own decision. */
import { instantText } from '../system/instant.ts'
import { oneLine } from '../system/text/foreign-text.ts'
import { elapsedText } from '../system/text/span.ts'
import { ANY, type Status, type Task } from './task.ts'
import type { Decision, Reason } from './tick.ts'

export interface DamagedFile {
  readonly name: string
  readonly path: string
  readonly state: 'missing' | 'changed'
}

export interface WhyFacts {
  readonly task: Task
  /** Parents that are neither done nor archived. */
  readonly openParents: readonly { readonly id: string; readonly status: Status }[]
  /** The decision that a tick would make now. */
  readonly decision: Decision
  readonly defaultAssignee: string | null
  /** Reason why no tick runs by itself; null: ticks do run. */
  readonly noDispatcher: string | null
  /** Files of the task that are missing or changed; absent: none. */
  readonly damaged?: readonly DamagedFile[]
  /** A tick comes after so long at most. */
  readonly intervalSeconds: number
}

export interface Why {
  readonly task_id: string
  readonly status: Status
  /** Reason code for programs: the tick's reason, or the status. */
  readonly reason: string
  /** Only if there are any. */
  readonly attachments?: readonly DamagedFile[]
  readonly text: string
}

/** Damaged files that are named. */
const NAMED = 3

const time = (ms: number): string => instantText(ms) ?? `an invalid time (${ms})`

export function why(facts: WhyFacts): Why {
  const { damaged = [], task } = facts
  const { text, ...rest } = whyNot(facts)
  if (damaged.length === 0) return { ...rest, text }
  return { ...rest, attachments: damaged, text: `${text}. ${damagedText(damaged, task.id)}` }
}

function damagedText(damaged: readonly DamagedFile[], id: string): string {
  const files = damaged.slice(0, NAMED).map(({ path, state }) => `${oneLine(path)} is ${state}`)
  const more = damaged.length > NAMED ? [`${damaged.length - NAMED} more`] : []
  const worker = damaged.length === 1 ? 'its worker does not get that attachment' : 'its worker does not get them'
  return `${[...files, ...more].join(', ')}: ${worker} (hermes kanban attachments ${id})`
}

function whyNot(facts: WhyFacts): Why {
  const { task, decision } = facts
  const ended = decision.ends.get(task.id)
  const found = decision.reasons.get(task.id)
  if (ended !== undefined && task.status === 'running') {
    const { outcome, error } = ended.end
    const then =
      found === undefined ? `it moves to ${ended.settlement.status} ${soon(facts)}` : reasonText(found, facts)
    const cause = error === undefined ? 'Its worker has finished' : `Its run is over (${outcome}: ${error})`
    return answer(task, outcome, withDispatcher(`${cause}; ${then}`, facts))
  }
  if (found !== undefined) return answer(task, found.why, withDispatcher(reasonText(found, facts), facts))
  // Ready then, and not looked at: the board is full.
  const ready = task.status === 'ready' || decision.promotions.get(task.id) === 'ready'
  if (decision.boardFull !== null && ready && task.claimLock === null) {
    const { busy, limit } = decision.boardFull
    const text = `waits for a place: ${busy} tasks are running, and ${limit} may (kanban.max_in_progress)`
    return answer(task, 'board_full', withDispatcher(text, facts))
  }
  return answer(task, task.status, statusText(facts))
}

const answer = (task: Task, reason: string, text: string): Why => ({
  task_id: task.id,
  status: task.status,
  reason,
  text: `${task.id} (${task.status}): ${text}`,
})

/** Time of the next tick, in words. */
const soon = ({ noDispatcher, intervalSeconds }: WhyFacts): string =>
  noDispatcher === null ? `within ${intervalSeconds} s` : 'at the next tick'

function reasonText(reason: Reason, facts: WhyFacts): string {
  const { defaultAssignee, task } = facts
  switch (reason.why) {
    case 'spawn':
      return `it starts on ${reason.assignee} ${soon(facts)}${reason.defaulted ? ' (kanban.default_assignee)' : ''}`
    case 'unassigned':
      return `it has no assignee, and kanban.default_assignee is ${defaultAssignee === null ? 'off' : `'${defaultAssignee}'`}: hermes kanban assign ${task.id} PROFILE`
    case 'nonspawnable':
      return `no profile is named "${reason.assignee}", so it is done by hand; give it to a profile: hermes kanban reassign ${task.id} PROFILE`
    case 'elsewhere':
      return elsewhereText(reason)
    case 'missing_labels':
      return `needs ${reason.missing.join(', ')}, which this node does not have (kanban.labels, HERMES_NODE_LABELS)`
    case 'per_profile_cap':
      if (reason.assignee === ANY)
        return `waits for any profile: the least busy one has ${reason.current} running, and each may have ${reason.cap} (kanban.max_in_progress_per_profile)`
      return `waits for ${reason.assignee}: ${reason.current} running, and ${reason.cap} may (kanban.max_in_progress_per_profile)`
    case 'pool_cap':
      if (reason.assignee === ANY)
        return `waits for any profile: all are in full pools, and in ${reason.pool} ${reason.current} tasks are running, and ${reason.cap} may (kanban.pools)`
      return `waits for a place in the pool ${reason.pool} of ${reason.assignee}: ${reason.current} tasks are running in it, and ${reason.cap} may (kanban.pools)`
    case 'guarded':
      return guardText(reason)
    case 'unconfigured':
      if (reason.assignee === ANY)
        return 'no profile of this node has an agent: set agent.command or agent.openai in the config.yaml of one'
      return `profile "${reason.assignee}" has no agent: set agent.command or agent.openai in its config.yaml`
    case 'budget_spent':
      return `the budget of ${reason.assignee} is spent (${reason.amount}); it starts after ${time(reason.untilMs)}, or after a change of budget in its config.yaml`
    case 'lost':
    case 'unclear':
      return 'another program is changing it right now'
    case 'spawn_failed':
      return 'its worker could not be started; the next tick tries again'
  }
}

function elsewhereText({ assignee, node, isLive, silentMs }: Extract<Reason, { why: 'elsewhere' }>): string {
  return isLive
    ? `node ${node} has the profile "${assignee}" and starts it`
    : `waits for node ${node}, which has the profile "${assignee}" and has not been heard of for ${elapsedText(silentMs)}`
}

function guardText({ reason, untilMs }: Extract<Reason, { why: 'guarded' }>): string {
  const until = untilMs === undefined ? '' : ` until ${time(untilMs)}`
  switch (reason) {
    case 'quota_or_auth_error':
      return `its last run ended with a quota or authentication error; it rests${until} (hermes kanban block and then unblock, or a new assignee, ends that)`
    case 'recent_success':
      return `it succeeded a moment ago and has not been changed since; it rests${until} (a comment ends that)`
    case 'worker_ending':
      return 'the worker of its last run has not ended yet'
  }
}

const withDispatcher = (text: string, { noDispatcher }: WhyFacts): string =>
  noDispatcher === null ? text : `${text}. No tick comes by itself: ${noDispatcher}`

const parentsText = (parents: WhyFacts['openParents']): string =>
  `waits for ${parents.map(({ id, status }) => `${id} (${status})`).join(', ')}`

function statusText(facts: WhyFacts): string {
  const { task, openParents, decision } = facts
  switch (task.status) {
    case 'triage':
      return 'in triage: use hermes kanban promote or assign to make it a task'
    case 'todo':
      return openParents.length === 0
        ? withDispatcher(`all its parents are done; it moves to ready ${soon(facts)}`, facts)
        : parentsText(openParents)
    case 'scheduled':
      if (!decision.promotions.has(task.id)) return `waits for its time, ${time(task.scheduledAtMs ?? 0)}`
      return withDispatcher(
        `its time has come; then it ${openParents.length === 0 ? `waits for another tool, which has claimed it (${task.claimLock})` : parentsText(openParents)}`,
        facts,
      )
    case 'ready':
      return task.claimLock === null
        ? withDispatcher(`the dispatcher looks at it ${soon(facts)}`, facts)
        : `another tool has claimed it (${task.claimLock})`
    case 'running': {
      const mine = decision.reasons.has(task.id) || task.currentRun !== null
      const since = task.startedAtMs === null ? '' : ` since ${time(task.startedAtMs)}`
      if (mine) return `it is running${since}${task.workerPid === null ? '' : `, pid ${task.workerPid}`}`
      return `it was set running by hand${since}: hermes kanban reclaim takes it back`
    }
    case 'review':
      return `the work is done and waits for a review: hermes kanban complete ${task.id}, or request-changes to have it done again`
    case 'blocked': {
      const reason = task.lastError === null ? '' : `: ${task.lastError}`
      const failures = task.failures > 0 && !task.once ? ` (${task.failures} failures in a row)` : ''
      const next = task.once ? `hermes kanban complete ${task.id} if it was done, unblock to start it again` : undefined
      return `blocked${reason}${failures}; ${next ?? `hermes kanban unblock ${task.id}`}`
    }
    case 'done':
      return `done${task.completedAtMs === null ? '' : ` at ${time(task.completedAtMs)}`}`
    case 'archived':
      return 'archived'
  }
}
