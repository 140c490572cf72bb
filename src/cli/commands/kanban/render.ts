/** Tasks, events and runs as JSON (unknown facts absent, times RFC 3339 UTC, durations in ms) and as text. */
import type { BoardEvent, Comment, Run, Task } from '../../../kanban/task.ts'
import { table } from '../../slots-view.ts'

const time = (ms: number | null): string | undefined => (ms === null ? undefined : new Date(ms).toISOString())

/** Without the keys whose value is not known. */
const known = <T extends Record<string, unknown>>(facts: T): Partial<T> =>
  Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined && value !== null)) as Partial<T>

export const taskJson = (task: Task): Record<string, unknown> => ({
  id: task.id,
  title: task.title,
  status: task.status,
  assignee: task.assignee,
  priority: task.priority,
  ...known({
    body: task.body === '' ? undefined : task.body,
    created_by: task.createdBy,
    created_at: time(task.createdAtMs),
    started_at: time(task.startedAtMs),
    completed_at: time(task.completedAtMs),
    scheduled_at: time(task.scheduledAtMs),
    workspace_kind: task.workspaceKind,
    workspace_path: task.workspacePath,
    claim_lock: task.claimLock,
    claim_expires_at: time(task.claimExpiresAtMs),
    worker_pid: task.workerPid,
    heartbeat_at: time(task.heartbeatAtMs),
    failures: task.failures,
    last_error: task.lastError,
    max_runtime: task.maxRuntimeMs,
    max_retries: task.maxRetries,
    paused_until: time(task.pausedUntilMs),
    result: task.result,
    idempotency_key: task.idempotencyKey,
    current_run: task.currentRun,
  }),
})

export const eventJson = (event: BoardEvent): Record<string, unknown> => ({
  id: event.id,
  task_id: event.taskId,
  kind: event.kind,
  at: time(event.atMs),
  ...known({ run_id: event.runId }),
  payload: event.payload,
})

export const runJson = (run: Run): Record<string, unknown> => ({
  id: run.id,
  task_id: run.taskId,
  profile: run.profile,
  started_at: time(run.startedAtMs),
  ...known({
    outcome: run.outcome,
    ended_at: time(run.endedAtMs),
    exit_code: run.exitCode,
    signal: run.signal,
    summary: run.summary,
    error: run.error,
    slot: run.slot,
  }),
})

export const commentJson = (comment: Comment): Record<string, unknown> => ({
  id: comment.id,
  author: comment.author,
  at: time(comment.atMs),
  body: comment.body,
})

/** What a terminal might take for more than text is shown as `\u001b`; a line stays a line. */
export const plain = (text: string): string =>
  text.replaceAll(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

const oneLine = (text: string, maxChars: number): string => {
  const line = plain(text.replaceAll(/\s+/g, ' ').trim())
  return line.length > maxChars ? `${line.slice(0, maxChars - 1)}…` : line
}

export const tasksTable = (tasks: readonly Task[]): string =>
  tasks.length === 0
    ? 'no tasks\n'
    : table([
        ['ID', 'STATUS', 'PRIORITY', 'ASSIGNEE', 'TITLE'],
        ...tasks.map((task) => [
          task.id,
          task.status,
          String(task.priority),
          task.assignee ?? '-',
          oneLine(task.title, 80),
        ]),
      ])

export const eventLine = ({ taskId, kind, payload, atMs }: BoardEvent): string => {
  const facts = Object.entries(payload).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? oneLine(value, 200) : JSON.stringify(value)}`,
  )
  return `${time(atMs)} ${taskId} ${plain(kind)}${facts.length === 0 ? '' : ` ${facts.join(' ')}`}\n`
}

export const runLine = (run: Run): string => {
  const how = run.exitCode !== null ? `exit code ${run.exitCode}` : run.signal !== null ? `SIG${run.signal}` : undefined
  const said = run.error ?? run.summary
  return [
    `run ${run.id}: ${run.outcome ?? 'running'} on ${run.profile}, ${time(run.startedAtMs)}${run.endedAtMs === null ? '' : ` to ${time(run.endedAtMs)}`}`,
    how,
    said === null ? undefined : oneLine(said, 200),
  ]
    .filter((part) => part !== undefined)
    .join(', ')
    .concat('\n')
}

export interface TaskDetails {
  readonly task: Task
  readonly parents: readonly { readonly id: string; readonly status: string }[]
  readonly children: readonly { readonly id: string; readonly status: string }[]
  readonly comments: readonly Comment[]
  readonly runs: readonly Run[]
  readonly events: readonly BoardEvent[]
}

export function taskText({ task, parents, children, comments, runs, events }: TaskDetails): string {
  const list = (tasks: TaskDetails['parents']): string | undefined =>
    tasks.length === 0 ? undefined : tasks.map(({ id, status }) => `${id} (${status})`).join(', ')
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['status', task.status],
    ['assignee', task.assignee ?? '-'],
    ['priority', String(task.priority)],
    ['created', `${time(task.createdAtMs)} by ${plain(task.createdBy)}`],
    ['scheduled', time(task.scheduledAtMs)],
    ['started', time(task.startedAtMs)],
    ['completed', time(task.completedAtMs)],
    ['worker', task.workerPid === null ? undefined : `pid ${task.workerPid}`],
    ['workspace', task.workspacePath ?? undefined],
    ['failures', task.failures === 0 ? undefined : String(task.failures)],
    ['last error', task.lastError === null ? undefined : oneLine(task.lastError, 300)],
    ['parents', list(parents)],
    ['children', list(children)],
  ]
  const section = (title: string, lines: readonly string[]): string =>
    lines.length === 0 ? '' : `\n${title}\n${lines.map((line) => `  ${line}`).join('')}`
  return [
    `${task.id}  ${plain(task.title)}\n`,
    ...facts.flatMap(([name, value]) => (value === undefined ? [] : [`  ${name.padEnd(11)}${value}\n`])),
    task.body === '' ? '' : `\n${plain(task.body)}\n`,
    task.result === null ? '' : `\nResult\n${plain(task.result)}\n`,
    section(
      'Comments',
      comments.map(({ author, atMs, body }) => `${time(atMs)} ${plain(author)}: ${plain(body)}\n`),
    ),
    section('Runs', runs.map(runLine)),
    section('Events', events.map(eventLine)),
  ].join('')
}
