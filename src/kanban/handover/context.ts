/** The hand-over as the JSON of the file in HERMES_KANBAN_CONTEXT. */

import type { HandedFile } from '../attachments/attachment.ts'
import { commentJson, parsed, runJson, time } from '../json.ts'
import type { Task } from '../task.ts'
import type { ChangeRequest, HandoverFacts, ParentResult, Part } from './facts.ts'

export interface ContextFacts extends HandoverFacts {
  readonly board: string
  /** null: of a run that has not begun. */
  readonly runId: number | null
  readonly task: Pick<Task, 'id' | 'title' | 'body' | 'assignee' | 'priority' | 'resultSchema'>
  /** Attachments of the task. */
  readonly files: readonly HandedFile[]
  /** As the worker gets it. */
  readonly prompt: string
}

/** Grows when a reader of an older version would misread it. */
const VERSION = 1

export function contextJson(facts: ContextFacts): Readonly<Record<string, unknown>> {
  const { board, runId, task, prompt, parents, attempts, comments, requests, files } = facts
  const omitted = Object.entries({ parents, attempts, comments, change_requests: requests })
    .map(([name, part]: [string, Part<unknown>]) => [name, part.omitted] as const)
    .filter(([, count]) => count > 0)
  return {
    version: VERSION,
    board,
    ...(runId !== null && { run_id: runId }),
    task: taskJson(task),
    parents: parents.entries.map(parentJson),
    attempts: attempts.entries.map(runJson),
    comments: comments.entries.map(commentJson),
    change_requests: requests.entries.map(requestJson),
    ...(files.length > 0 && { attachments: files.map(fileJson) }),
    ...(omitted.length > 0 && { omitted: Object.fromEntries(omitted) }),
    prompt,
  }
}

const taskJson = ({ id, title, body, assignee, priority, resultSchema }: ContextFacts['task']) => ({
  id,
  title,
  body,
  assignee,
  priority,
  ...(resultSchema !== null && { result_schema: parsed(resultSchema) }),
})

const fileJson = ({ name, sizeBytes, path }: HandedFile) => ({ name, size_bytes: sizeBytes, path })

const parentJson = ({
  id,
  title,
  status,
  result,
  resultJson,
  completedAtMs,
}: ParentResult): Record<string, unknown> => ({
  id,
  title,
  status,
  ...(completedAtMs !== null && { completed_at: time(completedAtMs) }),
  ...(result !== null && { result }),
  ...(resultJson !== null && { result_json: parsed(resultJson) }),
})

const requestJson = ({ by, text, atMs }: ChangeRequest): Record<string, unknown> => ({ by, at: time(atMs), text })
