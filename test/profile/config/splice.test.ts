import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { setConfigValue } from '../../../src/profile/config/edit/edit.ts'
import { spliceYaml } from '../../../src/profile/config/edit/splice.ts'

const never = (text: string): string => setConfigValue(text, 'gateway.restart', 'never')

describe('setting a key touches its own lines only', () => {
  test.each([
    ['a value', 'gateway:\n  restart: always\n', 'gateway:\n  restart: never\n'],
    ['and keeps its comment', 'gateway:\n  restart: always   # why\n', 'gateway:\n  restart: never   # why\n'],
    ['a quoted value', `gateway:\n  "restart": 'always'\n`, 'gateway:\n  "restart": never\n'],
    ['an empty value', 'gateway:\n  restart:   # why\n', 'gateway:\n  restart: never   # why\n'],
    [
      'a section of comments',
      'gateway:\n  # restart: always\nkanban:\n',
      'gateway:\n  restart: never\n  # restart: always\nkanban:\n',
    ],
    [
      'deep comments',
      'gateway: # g\n      # restart: always\n',
      'gateway: # g\n      restart: never\n      # restart: always\n',
    ],
    ['an empty section', 'gateway:\n', 'gateway:\n  restart: never\n'],
    ['an empty section without an end of line', 'gateway:', 'gateway:\n  restart: never\n'],
    ['a section that is null', 'gateway: ~ # none\n', 'gateway: {restart: "never"} # none\n'],
    ['a file that is null', '~\n', 'gateway:\n  restart: never\n'],
    ['an empty file', '', 'gateway:\n  restart: never\n'],
    ['a file of comments', '# mine\n', '# mine\ngateway:\n  restart: never\n'],
    ['a file of comments without an end of line', '# mine', '# mine\ngateway:\n  restart: never\n'],
    [
      'a new section, after the comments of the last one',
      'kanban:\n  # x\n',
      'kanban:\n  # x\ngateway:\n  restart: never\n',
    ],
    [
      'a new key',
      'gateway:\n  essential: true # e\n  # end\nkanban:\n',
      'gateway:\n  essential: true # e\n  restart: never\n  # end\nkanban:\n',
    ],
    [
      'a new key after a list',
      'gateway:\n  command:\n    - sh\n    - -c # c\n',
      'gateway:\n  command:\n    - sh\n    - -c # c\n  restart: never\n',
    ],
    [
      'a new key after a block of text',
      'gateway:\n  env:\n    X: |\n      a\n\n      b\n',
      'gateway:\n  env:\n    X: |\n      a\n\n      b\n  restart: never\n',
    ],
    ['four blanks deep', 'gateway:\n    essential: true\n', 'gateway:\n    essential: true\n    restart: never\n'],
    [
      'as deep as other sections',
      'kanban:\n    failure_limit: 3\n',
      'kanban:\n    failure_limit: 3\ngateway:\n    restart: never\n',
    ],
    [
      'CRLF',
      'kanban:\r\n  failure_limit: 3\r\ngateway:\r\n  restart: always\r\n',
      'kanban:\r\n  failure_limit: 3\r\ngateway:\r\n  restart: never\r\n',
    ],
    [
      'a new key among CRLF',
      'gateway:\r\n  essential: true\r\n',
      'gateway:\r\n  essential: true\r\n  restart: never\r\n',
    ],
    ['a byte order mark', '\uFEFFgateway:\n  restart: always\n', '\uFEFFgateway:\n  restart: never\n'],
    [
      'after --- and before ...',
      '---\nkanban:\n  failure_limit: 3\n...\n',
      '---\nkanban:\n  failure_limit: 3\ngateway:\n  restart: never\n...\n',
    ],
    [
      'a flow map',
      'gateway: {essential: true,  restart: always } # f\n',
      'gateway: {essential: true,  restart: never } # f\n',
    ],
    ['a new key in a flow map', 'gateway: { essential: true }\n', 'gateway: { essential: true, restart: "never" }\n'],
    ['an empty flow map', 'gateway: {}\n', 'gateway: {restart: "never"}\n'],
    [
      'a file in flow style',
      '{kanban: {failure_limit: 3}}\n',
      '{kanban: {failure_limit: 3}, gateway: {restart: "never"}}\n',
    ],
    ['an anchored value', 'gateway:\n  restart: &r always\n', 'gateway:\n  restart: &r never\n'],
    [
      'an alias',
      'gateway: {stop_signal: &s "INT", restart: always}\n',
      'gateway: {stop_signal: &s "INT", restart: never}\n',
    ],
    [
      'a section by alias',
      'base: &x {essential: true}\ngateway: *x\n',
      'base: &x {essential: true}\ngateway: {"essential":true,"restart":"never"}\n',
    ],
    [
      'odd blanks',
      'gateway:\n  essential:    true\n\n\n  restart  :   always\n\n',
      'gateway:\n  essential:    true\n\n\n  restart  :   never\n\n',
    ],
    [
      'numbers as they are written',
      'gateway:\n  env: {A: 007, B: 1_000, C: 0x1F, D: 1e3}\n',
      'gateway:\n  env: {A: 007, B: 1_000, C: 0x1F, D: 1e3}\n  restart: never\n',
    ],
  ])('%s', (_what, text, expected) => {
    expect(never(text)).toBe(expected)
  })

  test.each([
    [
      'gateway.env.PORT',
      '007',
      'gateway:\n  env: # mine\n    A: 1\n',
      'gateway:\n  env: # mine\n    A: 1\n    PORT: 007\n',
    ],
    [
      'gateway.command',
      '[sh, -c, "a # b"]',
      'gateway:\n  command:\n    - old\n    - x\n  restart: never\n',
      'gateway:\n  command: [sh, -c, "a # b"]\n  restart: never\n',
    ],
    [
      'gateway.restart_delay',
      '{first: 2s, max: 3s}',
      'gateway:\n  restart_delay:\n    first: 1s # soon\n',
      'gateway:\n  restart_delay: {first: 2s, max: 3s} # soon\n',
    ],
    ['gateway.restart_delay', 'first: 2s', '', 'gateway:\n  restart_delay: {"first":"2s"}\n'],
    ['description', 'a: b', '', 'description: {"a":"b"}\n'],
    ['description', '"x\ny"', 'description: >\n  long\n  text\ngateway:\n', 'description: "x y"\ngateway:\n'],
    ['gateway.env.X', '"a\\nb"', '', 'gateway:\n  env:\n    X: "a\\nb"\n'],
    ['gateway.command', '', 'gateway:\n  command: [x]\n', 'gateway:\n  command: null\n'],
  ])('%s to %j', (key, value, text, expected) => {
    expect(spliceYaml(text, key.split('.'), value)).toBe(expected)
  })

  test('whatever the file looks like, all other keys read as before', () => {
    const text = 'gateway:\n  env:\n    A: &a "1"\n    B: *a\n  essential: yes\nkanban: {failure_limit: 3}\n'
    const { gateway, ...others } = parse(never(text)) as { gateway: object }
    expect(gateway).toEqual({ env: { A: '1', B: '1' }, essential: 'yes', restart: 'never' })
    expect(others).toEqual({ kanban: { failure_limit: 3 } })
  })
})

test.each([
  ['gateway: 5\n', /"gateway" is not a section/],
  ['gateway: [a]\n', /"gateway" is not a section/],
  ['- a\n', /has no keys/],
])('%j cannot take the key, and the message says why', (text, why) => {
  expect(() => never(text)).toThrow(why)
})
