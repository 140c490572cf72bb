// config.yaml and services.yaml take the same values, and say the same of others.
import { expect, test } from 'vitest'
import { readValues } from '../../src/profile/config/reader.ts'
import { problemText } from '../../src/services/definition.ts'
import { readServicesYaml } from '../../src/services/yaml-file.ts'
import { TREE_FACTS } from './sources.ts'

const KEYS = {
  ready: ['gateway.ready', 'ready', 'readiness'],
  start_timeout: ['gateway.start_timeout', 'start_timeout', 'startTimeoutMs'],
  stop_timeout: ['gateway.stop_timeout', 'stop_timeout', 'stopTimeoutMs'],
  stop_signal: ['gateway.stop_signal', 'stop_signal', 'stopSignal'],
  give_up_after: ['gateway.give_up_after', 'give_up_after', 'giveUpAfter'],
  schedule: ['gateway.schedule', 'schedule', 'schedule'],
  depends_on: ['gateway.depends_on', 'depends_on', 'dependsOn'],
  restart: ['gateway.restart', 'restart', 'restart'],
} as const

/** The value as read, or the message that refuses it. */
function inConfig(key: keyof typeof KEYS, value: string): unknown {
  const [name] = KEYS[key]
  const { values, problems } = readValues(`gateway:\n  ${name.slice('gateway.'.length)}: ${value}\n`, 'f')
  return problems[0]?.message ?? values[name]
}
function inServices(key: keyof typeof KEYS, value: string): unknown {
  const [, name, rule] = KEYS[key]
  const text = `services:\n  a:\n    command: [x]\n    ${name}: ${value}\n`
  const facts = { asRoot: TREE_FACTS.commands, asOthers: TREE_FACTS.commands, findUser: () => undefined }
  const more = { file: 'f', canBecome: () => true, waitForServices: false, variables: {}, readFile: () => undefined }
  const { definitions, problems } = readServicesYaml(text, { ...facts, ...more })
  const [said] = problems.map(problemText)
  return said?.replace(/^.*?: f, line 4, \w+: /, '').replace(/; correct it$/, '') ?? definitions[0]?.rules[rule]
}

test.each<[keyof typeof KEYS, value: string, comesTo: unknown]>([
  ['ready', '{fd: 3}', { by: 'fd', fd: 3 }],
  ['ready', '{log: "listening on \\\\d+"}', { by: 'log', pattern: 'listening on \\d+' }],
  ['ready', '{log: "\\\\p{L}{2}"}', { by: 'log', pattern: '\\p{L}{2}' }],
  ['ready', '{http: "http://[::1]:80/health"}', { by: 'http', url: 'http://[::1]:80/health' }],
  ['ready', '{tcp: 6379}', { by: 'tcp', host: '127.0.0.1', port: 6379 }],
  ['ready', '{tcp: "6379"}', { by: 'tcp', host: '127.0.0.1', port: 6379 }],
  ['ready', '{tcp: "redis:6379"}', { by: 'tcp', host: 'redis', port: 6379 }],
  ['ready', '{tcp: "[::1]:7777"}', { by: 'tcp', host: '::1', port: 7777 }],
  ['ready', '{tcp: "::1:7777"}', { by: 'tcp', host: '::1', port: 7777 }],
  ['ready', '{tcp: "[fe80::1%eth0]:7777"}', { by: 'tcp', host: 'fe80::1%eth0', port: 7777 }],
  ['ready', '{command: [test, -e, 7]}', { by: 'command', command: ['test', '-e', '7'] }],
  ['start_timeout', '1.5m', 90_000],
  ['start_timeout', '0', 0],
  ['stop_timeout', '"20"', 20_000],
  ['stop_signal', 'sigquit', 'QUIT'],
  ['stop_signal', '15', 'TERM'],
  ['give_up_after', '{deaths: 5, within: 1m}', { deaths: 5, withinMs: 60_000 }],
  ['restart', 'on-failure', 'on-failure'],
  ['schedule', '"*/5 * * * *"', '*/5 * * * *'],
  ['depends_on', '[]', []],
])('%s: both accept %s', (key, value, comesTo) => {
  expect(inConfig(key, value)).toEqual(comesTo)
  expect(inServices(key, value)).toEqual(comesTo)
})

test.each<[keyof typeof KEYS, value: string, said: string]>([
  ['ready', '{log: "port {\\\\d+}"}', 'got {"log":"port {\\\\d+}"}: Invalid regular expression: /port {\\d+}/u'],
  ['ready', '{log: "("}', 'got {"log":"("}: Invalid regular expression: /(/u: Unterminated group'],
  ['ready', '{log: ""}', 'got {"log":""}'],
  ['ready', '{fd: 2}', '{fd: 3 to 63}'],
  ['ready', '{fd: 3, log: x}', 'got {"fd":3,"log":"x"}'],
  ['ready', '{http: "localhost:80"}', '{http: a URL}'],
  ['ready', '{tcp: "::1"}', '{tcp: a port or host:port}'],
  ['ready', '{tcp: "[::1]"}', 'got {"tcp":"[::1]"}'],
  ['ready', '{tcp: "[redis]:6379"}', 'got {"tcp":"[redis]:6379"}'],
  ['ready', '{tcp: "a b:6379"}', 'got {"tcp":"a b:6379"}'],
  ['ready', '{tcp: 65536}', 'got {"tcp":65536}'],
  ['ready', '{tcp: "redis:0"}', 'got {"tcp":"redis:0"}'],
  ['ready', '{command: []}', '{command: a list of a program and its arguments}'],
  ['ready', '{command: ["a\\0b"]}', 'got {"command":["a\\u0000b"]}'],
  ['stop_timeout', '5 minutes', 'expected a duration such as 500ms, 30s, 1m or a number of seconds, got "5 minutes"'],
  ['stop_signal', 'HANGUP', 'expected a signal such as TERM, INT or 15, got "HANGUP"'],
  ['stop_signal', '[TERM]', 'expected a signal such as TERM, INT or 15, got ["TERM"]'],
  ['give_up_after', '{deaths: 5}', 'expected {deaths: 1 to 100, within: a duration}, got {"deaths":5}'],
  ['give_up_after', '{deaths: 5, within: 0}', 'expected {deaths: 1 to 100, within: a duration}'],
  ['schedule', '"0 0 30 2 *"', 'expected five or six cron fields such as "*/5 * * * *", got "0 0 30 2 *"'],
  ['depends_on', '{a: soon}', 'ready, started or completed such as {redis: ready}, got {"a":"soon"}'],
  ['restart', 'sometimes', 'expected always, on-failure or never, got "sometimes"'],
])('%s: both refuse %s with the same message', (key, value, said) => {
  const inOne = inConfig(key, value)
  expect(inOne).toContain(said)
  expect(inServices(key, value)).toBe(String(inOne).replace('expected auto, {fd', 'expected alive, {fd'))
})

test('a word or a text that looks like a number stays as it is written', () => {
  const config = readValues('gateway: {command: [x, 1.10, 0x10, yes], env: {A: 1.10}}\n', 'f').values
  const facts = { asRoot: TREE_FACTS.commands, asOthers: TREE_FACTS.commands, findUser: () => undefined }
  const { definitions } = readServicesYaml(
    'services: {a: {command: [x, 1.10, 0x10, yes], finish: [y, 1.10], environment: {A: 1.10}}}\n',
    { ...facts, file: 'f', canBecome: () => true, waitForServices: false, variables: {}, readFile: () => undefined },
  )
  expect(config['gateway.command']).toEqual(['x', '1.10', '0x10', 'yes'])
  expect(config['gateway.env']).toEqual({ A: '1.10' })
  expect(definitions[0]?.programs).toMatchObject({
    run: ['x', '1.10', '0x10', 'yes'],
    finish: ['y', '1.10'],
    variables: { A: '1.10' },
  })
})
