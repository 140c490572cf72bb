/** The hand-over as the JSON of the file in HERMES_KANBAN_CONTEXT. */
import { commentJson, runJson, time } from '../json.ts'
import type { Task } from '../task.ts'
import type { ChangeRequest, HandoverFacts, ParentResult, Part } from './facts.ts'

export interface ContextFacts extends HandoverFacts {
  readonly board: string
  readonly runId: number
  readonly task: Pick<Task, 'id' | 'title' | 'body' | 'assignee' | 'priority'>
  /** As the worker gets it. */
  readonly prompt: string
}

/** Grows when a reader of an older version would misread it. */
const VERSION = 1

export function contextJson(facts: ContextFacts): Readonly<Record<string, unknown>> {
  const { board, runId, task, prompt, parents, attempts, comments, requests } = facts
  const omitted = Object.entries({ parents, attempts, comments, change_requests: requests })
    .map(([name, part]: [string, Part<unknown>]) => [name, part.omitted] as const)
    .filter(([, count]) => count > 0)
  return {
    version: VERSION,
    board,
    run_id: runId,
    task: { id: task.id, title: task.title, body: task.body, assignee: task.assignee, priority: task.priority },
    parents: parents.entries.map(parentJson),
    attempts: attempts.entries.map(runJson),
    comments: comments.entries.map(commentJson),
    change_requests: requests.entries.map(requestJson),
    ...(omitted.length > 0 && { omitted: Object.fromEntries(omitted) }),
    prompt,
  }
}

const parentJson = ({ id, title, status, result, completedAtMs }: ParentResult): Record<string, unknown> => ({
  id,
  title,
  status,
  ...(completedAtMs !== null && { completed_at: time(completedAtMs) }),
  ...(result !== null && { result }),
})

const requestJson = ({ by, text, atMs }: ChangeRequest): Record<string, unknown> => ({ by, at: time(atMs), text })
