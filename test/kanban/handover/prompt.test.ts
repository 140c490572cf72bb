// The prompt of a task, and the JSON beside it.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { contextJson } from '../../../src/kanban/handover/context.ts'
import { byteLength } from '../../../src/kanban/handover/cut.ts'
import type { HandoverFacts } from '../../../src/kanban/handover/facts.ts'
import { promptOf } from '../../../src/kanban/handover/prompt.ts'
import type { Run } from '../../../src/kanban/task.ts'

const at = (second: number): number => Date.UTC(2026, 0, 1, 0, 0, second)
const part = <T>(...entries: readonly T[]) => ({ entries, omitted: 0 })
const limit = (maxBytes: number) => ({ maxBytes, resultBy: 'command' }) as const
const nothing: HandoverFacts = { parents: part(), attempts: part(), comments: part(), requests: part() }
const task = { id: 't_00000001', title: 'Write the report', body: 'In one page.', resultSchema: null }
const crashed: Run = {
  id: 7,
  taskId: task.id,
  profile: 'coder',
  outcome: 'crashed',
  startedAtMs: at(1),
  endedAtMs: at(2),
  host: 'h',
  instance: 'i',
  slot: 's',
  exitCode: 3,
  signal: null,
  summary: 'looked for it\nno disk',
  error: 'exit code 3: no disk',
}
const full: HandoverFacts = {
  parents: part({
    id: 't_0000000a',
    title: 'Measure',
    status: 'done',
    result: 'It is 42.\n',
    resultJson: null,
    completedAtMs: at(0),
  }),
  attempts: part(crashed),
  comments: part({ id: 1, author: 'ada', body: 'The disk is mounted now.', atMs: at(3) }),
  requests: part({ by: 'bob', text: 'Name the unit.', atMs: at(5) }),
}

test('without anything to hand over, the prompt is title and body', () => {
  expect(promptOf(task, nothing, limit(65_536))).toBe('Write the report\n\nIn one page.')
  expect(promptOf({ ...task, body: ' \n' }, nothing, limit(65_536))).toBe('Write the report')
})

test('results, attempts, comments and the reviewer’s request stand in it, by time', () => {
  const all = {
    ...full,
    attempts: part(crashed, {
      ...crashed,
      id: 8,
      outcome: 'completed',
      endedAtMs: at(4),
      error: null,
      summary: '42',
    } as const),
  }
  expect(promptOf(task, all, limit(65_536))).toBe(`Write the report

In one page.

# Results of the tasks before this one

## t_0000000a: Measure

It is 42.

# What happened to this task so far

## 2026-01-01T00:00:02.000Z: run 7 of coder ended as crashed

exit code 3: no disk

looked for it
no disk

## 2026-01-01T00:00:03.000Z: ada commented

The disk is mounted now.

## 2026-01-01T00:00:04.000Z: run 8 of coder ended as completed

42

## 2026-01-01T00:00:05.000Z: bob reviewed the work and requests changes

Name the unit.`)
})

test('a result of 1 MB is cut, and the prompt says so; the latest request stays', () => {
  const long = {
    ...full,
    parents: part({
      id: 't_0000000a',
      title: 'Measure',
      status: 'done',
      result: 'x'.repeat(1_000_000),
      resultJson: null,
      completedAtMs: at(0),
    } as const),
  }
  const prompt = promptOf(task, long, limit(65_536))
  expect(byteLength(prompt)).toBeLessThanOrEqual(65_536)
  expect(byteLength(prompt)).toBeGreaterThan(60_000)
  expect(prompt).toMatch(/xxx\n\[… the first 6\d{4} of 1000000 bytes\]\n/)
  expect(prompt).toContain('Name the unit.')
  expect(prompt).toContain('cut to fit kanban.context_max_bytes: 1 text was shortened.')
})

test('entries that were left out are counted, those that were never read included', () => {
  const comments = Array.from({ length: 50 }, (_, n) => ({
    id: n,
    author: 'ada',
    body: `${n} ${'y'.repeat(900)}`,
    atMs: at(n),
  }))
  const prompt = promptOf(task, { ...nothing, comments: { entries: comments, omitted: 7 } }, limit(4096))
  expect(byteLength(prompt)).toBeLessThanOrEqual(4096)
  expect(prompt).toContain('\n\n49 yyy')
  expect(prompt).not.toContain('\n\n2 yyy')
  const shown = prompt.match(/ada commented/g)?.length ?? 0
  expect(prompt).toContain(`the ${57 - shown} oldest entries were left out`)
})

test('title and body are never cut, and what is handed over keeps a quarter', () => {
  const body = 'b'.repeat(200_000)
  const prompt = promptOf({ ...task, body }, full, limit(8192))
  expect(prompt.startsWith(`Write the report\n\n${body}\n\n`)).toBe(true)
  expect(prompt).toContain('Name the unit.')
})

test('no prompt is longer than its limit, or than title, body and a quarter of it', () => {
  const words = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 100 }),
    fc.integer({ min: 0, max: 9000 }).map((n) => 'ä'.repeat(n)),
  )
  const instant = fc.integer({ min: 0, max: 100 }).map(at)
  const many = <T>(one: fc.Arbitrary<T>) =>
    fc.record({ entries: fc.array(one, { maxLength: 8 }), omitted: fc.constantFrom(0, 0, 3) })
  const facts = fc.record({
    parents: many(
      fc.record({
        id: fc.constant('t_0000000a'),
        title: words.map((text) => text.slice(0, 500)),
        status: fc.constantFrom('done' as const, 'archived' as const),
        result: fc.option(words),
        resultJson: fc.option(words),
        completedAtMs: fc.option(instant),
      }),
    ),
    attempts: many(
      fc
        .record({ summary: fc.option(words), error: fc.option(words), endedAtMs: instant })
        .map((some): Run => ({ ...crashed, ...some })),
    ),
    comments: many(fc.record({ id: fc.constant(1), author: fc.constant('ada'), body: words, atMs: instant })),
    requests: many(fc.record({ by: fc.constant('bob'), text: words, atMs: instant })),
  })
  fc.assert(
    fc.property(facts, words, fc.integer({ min: 4096, max: 70_000 }), (some, body, maxBytes) => {
      const given = { ...task, title: 'T', body }
      const prompt = promptOf(given, some, limit(maxBytes))
      expect(prompt.startsWith(body.trim() === '' ? 'T' : `T\n\n${body.trimEnd()}`)).toBe(true)
      const head = byteLength(promptOf(given, nothing, limit(maxBytes)))
      expect(byteLength(prompt)).toBeLessThanOrEqual(Math.max(maxBytes, head + maxBytes / 4))
    }),
    { numRuns: 60 },
  )
})

test('the context file has everything whole, under names that other tools read', () => {
  const facts = { ...full, comments: { ...full.comments, omitted: 2 }, board: 'default', runId: 9, prompt: 'P' }
  const json = contextJson({ ...facts, task: { ...task, assignee: 'coder', priority: 1 }, files: [] })
  expect(json).toEqual({
    version: 1,
    board: 'default',
    run_id: 9,
    task: { id: task.id, title: task.title, body: task.body, assignee: 'coder', priority: 1 },
    parents: [
      {
        id: 't_0000000a',
        title: 'Measure',
        status: 'done',
        completed_at: '2026-01-01T00:00:00.000Z',
        result: 'It is 42.\n',
      },
    ],
    attempts: [expect.objectContaining({ id: 7, outcome: 'crashed', exit_code: 3, error: 'exit code 3: no disk' })],
    comments: [{ id: 1, author: 'ada', at: '2026-01-01T00:00:03.000Z', body: 'The disk is mounted now.' }],
    change_requests: [{ by: 'bob', at: '2026-01-01T00:00:05.000Z', text: 'Name the unit.' }],
    omitted: { comments: 2 },
    prompt: 'P',
  })
})

test('the schema of a result stands behind the body, with how to give the result; JSON results of parents are handed over', () => {
  const typed = { ...task, resultSchema: '{"type":"integer"}' }
  expect(promptOf(typed, nothing, limit(4096))).toBe(`Write the report

In one page.

# The result

Complete the task with "hermes kanban complete t_00000001 --result-json FILE". FILE has a JSON value that fits this JSON Schema:

{"type":"integer"}`)
  expect(promptOf(typed, nothing, { maxBytes: 4096, resultBy: 'answer' })).toContain(
    'Answer with a JSON value that fits this JSON Schema, and with nothing else:',
  )
  const [parent] = full.parents.entries
  if (parent === undefined) throw new Error('there is a parent')
  const both = { ...full, parents: part({ ...parent, resultJson: '{"size":42}' }) }
  expect(promptOf(typed, both, limit(4096))).toContain('\n\nIt is 42.\n\n{"size":42}\n\n# What')
  const json = contextJson({
    files: [],
    ...both,
    board: 'b',
    runId: 1,
    prompt: '',
    task: { ...typed, assignee: null, priority: 0 },
  })
  expect(json).toMatchObject({ task: { result_schema: { type: 'integer' } }, parents: [{ result_json: { size: 42 } }] })
})
