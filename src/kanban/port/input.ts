/** Checks the limits of a new task before anything is written. */
import { HermesError } from '../../system/errors.ts'
import { labelList, parseLabels } from '../labels.ts'
import { ANY } from '../task.ts'
import { parseAssignee } from './assignee.ts'

export const MAX_TITLE_CHARS = 500
export const MAX_BODY_BYTES = 1_000_000
export const MAX_SCHEMA_BYTES = 32_768
const MAX_PRIORITY = 1_000_000
const MAX_KEY_CHARS = 200

export interface NewTask {
  readonly title: string
  readonly body?: string
  readonly assignee?: string | null
  readonly priority?: number
  readonly parents?: readonly string[]
  readonly triage?: boolean
  readonly scheduledAtMs?: number
  /** Absolute; absent: a scratch directory. */
  readonly workspacePath?: string
  readonly maxRuntimeMs?: number
  readonly maxRetries?: number
  /** Start it at most once. */
  readonly once?: boolean
  /** JSON Schema that the result must fit, as JSON. */
  readonly resultSchema?: string
  /** Labels that its node must have. Without an assignee, any profile may take it. */
  readonly needs?: readonly string[]
  readonly idempotencyKey?: string
}

export interface CheckedTask {
  readonly title: string
  readonly body: string
  readonly assignee: string | null
  readonly priority: number
  readonly parents: readonly string[]
  readonly triage: boolean
  readonly scheduledAtMs: number | null
  readonly workspacePath: string | null
  readonly maxRuntimeMs: number | null
  readonly maxRetries: number | null
  readonly once: boolean
  readonly resultSchema: string | null
  readonly needs: readonly string[]
  readonly idempotencyKey: string | null
}

/** @throws HermesError USAGE */
export function checkLimits(input: NewTask): CheckedTask {
  if (input.once === true && input.maxRetries !== undefined)
    throw new HermesError('USAGE', 'a task that is started at most once cannot have a number of retries', {
      next: 'use --once or --max-retries',
    })
  const needs = labelList(parseLabels((input.needs ?? []).join(','), 'needs'))
  const assignee = input.assignee == null ? null : parseAssignee(input.assignee)
  return {
    title: checkTitle(input.title),
    body: checkText('body', input.body ?? ''),
    assignee: assignee ?? (needs.length > 0 ? ANY : null),
    priority: checkPriority(input.priority ?? 0),
    parents: input.parents ?? [],
    triage: input.triage ?? false,
    scheduledAtMs: input.scheduledAtMs ?? null,
    workspacePath: input.workspacePath ?? null,
    maxRuntimeMs: input.maxRuntimeMs ?? null,
    maxRetries: input.maxRetries ?? null,
    once: input.once ?? false,
    resultSchema: input.resultSchema === undefined ? null : checkSchemaSize(input.resultSchema),
    needs,
    idempotencyKey: input.idempotencyKey === undefined ? null : checkKey(input.idempotencyKey),
  }
}

/** A title in one line. @throws HermesError USAGE */
export function checkTitle(text: string): string {
  const title = text.replaceAll(/\s+/g, ' ').trim()
  if (title === '')
    throw new HermesError('USAGE', 'a task needs a title', { next: 'hermes kanban create "What to do"' })
  if (title.length > MAX_TITLE_CHARS) {
    throw new HermesError('USAGE', `the title has ${title.length} characters, more than ${MAX_TITLE_CHARS}`, {
      next: 'put the rest into --body',
    })
  }
  return checkText('title', title)
}

/** @throws HermesError USAGE */
export function checkPriority(priority: number): number {
  if (Number.isInteger(priority) && Math.abs(priority) <= MAX_PRIORITY) return priority
  throw new HermesError('USAGE', `priority is a whole number from -${MAX_PRIORITY} to ${MAX_PRIORITY}, not ${priority}`)
}

/** Cut short or left empty, two keys that differ would be one, and the second task the first one. */
function checkKey(key: string): string {
  if (key.trim() !== '' && key.length <= MAX_KEY_CHARS) return key
  throw new HermesError('USAGE', `an idempotency key has 1 to ${MAX_KEY_CHARS} characters, not ${key.length}`)
}

/** It is part of the prompt, which cannot be cut there. */
function checkSchemaSize(schema: string): string {
  const bytes = Buffer.byteLength(schema)
  if (bytes <= MAX_SCHEMA_BYTES) return schema
  throw new HermesError('USAGE', `the schema of the result has ${bytes} bytes, more than ${MAX_SCHEMA_BYTES}`, {
    next: 'leave out what the worker need not know, such as examples',
  })
}

/** A text that a board takes and a worker can be handed. @throws HermesError USAGE */
export function checkText(what: string, text: string): string {
  const bytes = Buffer.byteLength(text)
  if (bytes > MAX_BODY_BYTES) {
    throw new HermesError('USAGE', `the ${what} has ${bytes} bytes, more than ${MAX_BODY_BYTES}`, {
      next: 'put it into a file in the workspace, and mention the file',
    })
  }
  if (text.includes('\0'))
    throw new HermesError('USAGE', `the ${what} contains a NUL byte`, { next: 'use text, not a binary file' })
  return text
}
