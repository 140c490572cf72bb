import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseDotEnv } from '../../../src/profile/environment/dot-env.ts'
import {
  readContainerEnvironment,
  readDotEnv,
  type SlotEnvironmentFacts,
  slotEnvironment,
  truthy,
} from '../../../src/profile/environment/environment.ts'
import { scratchDir } from '../../support/scratch.ts'
import { cpuMs } from '../../support/wait.ts'

const facts = (over: Partial<SlotEnvironmentFacts> = {}): SlotEnvironmentFacts => ({
  slot: 'gateway-coder',
  profile: 'coder',
  home: '/opt/data',
  profileDir: '/opt/data/profiles/coder',
  runDir: '/run/hermes',
  user: { name: 'hermes', home: '/opt/data' },
  path: ['/command', '/opt/hermes/bin'],
  container: {},
  dotEnv: {},
  gatewayEnv: {},
  ...over,
})
const helper = (over: Partial<SlotEnvironmentFacts>) =>
  facts({ slot: 'dashboard', profile: null, profileDir: '/opt/data', ...over })
const defaultProfile = (over: Partial<SlotEnvironmentFacts>) =>
  facts({ slot: 'gateway-default', profile: 'default', profileDir: '/opt/data', ...over })
const of = (given: SlotEnvironmentFacts): Record<string, string> =>
  Object.fromEntries(slotEnvironment(given).variables.map(({ name, value, source }) => [name, `${value} (${source})`]))

describe('the environment of a slot', () => {
  test('later layers win: built-in, container, .env, gateway.env, supervisor', () => {
    const container = { A: '1', B: '1', C: '1', LANG: 'de', HOME: '/x', HERMES_HOME: '/x', HERMES_PROFILE: 'x' }
    const variables = of(
      facts({
        container,
        dotEnv: { B: '2', C: '2' },
        gatewayEnv: { C: '3' },
        supervisor: { HERMES_STOP_TIMEOUT: '8' },
      }),
    )
    expect(variables).toMatchObject({
      A: '1 (container)',
      B: '2 (.env)',
      C: '3 (config.yaml gateway.env)',
      LANG: 'de (container)',
      HOME: '/opt/data (supervisor)',
      USER: 'hermes (supervisor)',
      LOGNAME: 'hermes (supervisor)',
      HERMES_HOME: '/opt/data (supervisor)',
      HERMES_RUN_DIR: '/run/hermes (supervisor)',
      HERMES_PROFILE: 'coder (supervisor)',
      HERMES_PROFILE_HOME: '/opt/data/profiles/coder (supervisor)',
      HERMES_SLOT: 'gateway-coder (supervisor)',
      HERMES_SUPERVISED: '1 (supervisor)',
      HERMES_STOP_TIMEOUT: '8 (supervisor)',
    })
  })

  test('for the default profile the container wins over .env', () => {
    expect(of(defaultProfile({ container: { A: 'container' }, dotEnv: { A: 'file', B: 'file' } }))).toMatchObject({
      A: 'container (container)',
      B: 'file (.env)',
    })
  })

  test('a named profile gets no API_SERVER_* from the container, only from its own .env', () => {
    const container = { API_SERVER_ENABLED: '1', API_SERVER_KEY: 'k' }
    expect(of(facts({ container, dotEnv: { API_SERVER_ENABLED: 'yes' } })).API_SERVER_ENABLED).toBe('yes (.env)')
    expect(of(facts({ container }))).not.toHaveProperty('API_SERVER_KEY')
    expect(of(defaultProfile({ container })).API_SERVER_KEY).toBe('k (container)')
  })

  test('secrets that open the dashboard reach the dashboard and nothing else, whatever file they are in', () => {
    const secret = { HERMES_DASHBOARD_BASIC_AUTH_PASSWORD: 'x', HERMES_METRICS_TOKEN: 'y', HERMES_NODE_TOKEN: 'z' }
    for (const given of [facts, defaultProfile]) {
      const names = Object.keys(of(given({ container: secret, dotEnv: secret, gatewayEnv: secret })))
      expect(names.filter((name) => name in secret)).toEqual([])
    }
    expect(of(helper({ container: secret }))).toMatchObject({ HERMES_METRICS_TOKEN: 'y (container)' })
    expect(Object.keys(of(helper({ slot: 'dispatcher', container: secret })))).not.toContain('HERMES_METRICS_TOKEN')
  })

  test('the address of the database reaches no slot, whatever file it is in', () => {
    const secret = { HERMES_KANBAN_DATABASE: 'postgres://db/board', HERMES_KANBAN_DATABASE_FILE: '/run/secrets/board' }
    for (const given of [facts, defaultProfile, helper]) {
      const names = Object.keys(of(given({ container: secret, dotEnv: secret, gatewayEnv: secret })))
      expect(names.filter((name) => name in secret)).toEqual([])
    }
  })

  test('the marks of hermes itself cannot be forged from a file', () => {
    const forged = { HERMES_MAIN: '1', HERMES_SUPERVISED: '0' }
    const variables = of(facts({ container: forged, dotEnv: forged, gatewayEnv: forged }))
    expect(variables).not.toHaveProperty('HERMES_MAIN')
    expect(variables.HERMES_SUPERVISED).toBe('1 (supervisor)')
  })

  test('a secret of config.yaml overrides every other source, and the environment that is written lacks it', () => {
    const given = facts({
      container: { A: '1', B: '1' },
      dotEnv: { B: '2', C: '2' },
      gatewayEnv: { D: '3' },
      secretNames: ['A', 'B', 'C', 'D'],
    })
    const { warnings } = slotEnvironment(given)
    expect(Object.keys(of(given)).filter((name) => /^[A-D]$/.test(name))).toEqual([])
    expect(of(given)).toMatchObject({ HERMES_SECRETS: 'A B C D (supervisor)' })
    expect(of(facts())).not.toHaveProperty('HERMES_SECRETS')
    // The container has its variables for all profiles.
    expect(warnings.map((line) => line.slice(0, line.indexOf(' is not used')))).toEqual([
      'gateway-coder: .env: B',
      'gateway-coder: .env: C',
      'gateway-coder: config.yaml gateway.env: D',
    ])
  })

  test('a helper has no profile', () => {
    expect(Object.keys(of(helper({})))).not.toContain('HERMES_PROFILE')
  })

  test('our own directories lead PATH, once, whatever it was', () => {
    expect(of(facts({ dotEnv: { PATH: '/evil:/opt/hermes/bin::/bin' } })).PATH).toBe(
      '/command:/opt/hermes/bin:/evil:/bin (supervisor)',
    )
  })

  test('every name that the container has is passed on; of a file’s a wrong one is skipped with a warning that does not repeat the value', () => {
    const odd = { 'BASH_FUNC_x%%': 'secret', 'a.b': 'secret', '1A': 'secret' }
    const { variables, warnings } = slotEnvironment(
      facts({ container: { ...odd, OPTIND: 'secret', N: 'a\0b' }, dotEnv: { 'c.d': 'secret' } }),
    )
    const names = variables.map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(['BASH_FUNC_x%%', 'a.b', '1A', 'OPTIND']))
    expect(names.filter((name) => ['N', 'c.d'].includes(name))).toEqual([])
    expect(warnings).toHaveLength(2)
    expect(warnings.join()).not.toContain('secret')
  })

  test('values pass through unchanged', () => {
    const value = ` '"$HOME\`\\\n\t€ `
    expect(slotEnvironment(facts({ dotEnv: { V: value } })).variables.find(({ name }) => name === 'V')?.value).toBe(
      value,
    )
  })

  test('is the same for the same facts, and in order of name', () => {
    const names = slotEnvironment(facts({ container: { Z: '1', A: '1', _a: '1' } })).variables.map(({ name }) => name)
    expect(names).toEqual([...names].sort())
  })
})

describe('.env', () => {
  test('takes assignments, quotes, export and comments', () => {
    const text = '# c\nA=1\nexport B="two words"\nC=\'$x\' # why\n\nD=\n E = 5 \nF="a\nb=c"\r\n'
    expect(parseDotEnv(text, '.env')).toEqual({
      variables: { A: '1', B: 'two words', C: '$x', D: '', E: '5', F: 'a\nb=c' },
      warnings: [],
    })
  })

  test('a line that is not an assignment is a warning with its number and without its text', () => {
    const { warnings } = parseDotEnv('A=1\nsk-secret\nB="x\ny"\n=5\n', '/p/.env')
    expect(warnings).toEqual([
      '/p/.env, line 2: expected NAME=value; the line is ignored',
      '/p/.env, line 5: expected NAME=value; the line is ignored',
    ])
  })

  // Several seconds where the closing quote is looked for in the whole text again and again.
  test.each(['A="\n', 'A="x" "\n', `A='x\nB=\`y\n`, "A='\\'x\n", 'A="\\\n'])(
    'twice as much of %j as is read takes no long time',
    (line) => {
      const ms = cpuMs(() => {
        const { variables } = parseDotEnv(`${line.repeat(250_000 / line.length)}\nZ=1`, '.env')
        expect(variables.Z).toBe('1')
      })
      expect(ms).toBeLessThan(2000)
    },
  )

  test.each([
    ['abc#def', 'abc#def'],
    ['https://host/page#part', 'https://host/page#part'],
    ['#x', '#x'],
    [' # only a comment', ''],
    ['one # two # three', 'one'],
    ['one\t# a tab before it', 'one'],
    ['a  b   ', 'a  b'],
    ['`x`', '`x`'],
    ["it's", "it's"],
    ['a\\nb', 'a\\nb'],
    ['a=b', 'a=b'],
    ['$HOME', '$HOME'],
    ['"a # b" # c', 'a # b'],
    ['"a\\nb\\t\\"c\\" \\\\ \\$x \\q"', 'a\nb\t"c" \\ $x \\q'],
    ['"a\nb=c\n"', 'a\nb=c\n'],
    ['"a\r\nb"', 'a\nb'],
    ["'a # \\n b'", 'a # \\n b'],
    ["'C:\\dir\\'", 'C:\\dir\\'],
    ["'it\\'s'", "it's"],
    ["'a\nb'#c", 'a\nb'],
    ['""', ''],
  ])('V=%s', (written, value) => {
    expect(parseDotEnv(`V=${written}\r\nLAST=end\n`, '.env')).toEqual({
      variables: { V: value, LAST: 'end' },
      warnings: [],
    })
  })

  test('a byte order mark, export and blanks around the name are not part of a value', () => {
    expect(parseDotEnv('\uFEFFexport A=1\n  export\tB = 2\n', '.env').variables).toEqual({ A: '1', B: '2' })
  })

  test('an unfinished quote is an error with its line, and leaves the other lines alone', () => {
    expect(parseDotEnv('A=1\nB="x\nC=2\n\nD=\'y\nE=3', '/p/.env')).toEqual({
      variables: { A: '1', C: '2', E: '3' },
      warnings: [
        '/p/.env, line 2: the quote " is not closed; the line is ignored',
        "/p/.env, line 5: the quote ' is not closed; the line is ignored",
      ],
    })
    // The next quote in the file does not close it: something follows.
    expect(parseDotEnv('A="x\nB="y"\nC="a" b\n', '/p/.env')).toEqual({
      variables: { B: 'y' },
      warnings: [
        '/p/.env, line 1: the quote " is not closed; the line is ignored',
        '/p/.env, line 3: text follows the closing "; the line is ignored',
      ],
    })
  })

  test('of more than 128 KiB is not used at all, which is a warning', () => {
    const dir = scratchDir('hermes-env-')
    const file = join(dir, '.env')
    writeFileSync(file, `A=1\n${'#'.repeat(128 * 1024)}`)
    expect(readDotEnv(file)).toEqual({
      variables: {},
      warnings: [`${file}: cannot be read, none of it is used: it is larger than 131072 bytes`],
    })
  })

  test('that cannot be read is a warning, a missing one is not', () => {
    expect(readDotEnv('/').warnings).toEqual([expect.stringContaining('not a regular file')])
    expect(readDotEnv('/nowhere/.env')).toEqual({ variables: {}, warnings: [] })
  })
})

test('the container environment store is one file per variable, with one newline that does not count', () => {
  const dir = scratchDir('hermes-env-')
  for (const [name, text] of [
    ['A', 'x\n'],
    ['B', 'x'],
    ['C', 'x\n\n'],
    ['D', ''],
    ['.tmp', 'x'],
  ] as const)
    writeFileSync(join(dir, name), text)
  expect(readContainerEnvironment(dir)).toEqual({ A: 'x', B: 'x', C: 'x\n', D: '' })
  expect(readContainerEnvironment(join(dir, 'nowhere'))).toEqual({})
})

test.each([
  ['1', true],
  ['TRUE', true],
  ['Yes', true],
  [' yes', false],
  ['1 ', false],
  ['1\n', false],
  ['0', false],
  ['on', false],
  ['y', false],
  ['', false],
  [undefined, false],
  ['ture', false],
])('truthy(%j) is %j', (value, result) => {
  expect(truthy(value)).toBe(result)
})
