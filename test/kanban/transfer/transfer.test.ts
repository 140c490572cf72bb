import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openBoard } from '../../../src/kanban/store/board.ts'
import { boardPlace } from '../../../src/kanban/store/places.ts'
import { exportBoard } from '../../../src/kanban/transfer/export.ts'
import { testBoard } from '../../support/kanban/board.ts'
import { type KanbanCli, kanbanCli } from '../../support/kanban/cli.ts'

async function cliWithTasks(): Promise<KanbanCli> {
  const cli = kanbanCli()
  const parent = await cli.create('parent', '--assignee', 'coder', '--body', 'line 1\nline 2 \u{1F600} \u009b')
  await cli.create('child', '--parent', parent, '--key', 'once')
  await cli.kanban('comment', parent, 'a', 'word')
  return cli
}

test('export writes the board to a file that only its owner can read, and import makes the same board of it', async () => {
  using cli = await cliWithTasks()
  const file = join(cli.home, 'board.jsonl')
  expect(await cli.kanban('export', file)).toEqual({
    code: 0,
    out: `board "default" exported to ${file}: 8 rows\n`,
    err: '',
  })
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(await cli.kanban('import', file, '--board', 'copy')).toEqual({
    code: 0,
    out: `board "copy" filled from ${file}: 2 tasks, 1 links, 0 runs, 1 comments, 4 events\n`,
    err: '',
  })
  const text = readFileSync(file, 'utf8')
  expect(text).not.toContain('\u009b')
  const [first, ...rest] = text.split('\n')
  expect(JSON.parse(first ?? '')).toEqual({ format: 'hermes-kanban', version: 1, board: 'default' })
  const copy = (await cli.kanban('export', '-', '--board', 'copy')).out.split('\n')
  expect(copy.slice(1, -2)).toEqual(rest.slice(0, -2))
})

test('export without a file prints the board, and nothing else', async () => {
  using cli = await cliWithTasks()
  const { code, out, err } = await cli.kanban('export')
  expect([code, err]).toEqual([0, ''])
  const words = out
    .trim()
    .split('\n')
    .map((line) => Object.keys(JSON.parse(line) as object)[0])
  expect(words).toEqual([
    'format',
    'task',
    'task',
    'link',
    'comment',
    'event',
    'event',
    'event',
    'event',
    'last',
    'end',
  ])
})

test('import without --board fills the board that was exported, on another machine', async () => {
  using from = await cliWithTasks()
  using to = kanbanCli()
  const file = join(from.home, 'board.jsonl')
  await from.kanban('export', file)
  expect(await to.json('import', file)).toEqual({
    board: 'default',
    tasks: 2,
    links: 1,
    runs: 0,
    comments: 1,
    events: 4,
  })
  expect((await to.kanban('export')).out).toBe(readFileSync(file, 'utf8'))
})

test('attachments are left out, which export and import say', async () => {
  using from = await cliWithTasks()
  using to = kanbanCli()
  const id = await from.create('with files')
  const file = join(from.home, 'board.jsonl')
  await from.json('attach', id, join(from.home, 'profiles', 'coder', 'config.yaml'))
  await from.json('attach', id, join(from.home, 'profiles', 'coder', 'config.yaml'), '--name', 'another')
  const left = `left out: 2 attachments in ${join(from.home, 'kanban', 'attachments')}`
  expect(await from.kanban('export', file)).toMatchObject({ code: 0, err: `hermes: ${left}\n` })
  expect(await from.json('export', file)).toMatchObject({ attachments_left_out: 2 })
  expect(await to.kanban('import', file)).toMatchObject({
    code: 0,
    err: `hermes: ${file} does not have 2 attachments; copy them from where it was exported, and attach them again\n`,
  })
  expect(await to.json('attachments', id)).toEqual([])
  expect((await to.kanban('export', file)).err).toBe('')
})

test('an import is refused by one line: into a board with tasks, of another file, of no file', async () => {
  using cli = await cliWithTasks()
  const file = join(cli.home, 'board.jsonl')
  await cli.kanban('export', file)
  const before = (await cli.kanban('export')).out
  expect(await cli.kanban('import', file)).toEqual({
    code: 1,
    out: '',
    err: 'hermes: the board "default" is not empty, and an import does not merge; nothing was changed\n  next: import into a new board: --board SLUG\n',
  })
  expect((await cli.kanban('export')).out).toBe(before)
  for (const [content, message] of [
    ['', /is empty$/m],
    ['{"a":1}\n', /line 1: it contains "a"/],
    ['\x1f\x8b\x08\n', /line 1: it is not JSON/],
    ['{"format":"hermes-kanban","version":2,"board":"x"}\n', /has version 2; this version reads 1/],
    ['{"format":"hermes-kanban","version":1,"board":"../x"}\n', /not a valid board name/],
  ] as const) {
    writeFileSync(file, content)
    const { code, err } = await cli.kanban('import', file, ...(content.includes('../x') ? [] : ['--board', 'other']))
    expect([code, err.trim().split('\n').length]).toEqual([1, 2])
    expect(err).toMatch(message)
  }
  expect((await cli.kanban('import', join(cli.home, 'missing'))).err).toMatch(/missing.*no such file/)
  expect((await cli.kanban('export', '--board', 'other')).err).toContain('no board "other"')
})

test('an export that fails leaves the file of the last one, and does not replace a device', async () => {
  using cli = await cliWithTasks()
  const dir = join(cli.home, 'backups')
  mkdirSync(dir)
  const file = join(dir, 'board.jsonl')
  writeFileSync(file, 'the last one')
  expect((await cli.kanban('export', file, '--board', 'other')).code).toBe(1)
  expect(readFileSync(file, 'utf8')).toBe('the last one')
  expect(await cli.kanban('export', '/dev/null')).toMatchObject({ code: 2 })
  expect(await cli.kanban('export', dir)).toMatchObject({ code: 2 })
})

test('a payload that is not JSON, and a NUL, are exported', async () => {
  using board = testBoard()
  const { id } = board.create({})
  board.sql('UPDATE tasks SET body = ? WHERE id = ?', 'before\0after', id)
  board.sql("UPDATE events SET payload = 'not JSON' WHERE task_id = ?", id)
  const opened = await openBoard(boardPlace(board.home, 'default'), { mode: 'read', warn: () => undefined })
  let text = ''
  await opened.snapshot(async (snapshot) => {
    for await (const piece of exportBoard(snapshot, 'default')) text += piece.text
  })
  await opened.close()
  expect(text).toContain('"body":"before\\u0000after"')
  expect(text).toContain('"payload":{"text":"not JSON"}')
})

test('a board of a hundred thousand tasks is exported a few megabytes at a time', { timeout: 60_000 }, async () => {
  using board = testBoard()
  board.sql(`INSERT INTO tasks (id, title, created_at, changed_at)
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
    SELECT printf('t_%08x', i), 'task ' || i, i, i FROM n`)
  board.sql("UPDATE tasks SET body = printf('%.*c', 1000000, 'x') WHERE seq <= 40")
  let [rows, longest] = [0, 0]
  await board.board.snapshot(async (snapshot) => {
    for await (const piece of exportBoard(snapshot, 'default')) {
      rows += piece.rows
      longest = Math.max(longest, piece.text.length)
    }
  })
  expect(rows).toBe(100_000)
  expect(longest).toBeLessThan(6_000_000)
})
