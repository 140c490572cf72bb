import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, test } from 'vitest'
import { configProblemText, parseConfig } from '../../../src/profile/config/config.ts'
import { setConfigValue } from '../../../src/profile/config/edit/edit.ts'
import { NOTIFY_EVENTS, shownTarget } from '../../../src/profile/config/kinds/notify-kinds.ts'
import { configJsonSchema } from '../../../src/profile/config/schema.ts'

const read = (text: string) => {
  const { config, problems } = parseConfig(text, 'config.yaml')
  return { targets: config.notify, problems: problems.map(configProblemText) }
}
const ALL = Object.keys(NOTIFY_EVENTS)

test('targets are read with all events by default, whatever way their address comes', () => {
  const { targets, problems } = read(`
notify:
  - {name: ops, to: webhook, url_env: OPS_URL, secret_env: OPS_KEY, events: [parked, backoff], profiles: [coder]}
  - name: chat
    to: slack
    url_file: /run/secrets/slack
  - {name: own, to: exec, command: [sh, -c, "cat >>log"]}
`)
  expect(problems).toEqual([])
  expect(targets).toEqual([
    {
      name: 'ops',
      to: 'webhook',
      address: { env: 'OPS_URL' },
      secretEnv: 'OPS_KEY',
      events: ['parked', 'backoff'],
      profiles: ['coder'],
    },
    {
      name: 'chat',
      to: 'slack',
      address: { file: '/run/secrets/slack' },
      secretEnv: null,
      events: ALL,
      profiles: null,
    },
    { name: 'own', to: 'exec', command: ['sh', '-c', 'cat >>log'], events: ALL, profiles: null },
  ])
})

test('a wrong target is refused with file, line and key, and the others stay', () => {
  const { targets, problems } = read(`notify:
  - name: ops
    to: carrier-pigeon
    url_env: X
  - {name: fine, to: exec, command: [a]}
  - name: chat
    to: slack
    ulr_env: X
  - {to: exec, command: [a]}
  - {name: both, to: webhook, url_env: A, url_file: b}
  - {name: fine, to: exec, command: [a]}
  - {name: push, to: gotify, url_env: A}
  - {name: sign, to: discord, url_env: A, secret_env: B}
  - {name: run, to: exec, url_env: A}
  - text
`)
  expect(targets.map(({ name }) => name)).toEqual(['fine'])
  expect(problems).toEqual([
    'config.yaml, line 3: notify.ops.to: expected webhook, ntfy, slack, discord, gotify, mail or exec, got "carrier-pigeon"',
    'config.yaml, line 8: notify.chat.ulr_env: unknown key; did you mean url_env?',
    'config.yaml, line 9: notify.4: name is missing',
    'config.yaml, line 10: notify.both: webhook needs one of url, url_env, url_file',
    'config.yaml, line 11: notify.fine: there is another target with the name fine',
    'config.yaml, line 12: notify.push: gotify needs secret_env, a variable with its token',
    'config.yaml, line 13: notify.sign: discord does not use secret_env',
    'config.yaml, line 14: notify.run: exec does not use url_env',
    'config.yaml, line 15: notify.10: expected keys such as name, got something else (not shown)',
  ])
})

test('a mail target has a mail server, a sender and recipients', () => {
  const mail = (more: string) => read(`notify: [{name: ops, to: mail, ${more}}]`)
  const { targets, problems } = mail(
    'url: "smtp://u@mail.example", secret_env: PW, mail_from: h@example.com, mail_to: a@example.com',
  )
  expect(problems).toEqual([])
  expect(targets).toEqual([
    {
      name: 'ops',
      to: 'mail',
      address: { value: 'smtp://u@mail.example' },
      secretEnv: 'PW',
      sender: 'h@example.com',
      recipients: ['a@example.com'],
      events: ALL,
      profiles: null,
    },
  ])
  expect(targets.map(shownTarget)).toEqual([
    {
      name: 'ops',
      to: 'mail',
      url: '****',
      secret_env: 'PW',
      mail_from: 'h@example.com',
      mail_to: ['a@example.com'],
      events: ALL,
    },
  ])
  const problem = (more: string) => mail(more).problems
  const addresses = 'mail_from: h@example.com, mail_to: [a@example.com, b@example.com]'
  expect(problem(`url_env: A, ${addresses}`)).toEqual([])
  expect(problem(`url: "https://mail.example", ${addresses}`)).toEqual([
    'config.yaml, line 1: notify.ops: mail needs a URL that begins with smtp:// or smtps://',
  ])
  expect(problem('url_env: A, mail_to: a@example.com')).toEqual([
    'config.yaml, line 1: notify.ops: mail needs mail_from and mail_to, mail addresses',
  ])
  // Two in one text would be a second recipient that is not checked.
  expect(problem('url_env: A, mail_from: h@example.com, mail_to: "a@example.com, b@example.com"')).toEqual([
    'config.yaml, line 1: notify.ops.mail_to: expected a mail address such as ops@example.com, or a list of them, got "a@example.com, b@example.com"',
  ])
  expect(read(`notify: [{name: ops, to: ntfy, url: "smtp://mail.example"}]`).problems).toEqual([
    'config.yaml, line 1: notify.ops: ntfy needs a URL that begins with http:// or https://',
  ])
  expect(read(`notify: [{name: ops, to: ntfy, url_env: A, mail_to: a@example.com}]`).problems).toEqual([
    'config.yaml, line 1: notify.ops: ntfy does not use mail_to',
  ])
})

test('an address is in no message and no output', () => {
  const secret = 'hooks.example/T0KEN'
  const { targets } = read(`notify: [{name: ops, to: slack, url: "https://${secret}"}]`)
  expect(JSON.stringify(targets)).toContain(secret)
  expect(targets.map(shownTarget)).toEqual([{ name: 'ops', to: 'slack', url: '****', events: ALL }])
  for (const text of [
    `notify: [{name: ops, to: slack, url: ${secret}}]`,
    `notify: [{name: ops, to: slack, url_env: "https://${secret}"}]`,
    `notify: "https://${secret}"`,
    `notify: {ops: "https://${secret}"}`,
    `notify: ["https://${secret}"]`,
  ]) {
    const { problems } = read(text)
    expect([problems.length, JSON.stringify(parseConfig(text, 'config.yaml').problems)]).toEqual([
      1,
      expect.not.stringContaining(secret),
    ])
  }
})

test('config set takes a list of targets, and refuses a wrong one', () => {
  const value = '[{name: ops, to: exec, command: [cat]}]'
  expect(read(setConfigValue('description: x\n', 'notify', value)).targets).toMatchObject([{ name: 'ops' }])
  expect(() => setConfigValue('', 'notify', '[{name: ops, to: exec}]')).toThrow(
    'notify.ops: exec needs command, a list of a program and its arguments',
  )
})

test.each([
  ['{name: a, to: exec, command: [b]}', true],
  ['{name: a, to: webhook, url: "https://x"}', true],
  ['{name: a, to: ntfy, url_env: X, secret_env: Y, events: [parked], profiles: [default]}', true],
  ['{name: a, to: webhook}', false],
  ['{name: a, to: webhook, url_env: X, url_file: y}', false],
  ['{name: a, to: exec}', false],
  ['{name: a, to: webhook, url_env: X, events: [fire]}', false],
  ['{name: A, to: exec, command: [b]}', false],
  ['{name: a, to: webhook, url: "ftp://x"}', false],
  ['{name: a, to: slack, url_env: X, secret_env: Y}', false],
  ['{name: a, to: gotify, url_env: X}', false],
  ['{name: a, to: gotify, url_env: X, secret_env: Y}', true],
  ['{name: a, to: mail, url_env: X, mail_from: a@b, mail_to: [c@d]}', true],
  ['{name: a, to: mail, url_env: X, mail_from: a@b}', false],
  ['{name: a, to: mail, url: "https://x", mail_from: a@b, mail_to: c@d}', false],
  ['{name: a, to: exec, command: [b], mail_to: c@d}', false],
])('the JSON Schema of editors judges %s as the reader does', async (item, isRight) => {
  const { parse } = await import('yaml')
  const text = `notify: [${item}]`
  expect(new Ajv2020({ strict: false }).validate(configJsonSchema(), parse(text))).toBe(isRight)
  expect(read(text).problems.length === 0).toBe(isRight)
})
