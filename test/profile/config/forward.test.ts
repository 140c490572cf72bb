import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, test } from 'vitest'
import { configProblemText, parseConfig } from '../../../src/profile/config/config.ts'
import { shownForward } from '../../../src/profile/config/kinds/forward-kinds.ts'
import { configJsonSchema } from '../../../src/profile/config/schema.ts'

const read = (text: string) => {
  const { config, problems } = parseConfig(text, 'config.yaml')
  return { targets: config.forward, problems: problems.map(configProblemText) }
}

test('targets of log lines are read, and shown without addresses and headers', () => {
  const { targets, problems } = read(`
forward:
  - {name: box, to: syslog, url: "tcp://logs.example:601", facility: local0, profiles: [coder]}
  - name: loki
    to: loki
    url_env: LOKI_URL
    token_env: LOKI_TOKEN
    headers: {X-Scope-OrgID: team}
    labels: {env: prod}
  - {name: otel, to: otlp, url_file: /run/secrets/otlp}
`)
  expect(problems).toEqual([])
  const none = { labels: {}, headers: {}, tokenEnv: null, profiles: null }
  expect(targets).toEqual([
    {
      name: 'box',
      to: 'syslog',
      address: { value: 'tcp://logs.example:601' },
      facility: 'local0',
      profiles: ['coder'],
    },
    {
      ...none,
      name: 'loki',
      to: 'loki',
      address: { env: 'LOKI_URL' },
      tokenEnv: 'LOKI_TOKEN',
      headers: { 'X-Scope-OrgID': 'team' },
      labels: { env: 'prod' },
    },
    { ...none, name: 'otel', to: 'otlp', address: { file: '/run/secrets/otlp' } },
  ])
  expect(targets.map(shownForward)).toEqual([
    { name: 'box', to: 'syslog', url: '****', facility: 'local0', profiles: ['coder'] },
    {
      name: 'loki',
      to: 'loki',
      url_env: 'LOKI_URL',
      token_env: 'LOKI_TOKEN',
      headers: { 'X-Scope-OrgID': '****' },
      labels: { env: 'prod' },
    },
    { name: 'otel', to: 'otlp', url_file: '/run/secrets/otlp' },
  ])
})

/** Entries with their problems. */
const WRONG: readonly (readonly [string, string])[] = [
  ['{name: a, to: kafka, url: "http://x"}', 'forward.a.to: expected syslog, loki or otlp, got "kafka"'],
  ['{name: a, to: loki, ulr: "http://x"}', 'forward.a.ulr: unknown key; did you mean url?'],
  ['{to: loki, url: "http://x"}', 'forward.1: name is missing'],
  ['{name: a, url: "http://x"}', 'forward.a: to is missing: syslog, loki, otlp'],
  ['{name: a, to: loki}', 'forward.a: loki needs one of url, url_env, url_file'],
  ['{name: a, to: loki, url_env: A, url_file: b}', 'forward.a: loki needs one of url, url_env, url_file'],
  [
    '{name: a, to: syslog, url: "http://x"}',
    'forward.a: syslog needs a URL such as tcp://HOST:PORT or udp://HOST:PORT',
  ],
  ['{name: a, to: otlp, url: "udp://x:1"}', 'forward.a: otlp needs a URL that begins with http:// or https://'],
  [
    '{name: a, to: syslog, url: "udp://x:1", labels: {a: b}, token_env: T}',
    'forward.a: syslog does not use token_env, labels',
  ],
  ['{name: a, to: loki, url: "http://x", facility: user}', 'forward.a: loki does not use facility'],
  [
    '{name: a, to: loki, url: "http://x", labels: {slot: b}}',
    'forward.a.labels: expected names and texts such as {env: prod}; job, slot, profile and node are set already, ' +
      'got {"slot":"b"}',
  ],
  [
    '{name: a, to: loki, url: "http://x", headers: {Content-Type: b}}',
    'forward.a.headers: expected names and texts such as {X-Scope-OrgID: team}; token_env has a token, ' +
      'got something else (not shown)',
  ],
]

test.each(WRONG)('%s is refused with line and key, and another target stays', (entry, problem) => {
  const fine = '{name: fine, to: loki, url: "http://x"}'
  const { targets, problems } = read(`forward:\n  - ${entry}\n  - ${fine}\n`)
  expect(targets.map(({ name }) => name)).toEqual(['fine'])
  expect(problems).toEqual([expect.stringMatching(`^config\\.yaml, line 2: `)])
  expect(problems[0]).toContain(problem)
})

test('the schema for editors takes what is valid, and refuses a target without an address or with a foreign key', () => {
  const isValid = new Ajv2020({ strict: false }).compile(configJsonSchema())
  const taken = (target: object): boolean => isValid({ forward: [target] })
  expect(taken({ name: 'a', to: 'loki', url: 'http://x', labels: { a: 'b' } })).toBe(true)
  expect(taken({ name: 'a', to: 'syslog', url_env: 'X', facility: 'user' })).toBe(true)
  expect(taken({ name: 'a', to: 'loki' })).toBe(false)
  expect(taken({ name: 'a', to: 'loki', url: 'udp://x:1' })).toBe(false)
  expect(taken({ name: 'a', to: 'syslog', url: 'udp://x:1', labels: { a: 'b' } })).toBe(false)
  expect(taken({ name: 'a', to: 'loki', url: 'http://x', labels: { job: 'b' } })).toBe(false)
})
