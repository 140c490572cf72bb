/** Explanations that need the board and, if it answers, the supervisor; for the command line and the dashboard. */

import type { ControlClient } from '../../control/client.ts'
import { stateWords } from '../../protocol/state-words.ts'
import { HermesError } from '../../system/errors.ts'
import type { Installation } from '../installation.ts'
import { type Jobs, supervisorJobs } from '../jobs/jobs.ts'
import type { Board } from '../port/board.ts'
import { damagedFiles } from '../store/attachments.ts'
import { isClosed } from '../task.ts'
import { type Why, why } from '../why.ts'
import { planDispatch } from './dispatch.ts'
import { readWrittenRules } from './settings.ts'

type Connect = () => Promise<ControlClient>

/** Runs `use` with the supervisor's jobs if it answers, else with null. */
export async function withJobs<T>(connect: Connect, use: (jobs: Jobs | null) => Promise<T>): Promise<T> {
  let client: ControlClient
  try {
    client = await connect()
  } catch (error) {
    if (error instanceof HermesError && (error.code === 'NO_SUPERVISOR' || error.code === 'REFUSED')) return use(null)
    throw error
  }
  try {
    return await use(await supervisorJobs(client))
  } finally {
    client.close()
  }
}

/** Returns the reason why no tick runs by itself; null: ticks do run. */
export async function noDispatcher(home: string, connect: Connect): Promise<string | null> {
  if (!readWrittenRules(home).dispatchInGateway) return 'kanban.dispatch_in_gateway is false'
  try {
    const client = await connect()
    try {
      const { slots } = await client.request('status', {})
      const slot = slots.find((one) => one.slot === 'dispatcher')
      if (slot === undefined) return 'the slot "dispatcher" does not exist'
      return slot.state === 'up' || slot.state === 'starting'
        ? null
        : `the slot "dispatcher" is ${stateWords(slot.state)}`
    } finally {
      client.close()
    }
  } catch (error) {
    if (error instanceof HermesError && error.code === 'NO_SUPERVISOR') return 'the supervisor is not running'
    if (error instanceof HermesError && error.code === 'REFUSED') return error.message
    throw error
  }
}

export interface ExplainFacts extends Installation {
  readonly connect: Connect
}

/** Why a task is not running. @throws HermesError for a task that is not there */
export async function explainTask({ connect, ...base }: ExplainFacts, board: Board, id: string): Promise<Why> {
  const missing = await noDispatcher(base.home, connect)
  const task = await board.require(id)
  const { decision, rules } = await withJobs(connect, (jobs) => planDispatch({ ...base, board, jobs }))
  return why({
    task,
    openParents: (await board.parents(id)).filter((parent) => !isClosed(parent.status)),
    decision,
    defaultAssignee: rules.defaultAssignee,
    damaged: await damagedFiles(board, id),
    noDispatcher: missing,
    intervalSeconds: readWrittenRules(base.home).dispatchIntervalSeconds,
  })
}
