import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import {
  configProblemText,
  configSignature,
  defaultConfig,
  loadConfig,
  parseConfig,
} from '../../../src/profile/config/config.ts'
import { setConfigValue } from '../../../src/profile/config/edit/edit.ts'
import { configKeys } from '../../../src/profile/config/keys.ts'
import { parseDurationMs } from '../../../src/profile/config/kinds/kinds.ts'
import { configJsonSchema } from '../../../src/profile/config/schema.ts'
import { configText, describedConfigText } from '../../../src/profile/directory/templates.ts'
import { HermesError } from '../../../src/system/errors.ts'
import { scratchDir } from '../../support/scratch.ts'

const problemsOf = (text: string): readonly string[] => parseConfig(text, 'config.yaml').problems.map(configProblemText)
function thrownBy(act: () => unknown): HermesError {
  try {
    act()
  } catch (error) {
    if (error instanceof HermesError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

const gateway = (text: string) => parseConfig(text, 'config.yaml').config.gateway

describe('durations', () => {
  test.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['1m', 60_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['1.5s', 1500],
    ['30', 30_000],
    [30, 30_000],
    [0.25, 250],
    [' 3 s ', 3000],
    ['0', 0],
  ])('%j is %i ms', (text, ms) => {
    expect(parseDurationMs(text)).toBe(ms)
  })

  test.each(['', '5 minutes', '-1s', '1m30s', 'x', null, true, [], 1e12, Number.NaN])('%j is not one', (value) => {
    expect(parseDurationMs(value)).toBeUndefined()
  })
})

describe('config.yaml', () => {
  test('that is missing, empty or all comments is all defaults', () => {
    for (const text of ['', '\n\n', '# nothing\n  # here\r\n\n', '\uFEFF# a mark', configText(true)]) {
      expect(parseConfig(text, 'config.yaml')).toEqual({ config: defaultConfig(), problems: [] })
    }
    expect(loadConfig('/nowhere/config.yaml')).toEqual({ config: defaultConfig(), problems: [] })
  })

  test('whose seeded lines are all uncommented means the same defaults', () => {
    const uncommented = configText(true).replaceAll(/^( *)#(?=[a-z])/gm, '$1')
    expect(parseConfig(uncommented, 'config.yaml')).toEqual({ config: defaultConfig(), problems: [] })
    for (const key of configKeys()) expect(uncommented).toMatch(new RegExp(`^ *${key.split('.').at(-1)}: `, 'm'))
  })

  test.each(['gateway:\n', '\n# x\ngateway:\r\n  restart_delay:\n\nagent:\n', 'kanban:\ndashboard:\n'])(
    '%j, sections without keys, means the defaults, without a YAML parser',
    (text) => {
      expect(parseConfig(text, 'config.yaml')).toEqual({ config: defaultConfig(), problems: [] })
    },
  )

  test.each([
    ['  restart_delay:\n', /restart_delay/],
    ['agent:\n  restart_delay:\n', /agent\.restart_delay: unknown key/],
    ['gateway:\ngateway:\n', /unique/],
    ['gateway:\n  agent:\n', /gateway\.agent: unknown key/],
  ])('%j is looked at as the YAML that it is', (text, problem) => {
    expect(parseConfig(text, 'config.yaml').problems.map(configProblemText).join()).toMatch(problem)
  })

  test.each([true, false])('has no line that is wrong when it alone is uncommented (volume-wide: %s)', (volumeWide) => {
    const lines = configText(volumeWide).split('\n')
    const commented = lines.flatMap((line, at) => (/^ *#/.test(line) ? [at] : []))
    expect(commented.length).toBeGreaterThan(30)
    for (const at of commented)
      for (const uncomment of [/#/, /# ?/]) {
        const text = lines.map((line, i) => (i === at ? line.replace(uncomment, '') : line)).join('\n')
        expect(parseConfig(text, 'config.yaml'), lines[at]).toEqual({ config: defaultConfig(), problems: [] })
      }
  })

  test.each([
    ['# gateway:\n#   # always, on-failure or never\n  restart: never\n', 3],
    ['# gateway:\n  restart: never\nkanban:\n  failure_limit: 3\n', 2],
    ['description: x\n# gateway:\n#   restart_delay:\n  restart: never\n', 4],
  ])('%j says which line is indented below a section that is a comment', (text, line) => {
    const { problems } = parseConfig(text, 'config.yaml')
    expect(problems).toMatchObject([{ line, key: '' }])
    expect(problems[0]?.message).toMatch(
      /^"restart" is indented but its parent "(gateway|restart_delay):" is commented out$/,
    )
  })

  test('says how a gateway is run', () => {
    expect(
      gateway(`
gateway:
  command: [node, server.js, 8080, 1.10]
  env: {PORT: 8080, VERSION: 1.10, DEBUG: true, NAME: x}
  restart: on-failure
  restart_delay: {first: 500ms, max: 2m}
  forget_after: 10
  kill_leftovers: false
  give_up_after: {deaths: 5, within: 1m}
  ready: {log: "listening on \\\\d+"}
  start_timeout: 5s
  stop_timeout: 0
  stop_signal: SIGINT
  essential: true
  liveness: {tcp: 80, silence: 2m}
  memory_limit: 1G
  on_stuck: report
  max_age: 12h
  schedule: 0 3 * * *
  depends_on: {redis: ready, gateway-writer: started}
  watch: [./prompts, config.yaml]
  nice: 19
  rlimits: {nproc: unlimited}
`),
    ).toEqual({
      command: ['node', 'server.js', '8080', '1.10'],
      env: { PORT: '8080', VERSION: '1.10', DEBUG: 'true', NAME: 'x' },
      restart: 'on-failure',
      restartDelay: { firstMs: 500, maxMs: 120_000 },
      forgetAfterMs: 10_000,
      readyAfterMs: 1000,
      killLeftovers: false,
      giveUpAfter: { deaths: 5, withinMs: 60_000 },
      ready: { by: 'log', pattern: 'listening on \\d+' },
      startTimeoutMs: 5000,
      stopTimeoutMs: 0,
      user: null,
      stopSignal: 'INT',
      essential: true,
      liveness: {
        probe: { check: { by: 'tcp', host: '127.0.0.1', port: 80 }, everyMs: 10_000, timeoutMs: 2000, failures: 3 },
        silenceMs: 120_000,
      },
      memoryLimitBytes: 2 ** 30,
      onStuck: 'report',
      maxAgeMs: 43_200_000,
      schedule: '0 3 * * *',
      dependsOn: [
        { name: 'redis', until: 'ready' },
        { name: 'gateway-writer', until: 'started' },
      ],
      watch: ['prompts', 'config.yaml'],
      nice: 19,
      rlimits: { nproc: null },
    })
  })

  test.each([
    ['auto', { by: 'auto' }],
    ['{fd: 5}', { by: 'fd', fd: 5 }],
    ['{http: "http://127.0.0.1:1/x"}', { by: 'http', url: 'http://127.0.0.1:1/x' }],
  ])('ready: %s', (text, ready) => {
    expect(gateway(`gateway: {ready: ${text}}`).ready).toEqual(ready)
  })

  test('a wrong value is named with file, line, key, what was expected and what was there; in force is the default', () => {
    const text = 'description: x\ngateway:\n  restart: sometimes\n  stop_timeout: soon\n  restart_delay:\n    max: -1\n'
    expect(problemsOf(text)).toEqual([
      'config.yaml, line 3: gateway.restart: expected always, on-failure or never, got "sometimes"',
      'config.yaml, line 4: gateway.stop_timeout: expected a duration such as 500ms, 30s, 1m or a number of seconds, got "soon"',
      'config.yaml, line 6: gateway.restart_delay.max: expected a duration such as 500ms, 30s, 1m or a number of seconds, more than 0, got -1',
    ])
    expect(parseConfig(text, 'config.yaml').config).toEqual({ ...defaultConfig(), description: 'x' })
  })

  test.each([
    ['gateway:\n  comand: [x]', 'config.yaml, line 2: gateway.comand: unknown key; did you mean gateway.command?'],
    ['gateway: 5', 'config.yaml, line 1: gateway: expected keys below it, got 5'],
    ['- a', 'config.yaml, line 1: expected "key: value" lines, got a list'],
    ['a: 1\na: 2', 'config.yaml, line 2: expected YAML: Map keys must be unique'],
    ['gateway: [', /line 1: expected YAML: /],
    ['gateway: {command: "npm start"}', /expected a list of a program and its arguments, such as .*, got "npm start"/],
    ['gateway: {command: []}', /expected a list of a program and its arguments,/],
    ['gateway: {ready: {log: "("}}', /a regular expression/],
    ['gateway: {ready: {fd: 1}}', /fd: 3 to 63/],
    ['gateway: {env: {"A B": x}}', /expected names and texts/],
    ['gateway: {stop_signal: FOO}', /expected a signal/],
    ['gateway: {essential: yes}', /expected true or false, got "yes"/],
    ['gateway: {restart: *x}', /expected/],
  ])('%j is reported', (text, problem) => {
    expect(problemsOf(text)).toEqual([typeof problem === 'string' ? problem : expect.stringMatching(problem)])
  })

  test('a secret of the wrong type is not repeated in the problem', () => {
    expect(problemsOf('dashboard: {basic_auth_password: [hunter2]}').join()).not.toContain('hunter2')
  })

  test('secrets are read one by one, with the defaults of their source', () => {
    const text = `secrets:
  A: {file: a, refresh: 90s}
  B: {command: [op, read, x]}
  C: {command: [op], timeout: 5s, refresh: 1h}
  D:
`
    expect(parseConfig(text, 'config.yaml')).toMatchObject({
      config: {
        secrets: {
          A: { file: 'a', refreshMs: 90_000 },
          B: { command: ['op', 'read', 'x'], timeoutMs: 30_000 },
          C: { command: ['op'], timeoutMs: 5000, refreshMs: 3_600_000 },
        },
      },
      problems: [],
    })
  })

  test('a secret of another form is named with its line, not with its value, and the others are in force', () => {
    const wrong = [
      'A: hunter2-0123',
      'B: {file: a, command: [b]}',
      'C: {file: a, timeout: 1s}',
      'D: {command: "op read"}',
      'E: {file: a, refresh: 10ms}',
      'F: {}',
      'G: {file: ""}',
    ]
    const text = ['secrets:', '  OK: {file: a}', ...wrong.map((line) => `  ${line}`)].join('\n')
    const { config, problems } = parseConfig(text, 'config.yaml')
    expect(config.secrets).toEqual({ OK: { file: 'a' } })
    expect(problems.map(configProblemText)).toEqual(
      wrong.map((line, i) =>
        expect.stringMatching(
          `^config.yaml, line ${i + 3}: secrets.${line[0]}: expected {file: a path} or {command: .*, got something else \\(not shown\\)$`,
        ),
      ),
    )
    expect(JSON.stringify(problems)).not.toContain('hunter2')
    expect(problemsOf('secrets: hunter2-0123')).toEqual([expect.stringMatching(/line 1: secrets: expected names and/)])
    expect(problemsOf('secrets: hunter2-0123').join()).not.toContain('hunter2')
  })

  test.each(['A-B', '1A', 'PATH', 'HOME', 'HERMES_HOME', 'OPTIND', 'IFS', '_'])(
    'the variable %s cannot be a secret',
    (name) => {
      expect(problemsOf(`secrets:\n  ${name}: {file: a}`)).toEqual([
        `config.yaml, line 2: secrets.${name}: expected the name of a variable that neither Hermes nor the shell sets, such as API_TOKEN, got ${JSON.stringify(name)}`,
      ])
    },
  )

  test('a key without a value is as if it were not there', () => {
    expect(parseConfig('gateway:\nagent:\n  command:\ndescription:\n', 'x')).toEqual({
      config: defaultConfig(),
      problems: [],
    })
  })

  test('aliases that multiply without end are a problem, not a hang', () => {
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      ...'bcdefgh'.split('').map((c) => `${c}: &${c} [${`*${String.fromCharCode(c.charCodeAt(0) - 1)},`.repeat(9)}]`),
    ]
    expect(problemsOf([...bomb, 'gateway: {command: *h}'].join('\n')).at(-1)).toMatch(/gateway.command: expected/)
  })

  test.each([
    ['gateway: &a\n  env: *a\n', /gateway.env: expected names and texts/],
    ['gateway:\n  command: &a [*a]\n', /gateway.command: expected a list of a program and its arguments,/],
    ['kanban:\n  default_assignee: &a [*a]\n', /kanban.default_assignee: expected text/],
    ['gateway: &a [*a]\n', /gateway: expected keys below it/],
  ])('%j, which holds itself, is a problem that can be printed', (text, problem) => {
    const { config, problems } = parseConfig(text, 'x')
    expect(config).toEqual(defaultConfig())
    expect(problems.map(configProblemText)).toEqual([expect.stringMatching(problem)])
    expect(() => JSON.stringify(problems)).not.toThrow()
  })

  test('an alias that leads nowhere or multiplies is refused', () => {
    const text = `${'abcdefghi'
      .split('')
      .map((c, i, all) => `${c}: &${c} [${`${i === 0 ? 'x' : `*${all[i - 1]}`},`.repeat(9)}]`)
      .join('\n')}\ndescription: *i`
    expect(parseConfig(text, 'x').config.description).toBe('')
  })

  test('a text that the parser cannot take is a problem, not an exception', () => {
    expect(problemsOf('['.repeat(65_536))).toEqual([expect.stringMatching(/expected YAML: /)])
    // No text is known that makes the parser throw; a value that is not a text does.
    expect(parseConfig(5 as unknown as string, 'x')).toEqual({
      config: defaultConfig(),
      problems: [{ file: 'x', key: '', message: expect.stringMatching(/cannot be understood: /) }],
    })
  })

  test.each([
    ['in a section', 'gateway:\n  restart: never\n  restart: always\n', 3],
    ['in a map of values', 'gateway:\n  env: {A: 1,\n    A: 2}\n', 3],
  ])('a key that is there twice %s is a problem with its line', (_, text, line) => {
    expect(problemsOf(text)).toEqual([`config.yaml, line ${line}: expected YAML: Map keys must be unique`])
  })

  test('of many problems the first twenty are reported, and all that concern an existing key', () => {
    const unknown = Array.from({ length: 100 }, (_, i) => `key_${i}: 1`).join('\n')
    const problems = problemsOf(`${unknown}\nkanban: {max_in_progress_per_profile: -1}\n`)
    expect(problems).toHaveLength(21)
    expect(problems[0]).toMatch(/line 1: key_0: unknown key/)
    expect(problems[19]).toMatch(/kanban.max_in_progress_per_profile: expected a whole number/)
    expect(problems[20]).toBe('config.yaml: and 81 more')
  })

  test.each([
    ['unknown keys', (names: string) => names],
    ['variables', (names: string) => `gateway:\n  env:\n${names.replace(/^/gm, '    ')}`],
  ])('the time that %s take grows with their number', (_, text) => {
    const cpuOf = (count: number): number => {
      const file = text(Array.from({ length: count }, (_, i) => `k${i}: ${i}`).join('\n'))
      const before = process.cpuUsage()
      parseConfig(file, 'x')
      const { user, system } = process.cpuUsage(before)
      return user + system
    }
    cpuOf(1000) // so that the short one is not the one that is compiled
    // 10 where each key is read once; 100 where each is compared with every other.
    expect(cpuOf(40_000) / cpuOf(4000)).toBeLessThan(40)
  })

  test('a log size that would have it rotated all the time counts as 256 KiB, with a warning', () => {
    const { config, problems } = parseConfig('logging:\n  max_bytes: 4096\n', 'x')
    expect(config.logging.maxBytes).toBe(262_144)
    expect(problems).toEqual([
      expect.objectContaining({
        line: 2,
        key: 'logging.max_bytes',
        message: '4096 is raised to 262144, the minimum',
      }),
    ])
    expect(parseConfig('logging: {max_bytes: 262144}', 'x')).toMatchObject({ problems: [] })
  })

  describe('as a file', () => {
    let dir: string
    beforeEach(() => {
      dir = scratchDir('hermes-config-')
    })

    test.each([
      ['a directory', (file: string) => void mkdirSync(file), /not a regular file/],
      ['a FIFO without a writer', (file: string) => void execFileSync('mkfifo', [file]), /not a regular file/],
      ['larger than 64 KiB', (file: string) => writeFileSync(file, '#'.repeat(65_537)), /larger than 65536 bytes/],
      ['a symlink to itself', (file: string) => symlinkSync(file, file), /ELOOP/],
    ])('%s is a problem and defaults', (_, make, problem) => {
      const file = join(dir, 'config.yaml')
      make(file)
      const { config, problems } = loadConfig(file)
      expect(config).toEqual(defaultConfig())
      expect(problems).toEqual([{ file, key: '', message: expect.stringMatching(problem) }])
    })

    test('has a signature that changes with it, whatever is there', () => {
      const file = join(dir, 'config.yaml')
      const missing = configSignature(file)
      symlinkSync(file, file)
      const loop = configSignature(file)
      rmSync(file)
      writeFileSync(file, 'description: x')
      expect(new Set([missing, loop, configSignature(file)]).size).toBe(3)
      expect(configSignature(file)).toBe(configSignature(file))
      expect(configSignature(join(file, 'below-a-file'))).toMatch(/none|unreadable/)
    })
  })
})

describe('setting a key', () => {
  test('keeps comments, order and what it does not know', () => {
    const text = '# mine\ngateway:\n  # why\n  restart: never # here\n  future: 1\n'
    expect(setConfigValue(text, 'gateway.restart', 'always')).toBe(
      '# mine\ngateway:\n  # why\n  restart: always # here\n  future: 1\n',
    )
  })

  test('in the seeded file adds to its comments', () => {
    const edited = setConfigValue(configText(false), 'gateway.env.PORT', '8080')
    const kept = configText(false).split('\n')
    expect(edited.split('\n').filter((line) => kept.includes(line))).toEqual(kept)
    expect(parseConfig(edited, 'x').config.gateway.env).toEqual({ PORT: '8080' })
  })

  test('takes YAML: lists, maps, null for the default', () => {
    const command = setConfigValue('', 'gateway.command', '[sh, -c, "exec x"]')
    expect(gateway(command).command).toEqual(['sh', '-c', 'exec x'])
    expect(gateway(setConfigValue(command, 'gateway.command', 'null')).command).toBeNull()
    expect(gateway(setConfigValue('', 'gateway.restart_delay', '{first: 2s, max: 3s}')).restartDelay).toEqual({
      firstMs: 2000,
      maxMs: 3000,
    })
  })

  test.each([
    ['gateway.restrt', 'never', /did you mean gateway.restart/],
    ['nothing', '1', /no key "nothing"/],
    ['gateway.restart', 'sometimes', /expected always, on-failure or never/],
    ['gateway.restart_delay', '{frist: 1s}', /unknown key/],
    ['gateway.command', '[', /not YAML/],
  ])('%s to %s is refused as wrong usage', (key, value, text) => {
    const refused = thrownBy(() => setConfigValue('', key, value))
    expect(refused).toMatchObject({ code: 'USAGE', exitCode: 2 })
    expect(`${refused.message}; ${refused.next}`).toMatch(text)
  })

  test('a description may hold quotes and line breaks', () => {
    expect(parseConfig(describedConfigText(false, 'a "b"\n# c: $&'), 'x').config.description).toBe('a "b"\n# c: $&')
  })
})

test('the JSON schema has every key with its default', () => {
  const schema = configJsonSchema() as { properties: { gateway: { properties: Record<string, { default: unknown }> } } }
  expect(schema.properties.gateway.properties.restart).toMatchObject({
    default: 'always',
    // An empty key means its default.
    anyOf: [{ enum: ['always', 'on-failure', 'never'] }, { type: 'null' }],
  })
  expect(schema.properties.gateway.properties.stop_timeout?.default).toBe('10s')
})

test('a config.yaml is read without a schema library, which every boot would load', () => {
  const config = new URL('../../../src/profile/config/config.ts', import.meta.url).href
  const program = `
    import { registerHooks } from 'node:module'
    registerHooks({ resolve: (name, context, next) => (console.log(name), next(name, context)) })
    const { parseConfig } = await import(${JSON.stringify(config)})
    const { problems } = parseConfig('gateway:\\n  command: [sh]\\n  ready: {tcp: 80}\\n  stop_timeout: 3s\\n', 'config.yaml')
    console.log('problems', problems.length)`
  const loaded = execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })
  expect(loaded.split('\n')).toEqual(expect.arrayContaining(['yaml', 'problems 0']))
  expect(loaded).not.toMatch(/^zod/m)
})

test('a variable may have any name that the shell takes', () => {
  const { env } = gateway('gateway:\n  env: {__proto__: a, constructor: b}\n')
  expect(Object.entries(env)).toEqual([
    ['__proto__', 'a'],
    ['constructor', 'b'],
  ])
})
