import { execFileSync } from 'node:child_process'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { configKeys } from '../../../src/profile/config/keys.ts'
import { readPlainLines } from '../../../src/profile/config/plain-lines.ts'
import { readValues } from '../../../src/profile/config/reader.ts'
import { cpuMs } from '../../support/wait.ts'

test.each<readonly [string, Readonly<Record<string, unknown>>]>([
  ['', {}],
  ['\uFEFF# a mark\r\ngateway:\r\n  # command: [x]\r\n\r\nagent:\n', {}],
  ['description: "it is: 1"\n', { description: 'it is: 1' }],
  ['description: \'a "b"\' # said\n', { description: 'a "b"' }],
  [
    'gateway:\n  command: ["/srv/my program", -p, 8080, \'x\', true] # mine\n',
    { 'gateway.command': ['/srv/my program', '-p', '8080', 'x', 'true'] },
  ],
  [
    'gateway:\n    stop_timeout: 30s\n    restart_delay:\n      first: 10\n    restart: never\n',
    { 'gateway.stop_timeout': 30_000, 'gateway.restart_delay.first': 10_000, 'gateway.restart': 'never' },
  ],
  [
    'gateway:\n  kill_leftovers: false\n  essential: true\nlogging:\n  archives: 3\n',
    { 'gateway.kill_leftovers': false, 'gateway.essential': true, 'logging.archives': 3 },
  ],
  ['gateway:\n  restart:\n  command:\n', {}],
])('%j is read', (text, set) => {
  expect(readPlainLines(text)).toEqual({ ...readValues('', 'f').values, ...set })
})

test.each([
  'gateway: {restart: never}\n',
  'gateway:\n  env:\n    PORT: 1\n',
  'gateway:\n  command:\n    - sh\n',
  'gateway:\n  command: [sh,\n    -c]\n',
  'description: "it is #1"\n',
  'gateway:\n  command: [sh, "a, b"]\n',
  'gateway:\n  command: [sh, null]\n',
  'gateway:\n  restart: &a never\n',
  'gateway:\n  restart: always\n    more\n',
  'gateway:\n  restart: always\n restart_delay:\n',
  'gateway:\n  restart: always\n  restart: never\n',
  'gateway:\n  restart: sometimes\n',
  'gateway:\n  stop_timeout: 1e3\n',
  'gateway:\n  nothing: 1\n',
  'gateway:\n\trestart: never\n',
  'gateway:\n  restart: never\t\n',
  ' gateway:\n',
  'description: null\n',
  'description: True\n',
  'description: two words\n',
  'description: "a\\n"\n',
  'description: "\u00e9"\n',
  'logging:\n  max_bytes: 5000\n',
  '---\ngateway:\n',
])('%j is left to the parser', (text) => {
  expect(readPlainLines(text)).toBeUndefined()
})

const values = [
  '',
  'always',
  'true',
  'True',
  'null',
  '~',
  '30s',
  '1m',
  '10',
  '010',
  '0x1f',
  '1e3',
  '.5',
  '-1',
  '1_0',
  'TERM',
  'yes',
  '"a b"',
  "'x'",
  '"a # b"',
  'x # y',
  'x #',
  '#',
  '[a, b]',
  '["/x/y", 1, no]',
  '[-e, --x=1]',
  '[a,]',
  '[]',
  '[a b]',
  '[a #b]',
  '[null]',
  '{a: b}',
  '&a x',
  '*a',
  '|',
  '"',
  "'",
  '=',
  '--',
  'a: b',
  'a\tb',
  '\u00a0a',
  'auto',
  '{fd: 3}',
]
const names = [...new Set(configKeys().flatMap((key) => key.split('.')))]
const line = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom('', '# x', '  # x', '\t', '---', '- a', '   more') },
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        fc.constantFrom('', '  ', '  ', '    ', ' '),
        fc.constantFrom(...names),
        fc.constantFrom(' ', ' ', '  ', '\t', ''),
        fc.constantFrom(...values),
        fc.constantFrom('', ' '),
      )
      .map(([indent, name, space, value, end]) => `${indent}${name}:${space}${value}${end}`),
  },
)
const section = fc
  .tuple(
    fc.constantFrom('gateway', 'agent', 'logging', 'kanban', 'dashboard'),
    fc.array(fc.tuple(fc.constantFrom(...configKeys()), fc.constantFrom(...values)), { maxLength: 4 }),
  )
  .map(([name, keys]) =>
    [
      `${name}:`,
      ...keys
        .filter(([key]) => key.split('.').length === 2 && key.startsWith(`${name}.`))
        .map(([key, value]) => `  ${key.split('.')[1]}: ${value}`),
    ].join('\n'),
  )
const texts = fc.oneof(
  fc.array(line, { maxLength: 6 }).map((lines) => lines.join('\n')),
  fc.array(section, { maxLength: 3 }).map((sections) => sections.join('\n')),
)

test('whatever is read, the parser finds the same, and no problem', () => {
  fc.assert(
    fc.property(texts, (text) => {
      const plain = readPlainLines(text)
      if (plain === undefined) return
      const { values, problems } = readValues(text, 'f')
      expect(problems).toEqual([])
      expect(plain).toEqual(values)
    }),
    { numRuns: 2000 },
  )
})

test('as much as a config.yaml may hold takes no long time', () => {
  const much = 64 * 1024
  const hostile = [
    `gateway:\n  restart: x${' '.repeat(much)}x`,
    `gateway:\n  command: [${' '.repeat(much)}x`,
    `gateway:\n  command: [${'a,'.repeat(much / 2)}]`,
    `gateway:\n  command: [${'" '.repeat(much / 2)}]`,
    `${' '.repeat(much)}gateway:`,
    'gateway:\n'.repeat(much / 9),
  ]
  const ms = cpuMs(() => {
    for (const text of hostile) readPlainLines(text)
  })
  expect(ms).toBeLessThan(1000)
})

test('a file of plain lines is read without the YAML parser', () => {
  const config = new URL('../../../src/profile/config/config.ts', import.meta.url).href
  const program = `
    import { registerHooks } from 'node:module'
    registerHooks({ resolve: (name, context, next) => (console.log(name), next(name, context)) })
    const { parseConfig } = await import(${JSON.stringify(config)})
    const { config } = parseConfig('gateway:\\n  command: ["/bin/true"]\\n  restart: never\\n', 'config.yaml')
    console.log('restart', config.gateway.restart)`
  const loaded = execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })
  expect(loaded.split('\n')).toContain('restart never')
  expect(loaded).not.toMatch(/^yaml/m)
})
