// Results that must fit a JSON Schema.
import { expect, test } from 'vitest'
import { misfit, parseResult, parseSchema } from '../../../src/kanban/handover/result-schema.ts'

const schema = {
  type: 'object',
  required: ['size', 'unit'],
  additionalProperties: false,
  properties: {
    size: { type: 'integer', minimum: 1 },
    unit: { enum: ['GB', 'TB'] },
    parts: { type: 'array', items: { $ref: '#/$defs/part' }, maxItems: 2 },
    kind: { anyOf: [{ type: 'string' }, { type: 'null' }] },
  },
  $defs: {
    part: { type: 'object', required: ['name'], properties: { name: { type: 'string', pattern: '^[a-z]+$' } } },
  },
}
const good = { size: 42, unit: 'GB' }

test.each([
  [good, undefined],
  [{ ...good, parts: [{ name: 'a' }], kind: null }, undefined],
  [{ unit: 'GB' }, `the result must have required property 'size', but is {"unit":"GB"}`],
  [{ ...good, size: '42' }, '/size must be integer, but is "42"'],
  [{ ...good, size: 0 }, '/size must be >= 1, but is 0'],
  [{ ...good, unit: 'MB' }, '/unit must be equal to one of the allowed values: ["GB","TB"], but is "MB"'],
  [{ ...good, parts: [{ name: 'a' }, { name: 'B2' }] }, '/parts/1/name must match pattern "^[a-z]+$", but is "B2"'],
  [
    { ...good, extra: 1 },
    'the result must NOT have additional properties ("extra"), but is {"size":42,"unit":"GB","extra":1}',
  ],
  [[], 'the result must be object, but is []'],
])('%j: %s', (value, wrong) => {
  expect(misfit(schema, value)).toBe(wrong)
})

test('a long value is shown in part only', () => {
  expect(misfit({ type: 'number' }, 'x'.repeat(10_000))?.length).toBeLessThan(200)
})

test.each([
  ['{"type": "int"}', /^s\.json is not a JSON Schema: schema is invalid: data\/type must be/],
  ['{"$ref": "#/$defs/none"}', /^s\.json is not a JSON Schema: can't resolve reference/],
  ['{"pattern": "("}', /^s\.json is not a JSON Schema: /],
  ['[1]', /^s\.json is not a JSON Schema: it is not an object/],
  ['{', /^s\.json is not JSON: /],
])('%s is refused as a schema', (text, message) => {
  expect(() => parseSchema(text, 's.json')).toThrow(
    expect.objectContaining({ code: 'USAGE', message: expect.stringMatching(message) }),
  )
})

test('schemas of drafts 7 and 2020-12 are read, and kept without spaces', () => {
  expect(parseSchema('{ "type": "object" }', 's')).toBe('{"type":"object"}')
  for (const draft of ['http://json-schema.org/draft-07/schema#', 'https://json-schema.org/draft/2020-12/schema']) {
    const kept = parseSchema(JSON.stringify({ $schema: draft, type: 'integer' }), 's')
    expect(misfit(JSON.parse(kept), 'x')).toBe('the result must be integer, but is "x"')
  }
})

test('a result is kept without spaces; one that is not JSON, or does not fit, is refused with the path', () => {
  const task = { id: 't_1', resultSchema: JSON.stringify(schema) }
  expect(parseResult('{ "size": 1, "unit": "TB" }\n', 'r.json', task)).toBe('{"size":1,"unit":"TB"}')
  expect(parseResult('[ 1 ]', 'r.json', { id: 't_1', resultSchema: null })).toBe('[1]')
  expect(() => parseResult('size: 1', 'r.json', task)).toThrow(/^r\.json is not JSON: /)
  expect(() => parseResult('{"size": "x", "unit": "TB"}', 'r.json', task)).toThrow(
    expect.objectContaining({
      code: 'REFUSED',
      message: 'r.json does not fit the schema of t_1: /size must be integer, but is "x"',
    }),
  )
})
