/** The kanban board. */
import * as z from 'zod/mini'
import { STATUSES } from '../../kanban/task.ts'
import { optional, text, time, whole, wholeText } from './fields.ts'
import { AnyJson } from './settings.ts'

const status = () => z.enum(STATUSES)
/** As in `hermes kanban list --json`. */
export const Task = z.strictObject({
  id: z.string(),
  title: z.string(),
  status: status(),
  assignee: z.nullable(z.string()),
  priority: z.int(),
  body: optional(z.string()),
  created_by: optional(z.string()),
  created_at: optional(time()),
  started_at: optional(time()),
  completed_at: optional(time()),
  scheduled_at: optional(time()),
  workspace_kind: optional(z.string()),
  workspace_path: optional(z.string()),
  claim_lock: optional(z.string()),
  claim_expires_at: optional(time()),
  worker_pid: optional(z.int()),
  heartbeat_at: optional(time()),
  failures: optional(z.int()),
  last_error: optional(z.string()),
  /** In ms. */
  max_runtime: optional(z.number()),
  max_retries: optional(z.int()),
  /** It is started at most once. */
  once: optional(z.boolean()),
  /** Labels that its node must have, such as `gpu` or `region=eu`. */
  needs: optional(z.array(z.string())),
  paused_until: optional(time()),
  result: optional(z.string()),
  result_json: optional(AnyJson),
  result_schema: optional(AnyJson),
  idempotency_key: optional(z.string()),
  current_run: optional(z.int()),
})
export type Task = z.infer<typeof Task>
const Linked = z.strictObject({ id: z.string(), title: z.string(), status: status() })
export const Attachment = z.strictObject({
  name: z.string(),
  size_bytes: whole(),
  sha256: z.string(),
  at: time(),
  by: z.string(),
  /** Of its file. */
  state: z.enum(['there', 'missing', 'changed']),
})
export type Attachment = z.infer<typeof Attachment>
export const TaskDetails = z.extend(Task, {
  /** Absent on a board in a database, which has no files. */
  attachments: optional(z.array(Attachment)),
  /** Of one more; absent likewise. */
  attachment_max_bytes: optional(whole()),
  parents: z.array(Linked),
  children: z.array(Linked),
  comments: z.array(z.strictObject({ id: z.int(), author: z.string(), at: time(), body: z.string() })),
  events: z.array(
    z.strictObject({
      id: z.int(),
      task_id: z.string(),
      kind: z.string(),
      at: time(),
      run_id: optional(z.int()),
      payload: AnyJson,
    }),
  ),
  runs: z.array(
    z.strictObject({
      id: z.int(),
      task_id: z.string(),
      profile: z.string(),
      started_at: time(),
      outcome: optional(z.string()),
      ended_at: optional(time()),
      exit_code: optional(z.int()),
      signal: optional(z.string()),
      summary: optional(z.string()),
      error: optional(z.string()),
      slot: optional(z.string()),
    }),
  ),
  /** Why it is not running, in one line. */
  why: optional(z.string()),
})
export type TaskDetails = z.infer<typeof TaskDetails>
export const Boards = z.strictObject({
  boards: z.array(z.strictObject({ slug: z.string(), current: z.boolean() })),
})
export type Boards = z.infer<typeof Boards>
export const BoardQuery = z.strictObject({ board: optional(text(64)) })
export const TasksQuery = z.strictObject({
  board: optional(text(64)),
  /** One or more, with commas; else all but the archived ones. */
  status: optional(text(200)),
  assignee: optional(text(64)),
  limit: optional(wholeText(1, 1000)),
  /** Part of the title, body or id. */
  search: optional(text(200)),
})
export const Tasks = z.strictObject({ tasks: z.array(Task), counts: z.record(z.string(), whole()) })
export type Tasks = z.infer<typeof Tasks>
export const NewTask = z.strictObject({
  title: text(2000),
  body: optional(text(1_000_000)),
  assignee: optional(z.nullable(text(64))),
  priority: optional(z.int()),
  parents: optional(z.array(text(64)).check(z.maxLength(100))),
  triage: optional(z.boolean()),
  once: optional(z.boolean()),
  needs: optional(z.array(text(130)).check(z.maxLength(50))),
})
export type NewTask = z.infer<typeof NewTask>
export const TaskMove = z.strictObject({ to: status(), reason: optional(text(2000)) })
export const TaskAssignment = z.strictObject({ assignee: z.nullable(text(64)) })
const edited = {
  title: optional(text(2000)),
  body: optional(text(1_000_000)),
  priority: optional(z.int()),
}
/** `was`: as the caller has seen them; the edit is refused if another one has changed them since. */
export const TaskEdit = z.strictObject({ ...edited, was: optional(z.strictObject(edited)) })
export const Deleted = z.strictObject({ task_id: z.string(), deleted: z.literal(true) })
export const NewComment = z.strictObject({ text: text(100_000) })
/** Text for the next run. */
export const ChangeRequest = z.strictObject({ text: text(100_000) })
export const Commented = z.strictObject({ task_id: z.string(), commented: z.boolean() })
export const Attachments = z.strictObject({ attachments: z.array(Attachment) })
export const NewAttachment = z.strictObject({ board: optional(text(64)), name: text(200) })
export const Detached = z.strictObject({ task_id: z.string(), name: z.string(), detached: z.literal(true) })
export const DryRun = z.strictObject({ dry_run: z.literal(true) })
