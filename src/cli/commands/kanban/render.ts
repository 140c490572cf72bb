/** Tasks, events and runs as text. */
import { time } from '../../../kanban/json.ts'
import type { ListedAttachment } from '../../../kanban/store/attachments.ts'
import type { BoardEvent, Comment, Run, Task } from '../../../kanban/task.ts'
import { oneLine, plainText } from '../../../system/text/foreign-text.ts'
import { table } from '../../view/slots-view.ts'

const brief = (text: string, maxChars: number): string => {
  const line = oneLine(text.replaceAll(/\s+/g, ' ').trim())
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
          brief(task.assignee ?? '-', 64),
          brief(task.title, 80),
        ]),
      ])

export const eventLine = ({ taskId, kind, payload, atMs }: BoardEvent): string => {
  const facts = Object.entries(payload).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? brief(value, 200) : JSON.stringify(value)}`,
  )
  return `${time(atMs)} ${taskId} ${oneLine(kind)}${facts.length === 0 ? '' : ` ${facts.join(' ')}`}\n`
}

export const runLine = (run: Run): string => {
  const how = run.exitCode !== null ? `exit code ${run.exitCode}` : run.signal !== null ? `SIG${run.signal}` : undefined
  const note = run.error ?? run.summary
  return [
    `run ${run.id}: ${run.outcome ?? 'running'} on ${run.profile}, ${time(run.startedAtMs)}${run.endedAtMs === null ? '' : ` to ${time(run.endedAtMs)}`}`,
    how,
    note === null ? undefined : brief(note, 200),
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
    ['assignee', brief(task.assignee ?? '-', 64)],
    ['priority', String(task.priority)],
    ['created', `${time(task.createdAtMs)} by ${plainText(task.createdBy)}`],
    ['scheduled', time(task.scheduledAtMs)],
    ['started', time(task.startedAtMs)],
    ['completed', time(task.completedAtMs)],
    ['worker', task.workerPid === null ? undefined : `pid ${task.workerPid}`],
    ['workspace', task.workspacePath ?? undefined],
    ['needs', task.needs.length === 0 ? undefined : brief(task.needs.join(', '), 300)],
    ['once', task.once ? 'it is started at most once' : undefined],
    ['failures', task.failures === 0 ? undefined : String(task.failures)],
    ['last error', task.lastError === null ? undefined : brief(task.lastError, 300)],
    ['parents', list(parents)],
    ['children', list(children)],
  ]
  const section = (title: string, lines: readonly string[]): string =>
    lines.length === 0 ? '' : `\n${title}\n${lines.map((line) => `  ${line}`).join('')}`
  return [
    `${task.id}  ${plainText(task.title)}\n`,
    ...facts.flatMap(([name, value]) => (value === undefined ? [] : [`  ${name.padEnd(11)}${value}\n`])),
    task.body === '' ? '' : `\n${plainText(task.body)}\n`,
    task.result === null ? '' : `\nResult\n${plainText(task.result)}\n`,
    task.resultJson === null || task.resultJson === task.result
      ? ''
      : `\nResult as JSON\n${plainText(task.resultJson)}\n`,
    task.resultSchema === null ? '' : `\nSchema of the result\n${plainText(task.resultSchema)}\n`,
    section(
      'Comments',
      comments.map(({ author, atMs, body }) => `${time(atMs)} ${plainText(author)}: ${plainText(body)}\n`),
    ),
    section('Runs', runs.map(runLine)),
    section('Events', events.map(eventLine)),
  ].join('')
}

export const attachmentJson = (one: ListedAttachment): Record<string, unknown> => ({
  name: one.name,
  size_bytes: one.sizeBytes,
  sha256: one.sha256,
  at: time(one.atMs),
  by: one.by,
  path: one.path,
  state: one.state,
})

const noteOf = ({ state }: ListedAttachment): string => (state === 'there' ? '' : `the file is ${state}`)

export const attachmentsTable = (found: readonly ListedAttachment[]): string =>
  found.length === 0
    ? 'no attachments\n'
    : table([
        ['NAME', 'BYTES', 'ATTACHED', 'BY', ''],
        ...found.map((one) => [
          oneLine(one.name),
          String(one.sizeBytes),
          time(one.atMs) ?? '-',
          oneLine(one.by),
          noteOf(one),
        ]),
      ])

/** For `show`. */
export const attachmentsSection = (found: readonly ListedAttachment[]): string =>
  found.length === 0
    ? ''
    : `\nAttachments\n${found
        .map((one) => {
          const note = noteOf(one)
          return `  ${oneLine(one.path)} (${one.sizeBytes} bytes)${note === '' ? '' : `, ${note}`}\n`
        })
        .join('')}`
