// `hermes kanban` for results that are JSON, and for reviews.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { kanbanCli } from '../../support/kanban/cli.ts'

const SCHEMA = '{"type":"object","required":["size"],"properties":{"size":{"type":"integer"}}}'

test('a result that does not fit the schema is refused with the path and what was expected; one that fits is kept', async () => {
  using cli = kanbanCli()
  const file = (name: string, text: string): string => {
    writeFileSync(join(cli.home, name), text)
    return join(cli.home, name)
  }
  const id = await cli.create('Measure', '--result-schema', file('schema.json', SCHEMA))
  expect(await cli.kanban('complete', id, '--result', '42')).toMatchObject({
    code: 1,
    err: expect.stringContaining(`cannot complete ${id} without a result that fits its schema`),
  })
  const wrong = file('wrong.json', '{"size": "42"}')
  expect(await cli.kanban('complete', id, '--result-json', wrong)).toMatchObject({
    code: 1,
    err: expect.stringContaining(`${wrong} does not fit the schema of ${id}: /size must be integer, but is "42"`),
  })
  expect(await cli.kanban('complete', id, '--result-json', file('no.json', 'size'))).toMatchObject({ code: 2 })
  expect((await cli.kanban('complete', id, '--result-json', file('good.json', '{ "size": 42 }'))).code).toBe(0)
  expect(await cli.json('show', id)).toMatchObject({
    status: 'done',
    result: '{"size":42}',
    result_json: { size: 42 },
    result_schema: JSON.parse(SCHEMA),
  })
  const { out } = await cli.kanban('show', id)
  expect(out).toContain(`\nResult\n{"size":42}\n\nSchema of the result\n${SCHEMA}\n`)
})

test('a text and a value can both be the result; a text can be in a file', async () => {
  using cli = kanbanCli()
  const long = join(cli.home, 'long.txt')
  const json = join(cli.home, 'value.json')
  writeFileSync(long, 'x'.repeat(200_000))
  writeFileSync(json, '[1]')
  const id = await cli.create('Measure')
  expect((await cli.kanban('complete', id, '--result-file', long, '--result-json', json)).code).toBe(0)
  expect(await cli.json('show', id)).toMatchObject({ result: 'x'.repeat(200_000), result_json: [1] })
  expect((await cli.kanban('show', id)).out).toContain('\nResult as JSON\n[1]\n')
  const other = await cli.create('Measure')
  expect(await cli.kanban('complete', other, '--result', 'x', '--result-file', long)).toMatchObject({
    code: 2,
    err: expect.stringContaining('--result and --result-file cannot be used together'),
  })
})

test.each([
  ['{"type": "int"}', 'is not a JSON Schema'],
  ['{', 'is not JSON'],
  [JSON.stringify({ description: 'x'.repeat(40_000) }), 'more than 32768'],
])('a schema such as %.20s is refused, and no task is made', async (text, message) => {
  using cli = kanbanCli()
  const schema = join(cli.home, 'schema.json')
  writeFileSync(schema, text)
  expect(await cli.kanban('create', 'x', '--result-schema', schema)).toMatchObject({
    code: 2,
    err: expect.stringContaining(message),
  })
  expect(await cli.json('list')).toEqual([])
  expect(await cli.kanban('create', 'x', '--result-schema', join(cli.home, 'none'))).toMatchObject({
    code: 2,
    err: expect.stringContaining('--result-schema: cannot read'),
  })
})

test('the prompt and the context of the next run are shown, and nothing is written', async () => {
  using cli = kanbanCli()
  const parent = await cli.create('Measure')
  await cli.kanban('complete', parent, '--result', 'It is 42.')
  const id = await cli.create('Report', '--parent', parent)
  await cli.kanban('comment', id, 'Round it.')
  const before = await cli.json('show', id)
  const { code, out } = await cli.kanban('prompt', id)
  expect([code, out]).toEqual([
    0,
    expect.stringMatching(/^Report\n\n# Results [\s\S]*\n\nIt is 42\.\n\n[\s\S]*Round it\.\n$/),
  ])
  const json = await cli.json('prompt', id)
  expect(json).toMatchObject({ version: 1, task: { id }, parents: [{ id: parent }], prompt: out.trimEnd() })
  expect(json).not.toHaveProperty('run_id')
  expect(await cli.json('show', id)).toEqual(before)
  expect((await cli.kanban('prompt', 't_00000000')).code).toBe(1)
})

test('changes are requested with a text, of work in review', async () => {
  using cli = kanbanCli()
  const id = await cli.create('Measure')
  expect(await cli.kanban('request-changes', id)).toMatchObject({
    code: 2,
    err: expect.stringContaining('must not be empty'),
  })
  expect(await cli.kanban('request-changes', id, 'name', 'the unit')).toMatchObject({
    code: 1,
    err: expect.stringContaining(`cannot request-changes ${id}: it is ready`),
  })
})
