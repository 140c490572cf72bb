/** `hermes kanban edit`, `delete` and `bulk`. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { promptFile, taskLog } from '../../src/kanban/store/places.ts'
import { openDatabase } from '../../src/system/files/sqlite.ts'
import { type KanbanCli, kanbanCli } from '../support/kanban/cli.ts'

const DAY_MS = 86_400_000
const statusOf = async (cli: KanbanCli, id: string) => (await cli.json<{ status: string }>('show', id)).status

/** As if nothing had happened to a task for so long. */
function age(cli: KanbanCli, id: string, days: number): void {
  const database = openDatabase(join(cli.home, 'kanban.db'), {})
  database
    .prepare('UPDATE tasks SET created_at = created_at - $ms, changed_at = changed_at - $ms WHERE id = $id')
    .run({ ms: days * DAY_MS, id })
  database.close()
}

test('edit changes title, body and priority, and says which', async () => {
  using cli = kanbanCli()
  const id = await cli.create('Say helo', '--body', 'to everybody')
  expect((await cli.kanban('edit', id, '--title', 'Say hello', '--priority', '5')).out).toBe(
    `${id} edited: title, priority\n`,
  )
  const file = join(cli.home, 'body.txt')
  writeFileSync(file, 'in three languages\n')
  expect((await cli.kanban('edit', id, '--body-file', file)).out).toBe(`${id} edited: body\n`)
  expect(await cli.json('edit', id, '--body-file', file)).toMatchObject({ id, priority: 5, changed: [] })
  expect((await cli.kanban('edit', id, '--body-file', file)).out).toBe(`${id} is like that already\n`)
  expect(await cli.json('show', id)).toMatchObject({ title: 'Say hello', body: 'in three languages\n', priority: 5 })
  expect((await cli.kanban('show', id)).out).toContain('edited by=tester changed=["body"] was={"body":"to everybody"}')
  expect((await cli.kanban('edit', id, '--body', '')).code).toBe(0)
  expect((await cli.json('show', id)).body).toBeUndefined()
})

test('edit says what it needs, and refuses what it cannot change', async () => {
  using cli = kanbanCli()
  const id = await cli.create('x')
  for (const [args, message] of [
    [[id], 'edit needs --title, --body, --body-file or --priority'],
    [[id, '--body', 'x', '--body-file', 'y'], '--body and --body-file cannot be used together'],
    [[id, '--title', ' '], 'a task needs a title'],
  ] as const) {
    const said = await cli.kanban('edit', ...args)
    expect(said).toMatchObject({ code: 2, out: '' })
    expect(said.err).toContain(message)
  }
  await cli.kanban('complete', id)
  expect(await cli.kanban('edit', id, '--title', 'y')).toMatchObject({
    code: 1,
    err: `hermes: cannot edit ${id}: it is done\n  next: create a task that follows it: hermes kanban create TITLE --parent ${id}\n`,
  })
})

test('delete removes a task with its files, and needs --yes where it cannot ask', async () => {
  using cli = kanbanCli()
  const id = await cli.create('a "mistake"')
  const files = [taskLog(cli.home, id), `${taskLog(cli.home, id)}.1`, promptFile(cli.home, id)]
  for (const file of files) {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, 'x')
  }
  const asked = await cli.kanban('delete', id)
  expect(asked).toMatchObject({ code: 2, out: '' })
  expect(asked.err).toContain(`this deletes ${id} "a "mistake"" (ready) with 0 comments and 0 runs`)
  expect(asked.err).toContain(`next: hermes kanban delete ${id} --yes`)
  expect(await statusOf(cli, id)).toBe('ready')
  expect(await cli.kanban('delete', id, '--yes')).toMatchObject({ code: 0, out: `${id} deleted\n` })
  expect(files.map((file) => existsSync(file))).toEqual([false, false, false])
  expect((await cli.kanban('show', id)).code).toBe(1)
  expect((await cli.kanban('delete', id, '--yes')).err).toContain(`no task "${id}" on board "default"`)
})

test('bulk changes what its filter finds, and nothing else', async () => {
  using cli = kanbanCli(['coder', 'writer'])
  const [old, young, other, open] = [
    await cli.create('old', '--assignee', 'coder'),
    await cli.create('young', '--assignee', 'coder'),
    await cli.create('other', '--assignee', 'writer'),
    await cli.create('open', '--assignee', 'coder'),
  ]
  for (const id of [old, young, other]) await cli.kanban('block', id)
  for (const id of [old, other, open]) age(cli, id, 40)
  const filter = ['--status', 'blocked', '--assignee', 'coder', '--older', '30d']
  const dry = await cli.kanban('bulk', 'archive', ...filter, '--dry-run')
  expect(dry).toMatchObject({ code: 0, err: '' })
  expect(dry.out).toMatch(/^1 task would be archived\nID +STATUS/)
  expect(dry.out).toContain(old)
  expect(await statusOf(cli, old)).toBe('blocked')
  const asked = await cli.kanban('bulk', 'archive', ...filter)
  expect(asked).toMatchObject({ code: 2, out: '' })
  expect(asked.err).toContain('this changes 1 task, to be archived; there is no terminal to ask for confirmation')
  expect(await cli.kanban('bulk', 'archive', ...filter, '--yes')).toMatchObject({ code: 0, out: '1 task archived\n' })
  expect(await Promise.all([old, young, other, open].map((id) => statusOf(cli, id)))).toEqual([
    'archived',
    'blocked',
    'blocked',
    'ready',
  ])
  expect(await cli.json('bulk', 'unblock', '--assignee', 'coder', '--yes')).toMatchObject({
    action: 'unblock',
    dry_run: false,
    matched: [{ id: young }],
    changed: [young],
    skipped: [],
  })
  expect(await cli.kanban('bulk', 'unblock', '--assignee', 'coder', '--yes')).toMatchObject({
    code: 0,
    out: 'no tasks match\n',
  })
})

test('bulk assigns and deletes, the newest first, and names what it leaves', async () => {
  using cli = kanbanCli(['coder', 'writer'])
  const parent = await cli.create('the parent')
  const child = await cli.create('the child', '--parent', parent)
  const mine = await cli.create('mine', '--assignee', 'coder')
  expect(await cli.kanban('bulk', 'assign', 'writer', '--unassigned', '--yes')).toMatchObject({
    code: 0,
    out: '2 tasks assigned to writer\n',
  })
  expect(await cli.kanban('bulk', 'assign', 'writer', '--assignee', 'writer', '--yes')).toMatchObject({
    out: 'no tasks match\n',
  })
  expect(await cli.json('show', mine)).toMatchObject({ assignee: 'coder' })
  const left = await cli.kanban('bulk', 'delete', '--search', 'THE PARENT', '--yes')
  expect(left).toMatchObject({
    code: 1,
    out: `0 tasks deleted\n1 task left as it is:\n  cannot delete ${parent}: ${child} (todo) follows it\n`,
  })
  expect(await cli.kanban('bulk', 'delete', '--assignee', 'writer', '--yes')).toMatchObject({
    code: 0,
    out: '2 tasks deleted\n',
  })
  expect((await cli.json<{ id: string }[]>('list')).map(({ id }) => id)).toEqual([mine])
})

test('bulk needs a filter, and an assignee for assign only', async () => {
  using cli = kanbanCli()
  const id = await cli.create('x')
  for (const [args, message] of [
    [['delete', '--yes'], 'bulk delete needs a filter'],
    [['assign', '--unassigned', '--yes'], 'bulk assign needs the new assignee'],
    [['archive', 'coder', '--unassigned', '--yes'], 'bulk archive takes no PROFILE'],
    [['archive', '--unassigned', '--assignee', 'coder', '--yes'], 'cannot be used together'],
    [['archive', '--status', 'nosuch', '--yes'], 'unknown status "nosuch"'],
    [['archive', '--older', 'soon', '--yes'], '--older must be a duration'],
  ] as const) {
    const said = await cli.kanban('bulk', ...args)
    expect(said).toMatchObject({ code: 2, out: '' })
    expect(said.err).toContain(message)
  }
  expect(await cli.kanban('bulk', 'assign', 'nosuch', '--unassigned', '--yes')).toMatchObject({ code: 3 })
  expect(await statusOf(cli, id)).toBe('ready')
})
