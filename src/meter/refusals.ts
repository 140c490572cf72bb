/** Answers of the meter itself, in the shape of OpenAI's errors. Pure. */
import type { Budget } from '../profile/config/kinds/kinds.ts'
import { periodEndMs, type Reached } from './budget.ts'

export interface Refusal {
  readonly status: number
  /** `error.type` and `error.code`, for programs. */
  readonly type: string
  readonly code: string
  /** One line: what, where, what next. */
  readonly message: string
  readonly retryAfterS?: number
}

export const refusalBody = ({ message, type, code }: Refusal): string =>
  `${JSON.stringify({ error: { message, type, param: null, code } })}\n`

/**
 * The last event of a stream that cannot go on, as the clients of an API throw it.
 * @param path below `/v1/`
 */
export function errorEvent({ message, type, code }: Refusal, path: string): string {
  const error = { message, type, param: null, code }
  return path.startsWith('responses')
    ? `event: error\ndata: ${JSON.stringify({ type: 'error', code, message, param: null, error })}\n\n`
    : `data: ${JSON.stringify({ error })}\n\n`
}

/** Past the limit of the period: 429 until the next one begins. @param wallMs Unix ms */
export function budgetSpent(profile: string, budget: Budget, { amount }: Reached, wallMs: number): Refusal {
  const endMs = periodEndMs(budget, wallMs)
  return {
    status: 429,
    type: 'insufficient_quota',
    code: 'budget_spent',
    message:
      `the budget of profile "${profile}" is spent: ${amount} this ${budget.per}; requests are forwarded again from ` +
      `${new Date(endMs).toISOString()}, or after: hermes -p ${profile} config set budget '{…}'`,
    retryAfterS: Math.max(1, Math.ceil((endMs - wallMs) / 1000)),
  }
}

/** Past the limit of a task. Not 429: waiting does not help, so the task is not to be tried again by itself. */
export const taskBudgetSpent = (profile: string, task: string, { amount }: Reached): Refusal => ({
  status: 403,
  type: 'insufficient_quota',
  code: 'task_budget_spent',
  message:
    `task ${task} has spent ${amount} (budget.task_usd of profile "${profile}"); ` +
    `raise it in its config.yaml, then: hermes kanban unblock ${task}`,
})

/** The endpoint has ended the connection before the end of its answer. @param origin of the endpoint */
export const brokeOff = (origin: string): Refusal =>
  refused(502, 'upstream_broken', `${origin} ended the connection in the middle of the answer`)

export const refused = (status: number, code: string, message: string): Refusal => ({
  status,
  type: status >= 500 ? 'server_error' : 'invalid_request_error',
  code,
  message,
})
