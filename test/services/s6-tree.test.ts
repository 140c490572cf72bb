import { describe, expect, test } from 'vitest'
import { problemText } from '../../src/services/definition.ts'
import type { TreeDir, TreeFacts } from '../../src/services/facts.ts'
import { readS6Rc, readServicesD } from '../../src/services/s6-tree.ts'

const facts: TreeFacts = {
  keepEnvironment: false,
  waitForServices: false,
  commands: { execlineb: undefined, check: ([argument = '']) => ({ file: argument }) },
}
const dir = (name: string, files: Record<string, string> = {}, change: Partial<TreeDir> = {}): TreeDir => ({
  name,
  path: `/etc/x/${name}`,
  files,
  lists: {},
  programs: { run: { file: `/etc/x/${name}/run` } },
  ...change,
})

describe('services.d', () => {
  test('a directory with run is a longrun that starts with the container and is up as soon as it runs', () => {
    const { definitions, problems } = readServicesD([dir('web')], facts)
    expect(problems).toEqual([])
    expect(definitions[0]?.rules).toMatchObject({ kind: 'longrun', start: true, awaited: false, readyAfterMs: 0 })
    expect(definitions[0]?.programs).toMatchObject({
      run: ['/etc/x/web/run', 'web'],
      inherits: 'path',
      cwd: '/etc/x/web',
    })
  })

  test('s6’s files say what they say', () => {
    const files = {
      down: '',
      'notification-fd': '4\n',
      'down-signal': 'SIGINT\n',
      'timeout-kill': '700\n',
      'timeout-finish': '100\n',
    }
    const programs = { run: { file: '/r' }, finish: { file: '/f' } }
    expect(readServicesD([dir('web', files, { programs })], facts).definitions[0]?.rules).toMatchObject({
      start: false,
      readiness: { by: 'fd', fd: 4 },
      stopSignal: 'INT',
      stopTimeoutMs: 700,
      finishTimeoutMs: 100,
    })
  })

  test('S6_KEEP_ENV and S6_CMD_WAIT_FOR_SERVICES are heard', () => {
    const [web] = readServicesD([dir('web')], { ...facts, keepEnvironment: true, waitForServices: true }).definitions
    expect(web).toMatchObject({ rules: { awaited: true }, programs: { inherits: 'container' } })
  })

  test('log/ is a service of its own at the other end of a pipe, there before its writer', () => {
    const { definitions } = readServicesD([dir('web', {}, { log: dir('log') })], facts)
    expect(definitions.map(({ rules, programs }) => [rules.name, programs.reads, programs.writes])).toEqual([
      ['web', undefined, 'web'],
      ['web-log', 'web', undefined],
    ])
    expect(definitions[0]?.rules.dependsOn).toEqual([{ name: 'web-log', until: 'started' }])
  })

  test.each([
    [dir('web', {}, { programs: {} }), 'there is no such file; write an executable run'],
    [dir('Web.1'), 'a service’s name has small letters'],
    [dir('web', { 'notification-fd': '1\n' }), 'notification-fd: expected a descriptor from 3 to 63, got "1"'],
    [
      dir('web', { 'timeout-kill': '5s\n' }),
      'timeout-kill: expected milliseconds, a whole number of at most 4294967295, got "5s"',
    ],
    [dir('web', { 'down-signal': 'NOPE\n' }), 'down-signal: expected a signal, got "NOPE"'],
    [
      dir('web', {}, { programs: { run: { file: '/r', fault: { file: '/r', message: 'm', repair: 'p' } } } }),
      '/r: m; p',
    ],
    [dir('web', {}, { problem: { file: '/d', message: 'm', repair: 'p' } }), '/d: m; p'],
    [dir('web', {}, { log: dir('log', {}, { problem: { file: '/l', message: 'm', repair: 'p' } }) }), '/l: m; p'],
  ])('refused by name, and the rest stays: %#', (bad, message) => {
    const { definitions, problems } = readServicesD([bad, dir('good')], facts)
    expect(definitions.map(({ rules }) => rules.name)).toEqual(['good'])
    expect(problems.map(problemText)).toEqual([expect.stringContaining(message)])
  })
})

describe('s6-rc.d', () => {
  const type = (of: string, more: Record<string, string> = {}) => ({ type: `${of}\n`, ...more })
  const user = (...names: string[]): TreeDir => dir('user', type('bundle'), { lists: { 'contents.d': names } })

  test('the contents of the user bundle start, nested bundles included; other definitions do not', () => {
    const { definitions, problems } = readS6Rc(
      [
        user('web', 'more'),
        dir('more', type('bundle', { contents: 'db\n' })),
        dir('web', type('longrun')),
        dir('db', type('longrun')),
        dir('other', type('longrun')),
      ],
      [],
      facts,
    )
    expect(problems).toEqual([])
    expect(definitions.map(({ rules }) => [rules.name, rules.start, rules.awaited])).toEqual([
      ['web', true, true],
      ['db', true, true],
      ['other', false, false],
    ])
  })

  test('dependencies on bundles are on what they hold, and those on s6-overlay’s own are there already', () => {
    const dirs = [
      user('web'),
      dir('dbs', type('bundle'), { lists: { 'contents.d': ['a', 'b'] } }),
      dir('a', type('longrun')),
      dir('b', type('longrun')),
      dir('web', type('longrun'), { lists: { 'dependencies.d': ['base', 'dbs', 'legacy-cont-init'] } }),
    ]
    const web = readS6Rc(dirs, [], facts).definitions.find(({ rules }) => rules.name === 'web')
    expect(web?.rules.dependsOn.map(({ name }) => name)).toEqual(['a', 'b'])
  })

  test('a oneshot’s up and down are what is run, with their times; an empty up succeeds', () => {
    const { definitions } = readS6Rc(
      [
        dir('a', type('oneshot', { up: '/s a\n', down: '/s b\n', 'timeout-up': '500\n', 'timeout-down': '70\n' })),
        dir('b', type('oneshot', { up: '' })),
      ],
      [],
      facts,
    )
    expect(definitions[0]?.programs).toMatchObject({ oneshot: true, run: ['/s', 'a'], finish: ['/s', 'b'], cwd: '/' })
    expect(definitions[0]?.rules).toMatchObject({ kind: 'oneshot', startTimeoutMs: 500, finishTimeoutMs: 70 })
    expect(definitions[1]?.programs.run).toEqual(['/bin/true'])
  })

  test('a producer writes to its consumer, and waits for it', () => {
    const { definitions } = readS6Rc(
      [
        dir('web', type('longrun', { 'producer-for': 'log\n' })),
        dir('log', type('longrun', { 'consumer-for': 'web\n' })),
      ],
      [],
      facts,
    )
    expect(definitions[0]).toMatchObject({ programs: { writes: 'log' }, rules: { dependsOn: [{ name: 'log' }] } })
    expect(definitions[1]?.programs.reads).toBe('log')
  })

  test('the user bundles need no type, may lie in user-bundles.d, and may name pipelines', () => {
    const dirs = [
      dir('user', {}, { lists: { 'contents.d': ['old'] } }),
      dir('old', type('longrun')),
      dir('web', type('longrun', { 'producer-for': 'filter\n' })),
      dir('filter', type('longrun', { 'consumer-for': 'web\n', 'producer-for': 'web-log\n' })),
      dir('web-log', type('longrun', { 'consumer-for': 'filter\n', 'pipeline-name': 'web-pipeline\n' })),
      dir('needy', type('longrun'), { lists: { 'dependencies.d': ['web-pipeline', 'user'] } }),
    ]
    const bundles = [
      dir('user', {}, { lists: { 'contents.d': ['web-pipeline'] } }),
      dir('user2', {}, { lists: { 'contents.d': ['needy'] } }),
    ]
    const { definitions, problems } = readS6Rc(dirs, bundles, facts)
    expect(problems).toEqual([])
    expect(definitions.map(({ rules }) => [rules.name, rules.start])).toEqual(
      ['old', 'web', 'filter', 'web-log', 'needy'].map((name) => [name, true]),
    )
    expect(
      definitions
        .at(-1)
        ?.rules.dependsOn.map(({ name }) => name)
        .sort(),
    ).toEqual(['filter', 'old', 'web', 'web-log'])
  })

  test('a bundle that may not be read is named', () => {
    const problem = { file: '/etc/x/user', message: 'others can write it', repair: 'chmod go-w' }
    const { problems } = readS6Rc([dir('user', {}, { problem }), dir('web', type('longrun'))], [], facts)
    expect(problems.map(problemText)).toEqual([
      '/etc/x/user: the bundle user starts nothing: others can write it; chmod go-w',
    ])
  })

  test.each([
    [[dir('a')], 'a/type: expected longrun, oneshot or bundle, the file is missing'],
    [[dir('a', type('shortrun'))], 'a/type: expected longrun, oneshot or bundle, got "shortrun"'],
    [[dir('a', type('oneshot'))], 'a/up: a oneshot needs a file named up'],
    [[user('gone')], 'service gone is left out: bundle user: the bundle names it, and no directory defines it'],
  ])('refused by name: %#', (dirs, message) => {
    expect(readS6Rc(dirs, [], facts).problems.map(problemText)).toEqual([expect.stringContaining(message)])
  })
})
