import { describe, expect, test } from 'vitest'
import { problemText } from '../../src/services/definition.ts'
import { validGraph } from '../../src/services/graph.ts'
import { readServicesYaml, type YamlFacts } from '../../src/services/yaml-file.ts'
import { SERVICE_KEYS } from '../../src/services/yaml-keys.ts'

const facts: YamlFacts = {
  file: '/etc/hermes/services.yaml',
  asRoot: {
    execlineb: undefined,
    check: ([argument = '']) =>
      argument === 'writable'
        ? {
            file: '/w',
            fault: { file: '/w', message: 'others than root can write it (mode 0777)', repair: 'chmod go-w /w' },
          }
        : argument === 'nowhere'
          ? undefined
          : { file: `/usr/bin/${argument}` },
  },
  asOthers: { execlineb: undefined, check: ([argument = '']) => ({ file: `/usr/bin/${argument}` }) },
  findUser: (argument) =>
    ['redis', '100:100', '100', 'root'].includes(argument)
      ? { uid: argument === 'root' ? 0 : 100, gid: 100, groups: [], name: argument, home: '/' }
      : undefined,
  canBecome: () => true,
  waitForServices: false,
  variables: {},
  readFile: () => undefined,
}
const read = (text: string, change: Partial<YamlFacts> = {}) => readServicesYaml(text, { ...facts, ...change })
const said = (text: string, change: Partial<YamlFacts> = {}): string[] => read(text, change).problems.map(problemText)

test('every key has the effect that its text describes', () => {
  const { definitions, problems } = read(`
services:
  redis:
    command: [redis-server, --port, 6379]
    user: redis
    environment: {A: b, N: 1, YES: true}
    directory: /srv
    start: false
    depends_on: {net: started, disk: ready}
    ready: {tcp: 6379}
    ready_after: 2
    start_timeout: 1m
    liveness: {http: "http://127.0.0.1:1/x", every: 5s, timeout: 1s, failures: 2, silence: 10m}
    restart: on-failure
    restart_delay: {first: 2s}
    give_up_after: {deaths: 5, within: 1m}
    stop_signal: int
    stop_timeout: 3s
    finish: [clean, up]
    essential: true
    memory_limit: 256M
    on_stuck: restart
    max_age: 1d
    watch: [conf, /etc/x/]
    nice: 5
    rlimits: {nofile: 512, fsize: 1G}
  nightly: {command: [job], schedule: "0 3 * * *"}
  setup: {command: [job], oneshot: true, depends_on: [redis]}
`)
  expect(problems).toEqual([])
  expect(definitions[0]?.rules).toEqual({
    name: 'redis',
    source: '/etc/hermes/services.yaml',
    kind: 'longrun',
    start: false,
    awaited: false,
    dependsOn: [
      { name: 'net', until: 'started' },
      { name: 'disk', until: 'ready' },
    ],
    readiness: { by: 'tcp', host: '127.0.0.1', port: 6379 },
    readyAfterMs: 2000,
    startTimeoutMs: 60_000,
    restart: 'on-failure',
    restartDelay: { firstMs: 2000, maxMs: 60_000 },
    giveUpAfter: { deaths: 5, withinMs: 60_000 },
    stopSignal: 'INT',
    stopTimeoutMs: 3000,
    finishTimeoutMs: 5000,
    essential: true,
    keep: false,
    liveness: {
      probe: { check: { by: 'http', url: 'http://127.0.0.1:1/x' }, everyMs: 5000, timeoutMs: 1000, failures: 2 },
      silenceMs: 600_000,
    },
    memoryLimitBytes: 256 * 2 ** 20,
    onStuck: 'restart',
    maxAgeMs: 86_400_000,
    watch: ['/srv/conf', '/etc/x'],
    nice: 5,
    rlimits: { nofile: 512, fsize: 2 ** 30 },
    schedule: null,
  })
  expect(definitions[0]?.programs).toMatchObject({
    run: [
      '/bin/sh',
      '-c',
      expect.stringMatching(/^ulimit -n 512 .*\nulimit -f 2097152 .*\nexec nice -n 5 "\$@"$/),
      'sh',
      '/usr/bin/redis-server',
      '--port',
      '6379',
    ],
    finish: ['/usr/bin/clean', 'up'],
    cwd: '/srv',
    user: { uid: 100 },
    inherits: 'container',
    variables: { A: 'b', N: '1', YES: 'true' },
  })
  expect(definitions[1]?.rules).toMatchObject({ kind: 'scheduled', schedule: '0 3 * * *', awaited: false })
  expect(definitions[2]?.rules).toMatchObject({ kind: 'oneshot', awaited: true })
})

describe('a fault is named by file, line and key, with the expected value, and the rest works', () => {
  const bad: Readonly<Record<string, string>> = {
    command: 'my-server',
    user: '[1]',
    environment: '[a]',
    env_file: 'srv.env',
    replicas: '0',
    directory: 'srv',
    start: '"maybe"',
    depends_on: '{a: sometimes}',
    oneshot: '1',
    schedule: '"every day"',
    ready: '{fd: 1}',
    ready_after: 'soon',
    start_timeout: '-1',
    liveness: '{http: nowhere}',
    restart: 'sometimes',
    restart_delay: '{frist: 1s}',
    give_up_after: '5',
    stop_signal: 'SIGNOT',
    stop_timeout: '1w',
    finish: '[]',
    essential: '"yes please"',
    memory_limit: '1T',
    on_stuck: 'kill',
    max_age: '0',
    watch: 'prompts',
    nice: '-1',
    rlimits: '{nofile: many}',
  }

  test('there is a bad value here for every key', () =>
    expect(Object.keys(bad).sort()).toEqual(Object.keys(SERVICE_KEYS).sort()))

  test.each(Object.entries(bad))('%s: %s', (key, value) => {
    const text = `services:\n  good: {command: [a]}\n  bad:\n    ${key === 'command' ? '' : 'command: [a]\n    '}${key}: ${value}\n`
    const line = key === 'command' ? 4 : 5
    expect(said(text)).toEqual([
      expect.stringContaining(
        `service bad is left out: /etc/hermes/services.yaml, line ${line}, ${key}: expected ${SERVICE_KEYS[key as keyof typeof SERVICE_KEYS].kind.expected}, got `,
      ),
    ])
    expect(read(text).definitions.map(({ rules }) => rules.name)).toEqual(['good'])
  })

  test.each([
    ['services:\n  a: {command: [x], comand: [y]}\n', 'line 2, comand: unknown key; did you mean command?'],
    [
      'services:\n  a: {command: [x]}\nservice: {}\n',
      'line 3, service: unknown key; services is the only key allowed here',
    ],
    ['services:\n  A.b: {command: [x]}\n', 'line 2: a service’s name has small letters'],
    ['services:\n  a: 7\n', 'line 2: expected keys below it'],
    ['services: [a]\n', 'expected names below services:'],
    ['- a\n', 'expected "services:" and names below it'],
    ['services:\n  a: {command: [x]\n', 'expected YAML'],
    ['services:\n  a: {command: [x]}\n  a: {command: [y]}\n', 'expected YAML: Map keys must be unique'],
    ['services:\n  a: {user: redis}\n', 'line 2, command: it has no command; add one'],
    ['services:\n  a: {command: [nowhere]}\n', 'command: there is no program nowhere'],
    [
      'services:\n  a: {command: [writable]}\n',
      'command: /w: others than root can write it (mode 0777); chmod go-w /w',
    ],
    ['services:\n  a: {command: [x], user: nobody-here}\n', 'user: no account nobody-here; create it in the image'],
    ['services:\n  a: {command: [x], oneshot: true, schedule: "* * * * *"}\n', 'schedule: a oneshot runs once'],
    ['services:\n  a: {command: [x], schedule: "0 0 30 2 *"}\n', 'schedule: expected five or six cron fields'],
  ])('%j', (text, message) => {
    expect(said(text)).toEqual([expect.stringContaining(message)])
  })

  test('a program that another user runs need not belong to root alone; one that root runs, by its name, must', () => {
    expect(said('services:\n  a: {command: [writable], user: redis}\n')).toEqual([])
    expect(said('services:\n  a: {command: [writable], user: root}\n')).toHaveLength(1)
  })

  test('without root no other user can be chosen', () => {
    const text = 'services:\n  a: {command: [x], user: redis}\n'
    expect(said(text, { canBecome: () => false })).toEqual([expect.stringContaining('init is not root')])
  })

  test('an empty file, and one without services, define none', () => {
    for (const text of ['', '# nothing\n', 'services:\n']) expect(read(text)).toEqual({ definitions: [], problems: [] })
  })
})

describe('$NAME in braces is a value of the container’s environment', () => {
  const variables = { PORT: '6379', EMPTY: '', TIMES: '2' }
  const rules = (text: string) => read(`services:\n  a: {command: [x], ${text}}\n`, { variables })
  const argv = (word: string) => {
    const { definitions, problems } = read(`services:\n  a:\n    command: [x, '${word}']\n`, { variables })
    return problems.length > 0 ? problems.map(problemText) : definitions[0]?.programs.run[1]
  }

  test.each([
    [`\${PORT}`, '6379'],
    [`--port=\${PORT}/\${TIMES}`, '--port=6379/2'],
    [`\${NONE:-80}`, '80'],
    [`\${NONE-80}`, '80'],
    [`\${NONE:-}`, ''],
    [`\${EMPTY:-80}`, '80'],
    [`\${EMPTY-80}`, ''],
    [`\${EMPTY}`, ''],
    [`$\${PORT}`, `\${PORT}`],
    [`$PORT $$ $(x) \${PORT%9} \${#PORT}`, `$PORT $$ $(x) \${PORT%9} \${#PORT}`],
  ])('%s comes to %j', (word, comesTo) => expect(argv(word)).toBe(comesTo))

  test.each(['sh', '/bin/bash'])('the script of %s -c is left to the shell, and its arguments are not', (shell) => {
    const script = `for i in \${PORT}; do echo \${i} \${HOME} $\${i}; done`
    const { definitions, problems } = read(`services:\n  a:\n    command: [${shell}, -ec, '${script}', "\${PORT}"]\n`, {
      variables,
    })
    expect(problems).toEqual([])
    expect(definitions[0]?.programs.run.slice(1)).toEqual(['-ec', script, '6379'])
  })

  test('a number or a flag is one', () => {
    expect(
      rules(`liveness: {tcp: "\${PORT}", failures: "\${TIMES}"}, essential: "\${ON:-true}"`).definitions[0]?.rules,
    ).toMatchObject({
      liveness: { probe: { check: { port: 6379 }, failures: 2 } },
      essential: true,
    })
    expect(rules(`environment: {A: "\${PORT}"}`).definitions[0]?.programs.variables).toEqual({ A: '6379' })
  })

  test('one that is not set is named, with file, line and key; the other services start', () => {
    expect(said(`services:\n  good: {command: [x]}\n  a:\n    command: [x, "\${NONE}"]\n`)).toEqual([
      expect.stringMatching(
        /^service a is left out: \/etc\/hermes\/services\.yaml, line 4, command: expected .*, got \["x","\$\{NONE\}"\]: NONE is not set in the container; write \$\{NONE:-default\}, or \$\$\{NONE\} for the text itself/,
      ),
    ])
  })
})

describe('env_file', () => {
  const files: Readonly<Record<string, string>> = {
    '/etc/a.env': 'A=1\nB="two words"\n',
    '/etc/b.env': 'export B=3\n# note\n',
    '/etc/bad.env': 'A=1\nwhat\n',
  }
  const readFile: YamlFacts['readFile'] = (path) => {
    if (path === '/etc/open.env')
      return { fault: { file: path, message: 'others can write it', repair: 'chmod go-w it' } }
    const text = files[path]
    return text === undefined ? undefined : { text }
  }
  const service = (text: string) => read(`services:\n  a: {command: [x], ${text}}\n`, { readFile })

  test('its variables are added; a later file goes before, and environment before both', () => {
    const { definitions, problems } = service('env_file: [/etc/a.env, /etc/b.env], environment: {A: mine}')
    expect(problems).toEqual([])
    expect(definitions[0]?.programs.variables).toEqual({ A: 'mine', B: '3' })
    expect(service('env_file: /etc/a.env').definitions[0]?.programs.variables).toEqual({ A: '1', B: 'two words' })
  })

  test.each([
    ['/etc/none.env', 'line 2, env_file: there is no /etc/none.env; put the file there'],
    ['/etc/bad.env', 'line 2, env_file: /etc/bad.env, line 2: expected NAME=value; correct that line'],
    ['/etc/open.env', 'line 2, env_file: /etc/open.env: others can write it; chmod go-w it'],
  ])('%s is refused', (file, message) => {
    expect(service(`env_file: ${file}`).problems.map(problemText)).toEqual([expect.stringContaining(message)])
  })
})

describe('replicas', () => {
  const text = `
services:
  worker:
    command: [x, '80\${HERMES_REPLICA}']
    replicas: 3
    depends_on: [db]
  db: {command: [y], replicas: '\${TIMES}'}
  last: {command: [z], depends_on: {worker: started}}
`
  const names = (change: Partial<YamlFacts>) => read(text, change).definitions.map(({ rules }) => rules.name)

  test('make as many services, each with its number, and a dependency is one on all of them', () => {
    const { definitions, problems } = read(text, { variables: { TIMES: '2' } })
    expect(problems).toEqual([])
    expect(names({ variables: { TIMES: '2' } })).toEqual(['worker-1', 'worker-2', 'worker-3', 'db-1', 'db-2', 'last'])
    expect(definitions[1]?.programs).toMatchObject({
      run: ['/usr/bin/x', '802'],
      variables: { HERMES_REPLICA: '2' },
    })
    const { services } = validGraph(definitions)
    expect(services[1]?.rules.dependsOn).toEqual([
      { name: 'db-1', until: 'ready' },
      { name: 'db-2', until: 'ready' },
    ])
    expect(services.at(-1)?.rules.dependsOn.map(({ name }) => name)).toEqual(['worker-1', 'worker-2', 'worker-3'])
  })

  test('a fault of all instances is reported once', () => {
    expect(said('services:\n  a: {command: [nowhere], replicas: 3}\n')).toHaveLength(1)
    expect(said('services:\n  a: {command: [x], replicas: many}\n')).toEqual([
      expect.stringContaining('replicas: expected a whole'),
    ])
  })

  test('one replica has a number, too', () => {
    expect(read('services:\n  a: {command: [x], replicas: 1}\n').definitions.map(({ rules }) => rules.name)).toEqual([
      'a-1',
    ])
  })
})

test('an odd definition costs its own service alone, and is reported in one line', () => {
  const odd: readonly (readonly [text: string, why: string])[] = [
    ['odd: {command: *nowhere}', 'Unresolved alias'],
    [`odd: {command: &a [${'x,'.repeat(20)}x], finish: [${'*a,'.repeat(100)}*a]}`, 'Excessive alias count'],
    ['odd: {command: &a [*a]}', 'got a value that contains itself'],
    ['"o\\0d\\ed": {command: [x]}', 'service o\\u0000d\\u001bd is left out'],
    ['"o\\nd": {command: [x]}', 'service o\\u000ad is left out'],
    [`odd: {restart: "${'x'.repeat(100)}", ${'y'.repeat(900)}: 1}`, `${'y'.repeat(500 - 35)}`],
  ]
  for (const [text, why] of odd) {
    const { definitions, problems } = read(`services:\n  good: {command: [x]}\n  ${text}\n`)
    expect(definitions.map(({ rules }) => rules.name)).toEqual(['good'])
    const lines = problems.map(problemText)
    expect(lines.join('\n')).toContain(why)
    for (const line of lines) {
      expect(line).not.toMatch(/\p{Cc}/u)
      expect(line.length).toBeLessThan(2000)
    }
  }
})
