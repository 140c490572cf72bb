// The hand-over of a tick to a worker: prompt, file and variable.
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { change } from '../../../src/kanban/sqlite/changes.ts'
import { comment } from '../../../src/kanban/sqlite/links.ts'
import { HermesError } from '../../../src/system/errors.ts'
import { type TestBoard, testBoard } from '../../support/kanban/board.ts'

const contexts = (board: TestBoard): readonly string[] => {
  const directory = join(board.home, 'kanban', 'contexts')
  return existsSync(directory) ? readdirSync(directory) : []
}
const promptOf = (board: TestBoard): string => readFileSync(board.jobs.started.at(-1)?.stdinFile ?? '', 'utf8')
const contextOf = (board: TestBoard) => {
  const file = board.jobs.started.at(-1)?.env.HERMES_KANBAN_CONTEXT ?? ''
  return { file, json: JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown> }
}

test('a worker gets the results of the parents and the comments; its file is the runtime user’s, and goes with the run', async () => {
  using board = testBoard()
  const parent = board.create({ title: 'Measure', assignee: 'alpha' })
  await board.dispatch()
  change(board.tables, 'complete', parent.id, { result: 'It is 42.' }, board.actor())
  const { id } = board.create({ title: 'Report', body: 'In one page.', assignee: 'beta', parents: [parent.id] })
  comment(board.tables, id, 'Round it.', board.actor())
  await board.dispatch()
  expect(promptOf(board)).toMatch(
    /^Report\n\nIn one page\.\n\n# Results .*\n\n## t_\w{8}: Measure\n\nIt is 42\.\n\n# What happened .*\n\n## .* commented\n\nRound it\.$/,
  )
  const { file, json } = contextOf(board)
  expect(file).toBe(join(board.home, 'kanban', 'contexts', `${board.jobs.slotOf(id)}.json`))
  expect(statSync(file)).toMatchObject({ mode: 0o100600, uid: process.getuid?.() })
  expect(json).toMatchObject({
    task: { id },
    parents: [{ id: parent.id, result: 'It is 42.' }],
    prompt: promptOf(board),
  })
  expect(contexts(board)).toHaveLength(2)
  board.jobs.end(id, { exitCode: 0 })
  board.jobs.end(parent.id, { exitCode: 0 })
  await board.dispatch()
  expect(contexts(board)).toEqual([])
})

test('why an attempt failed and what the reviewer wants reach the next attempt', async () => {
  using board = testBoard()
  board.configure({ require_review: true })
  const { id } = board.create({ title: 'Report', assignee: 'beta' })
  await board.dispatch()
  expect(promptOf(board)).toBe('Report')
  board.jobs.end(id, { exitCode: 3 })
  await board.dispatch()
  expect(promptOf(board)).toContain('run 1 of beta ended as crashed\n\nexit code 3')
  board.jobs.end(id, { exitCode: 0 })
  await board.dispatch()
  expect(board.task(id).status).toBe('review')
  change(board.tables, 'request-changes', id, { reason: 'Name the unit.' }, board.actor())
  await board.dispatch()
  expect(promptOf(board)).toMatch(
    /run 2 of beta ended as completed\n\n## .* reviewed the work and requests changes\n\nName the unit\.$/,
  )
  expect(contextOf(board).json).toMatchObject({ run_id: 3, change_requests: [{ text: 'Name the unit.' }] })
})

test('kanban.context_max_bytes bounds the prompt; the file beside it is whole', async () => {
  using board = testBoard()
  board.configure({ context_max_bytes: 5000 })
  const parent = board.create({ title: 'Measure' })
  change(board.tables, 'complete', parent.id, { result: 'x'.repeat(1_000_000) }, board.actor())
  board.create({ title: 'Report', assignee: 'beta', parents: [parent.id] })
  await board.dispatch()
  expect(Buffer.byteLength(promptOf(board))).toBeLessThanOrEqual(5000)
  expect(promptOf(board)).toContain('of 1000000 bytes]')
  expect(contextOf(board).json).toMatchObject({ parents: [{ result: 'x'.repeat(1_000_000) }] })
})

test('a prompt above 96 KiB is on stdin and in a file, which the argument names', async () => {
  using board = testBoard()
  const argv = ['agent', '{prompt}', '{context}']
  writeFileSync(join(board.home, 'profiles', 'alpha', 'config.yaml'), JSON.stringify({ agent: { command: argv } }))
  const { id } = board.create({ title: 'Long', assignee: 'alpha', body: 'x'.repeat(100_000) })
  await board.dispatch()
  const [spec] = board.jobs.started
  const file = join(board.home, 'kanban', 'prompts', `${id}.txt`)
  expect(spec).toMatchObject({
    stdinFile: file,
    command: ['agent', expect.stringContaining(file), contextOf(board).file],
  })
  expect(readFileSync(file, 'utf8')).toBe(`Long\n\n${'x'.repeat(100_000)}`)
})

test('no file stays of a run that could not be started, nor of one whose dispatcher was killed', async () => {
  using board = testBoard()
  const { id } = board.create({ assignee: 'alpha' })
  board.jobs.refuse = new HermesError('BAD_REQUEST', 'no such program')
  await board.dispatch()
  expect(board.task(id).failures).toBe(1)
  expect(contexts(board)).toEqual([])
  board.jobs.refuse = null
  await board.dispatch()
  const [file = ''] = contexts(board)
  board.jobs.end(id, { exitCode: 0 })
  await board.dispatch()
  // As if it had been killed after the board, and before the file.
  writeFileSync(join(board.home, 'kanban', 'contexts', file), '{}')
  await board.dispatch()
  expect(contexts(board)).toEqual([])
})

test('a dry run hands nothing over', async () => {
  using board = testBoard()
  board.create({ assignee: 'alpha' })
  await board.plan()
  expect(existsSync(join(board.home, 'kanban'))).toBe(false)
})
