/** Commands that correct or remove a task. */
import { taskJson } from '../../../kanban/json.ts'
import type { TaskEdit } from '../../../kanban/port/board.ts'
import { removeTaskFiles } from '../../../kanban/store/gc.ts'
import type { Task } from '../../../kanban/task.ts'
import { HermesError } from '../../../system/errors.ts'
import { oneLine } from '../../../system/text/foreign-text.ts'
import { type Command, type Input, type OptionSpec, textOption } from '../../context/command.ts'
import type { Context } from '../../context/context.ts'
import { confirm } from '../../terminal/confirm.ts'
import type { Outcome } from '../../terminal/output.ts'
import { actorOf, BOARD, ID, onBoard, readFileOption, wholeOption } from './shared.ts'

export const YES: OptionSpec = { long: '--yes', short: '-y', help: 'do it without asking for confirmation' }

export const UPKEEP_COMMANDS: readonly Command[] = [
  {
    path: 'kanban edit',
    summary: 'Edit the title, body or priority of a task that is not done or archived',
    arguments: [ID],
    options: [
      { long: '--title', value: 'TEXT', help: 'new title' },
      { long: '--body', value: 'TEXT', help: 'new instructions; empty text removes them' },
      { long: '--body-file', value: 'FILE', help: 'read the new instructions from FILE; - is standard input' },
      { long: '--priority', value: 'N', help: 'new priority; higher runs first' },
      BOARD,
    ],
    details: 'A worker that is running keeps the text that it was started with. The event keeps what was replaced.',
    run: edit,
  },
  {
    path: 'kanban delete',
    summary: 'Remove a task with its comments, runs, events, logs and attachments; archive only hides it',
    arguments: [ID],
    options: [YES, BOARD],
    details:
      'Refused while the task is running, and while open tasks follow it. On a terminal the command asks first;\n' +
      'elsewhere it needs --yes.',
    run: remove,
  },
]

async function edit(context: Context, input: Input): Promise<Outcome> {
  const [id = ''] = input.args
  const [title, body, file] = ['title', 'body', 'body-file'].map((name) => textOption(input, name))
  const priority = wholeOption(input, 'priority', -1_000_000)
  if (body !== undefined && file !== undefined)
    throw new HermesError('USAGE', '--body and --body-file cannot be used together', { next: 'use one of them' })
  if (title === undefined && body === undefined && file === undefined && priority === undefined)
    throw new HermesError('USAGE', 'edit needs --title, --body, --body-file or --priority', {
      next: `hermes kanban edit ${id || 'ID'} --title TEXT`,
    })
  // Read before the standard input, which may be an editor: what others change while it is open is not lost.
  const before = await onBoard(context, input, 'read', (board) => board.require(id))
  const text = body ?? (await readFileOption(input, 'body-file'))?.text
  const wanted: TaskEdit = {
    ...(title === undefined ? {} : { title }),
    ...(text === undefined ? {} : { body: text }),
    ...(priority === undefined ? {} : { priority }),
  }
  const was = {
    ...(title === undefined ? {} : { title: before.title }),
    ...(text === undefined ? {} : { body: before.body }),
    ...(priority === undefined ? {} : { priority: before.priority }),
  }
  const after = await onBoard(context, input, 'write', (board) =>
    board.edit(id, { ...wanted, was }, actorOf(context, id)),
  )
  const changed = (['title', 'body', 'priority'] as const).filter((field) => after[field] !== before[field])
  return { text: editedText(after, changed), json: { ...taskJson(after), changed } }
}

function editedText({ id, status }: Task, changed: readonly string[]): string {
  if (changed.length === 0) return `${id} is like that already\n`
  const worker = status === 'running' ? '; its worker goes on with what it was given' : ''
  return `${id} edited: ${changed.join(', ')}${worker}\n`
}

async function remove(context: Context, input: Input): Promise<Outcome> {
  const [id = ''] = input.args
  const { task, comments, runs } = await onBoard(context, input, 'read', (board) =>
    board.details(id, { runs: 1000, events: 1 }),
  )
  const counts = [`${comments.length} comments`, `${runs.length} runs`].join(' and ')
  const what = `this deletes ${id} "${oneLine(task.title)}" (${task.status}) with ${counts}`
  if (input.options.yes !== true) await confirm(context.output.err, what, `hermes kanban delete ${id} --yes`)
  await onBoard(context, input, 'write', async (board) => {
    await board.remove(id, { status: task.status, assignee: task.assignee }, actorOf(context, id))
    removeTaskFiles(context.home, board.place, id)
  })
  return { text: `${id} deleted\n`, json: { task_id: id, deleted: true } }
}
