import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MAX_CHILDREN } from '../../src/protocol/init.ts'
import { parseServiceTable } from '../../src/services/table.ts'

const programs = {
  name: 'web',
  oneshot: false,
  run: ['/etc/services.d/web/run', 'web'],
  finish: ['/etc/services.d/web/finish'],
  cwd: '/etc/services.d/web',
  user: { uid: 100, gid: 100, groups: [1], name: 'www', home: '/' },
  inherits: 'path',
  variables: { A: 'b' },
  reads: 'db',
  writes: 'log',
  depth: 3,
}
const table = { programs: [programs], rules: [{ name: 'web' }], problems: ['x'] }
const parse = (value: unknown): ReturnType<typeof parseServiceTable> => parseServiceTable(JSON.stringify(value))

test('a sound table comes through as it is', () => expect(parse(table)).toEqual(table))

test.each([
  ['no JSON', 'hello'],
  ['nothing', ''],
  ['a list', '[]'],
])('%s is refused', (_, text) => expect(parseServiceTable(text)).toEqual(expect.any(String)))

test.each([
  ['a name that is a path', { name: '../web' }],
  ['a name of another slot', { name: 'Web' }],
  ['a program without a path', { run: ['run'] }],
  ['no words', { run: [] }],
  ['a NUL', { run: ['/run\0'] }],
  ['too many words', { run: ['/run', ...Array(2000).fill('x')] }],
  ['a finish program that is text', { finish: '/finish' }],
  ['a directory that is none', { cwd: 'srv' }],
  ['a uid below 0', { user: { ...programs.user, uid: -1 } }],
  ['a uid that setuid takes for "leave it"', { user: { ...programs.user, uid: 4_294_967_295 } }],
  ['groups that are text', { user: { ...programs.user, groups: ['0'] } }],
  ['an environment of another kind', { inherits: 'all' }],
  ['a variable that is no name', { variables: { 'A B': 'x' } }],
  ['a pipe that is a path', { reads: '/x' }],
  ['a depth that is none', { depth: -1 }],
])('%s is refused', (_, change) => {
  expect(parse({ ...table, programs: [{ ...programs, ...change }] })).toBe('bad programs')
})

test('two services of one name, and more than there are slots, are refused', () => {
  expect(parse({ ...table, programs: [programs, programs] })).toBe('a service twice')
  const many = Array.from({ length: MAX_CHILDREN + 1 }, (_, i) => ({ ...programs, name: `s${i}` }))
  expect(parse({ ...table, programs: many })).toBe('bad programs')
})

test('whatever else is in its place, the answer is a line, never an exception', () => {
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(programs)), fc.jsonValue(), (key, value) => {
      expect(() => parse({ ...table, programs: [{ ...programs, [key]: value }] })).not.toThrow()
    }),
  )
})
