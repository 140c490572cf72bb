import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Notification } from '../../../src/notify/notification.ts'
import { send } from '../../../src/notify/send/send.ts'
import type { NotifyTarget } from '../../../src/profile/config/kinds/notify-kinds.ts'
import type { AddressSource } from '../../../src/profile/config/kinds/target-fields.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { startReceiver } from '../../support/notify/receiver.ts'
import { scratchDir } from '../../support/scratch.ts'

const notification: Notification = {
  id: 'an-id',
  event: 'test',
  severity: 'info',
  at: '2026-01-01T00:00:00.000Z',
  text: 'hello',
  count: 1,
}
const facts = { name: 'ops', events: [], profiles: null }
const webhook = (address: AddressSource, secretEnv: string | null = null): NotifyTarget => ({
  ...facts,
  to: 'webhook',
  address,
  secretEnv,
})
const program = (...command: readonly string[]): NotifyTarget => ({ ...facts, to: 'exec', command })

const sending = (home: string, env: Readonly<Record<string, string>> = {}) => {
  const { signal } = new AbortController()
  return (target: NotifyTarget) => send(target, notification, { home, env, clock: systemClock(), signal })
}

test('an address comes from a variable or from a file, which is read for each attempt', async () => {
  const home = scratchDir('hermes-send-')
  await using receiver = await startReceiver()
  const to = sending(home, { HOOK: receiver.url, NO_URL: 'ftp://x' })
  expect(await to(webhook({ env: 'HOOK' }))).toMatchObject({ is: 'delivered' })
  expect(await to(webhook({ env: 'OTHER' }))).toEqual({ is: 'failed', text: 'the variable OTHER is not set' })
  expect(await to(webhook({ env: 'NO_URL' }))).toEqual({
    is: 'failed',
    text: 'the variable NO_URL has no URL that begins with http:// or https://',
  })
  const file = join(home, 'hook')
  expect(await to(webhook({ file: 'hook' }))).toEqual({ is: 'failed', text: `${file} does not exist` })
  writeFileSync(file, `${receiver.url}\n`)
  expect(await to(webhook({ file: 'hook' }))).toMatchObject({ is: 'delivered' })
  expect(receiver.requests).toHaveLength(2)
})

test('a message without the secret that it should be signed with waits', async () => {
  const to = sending(scratchDir('hermes-send-'))
  expect(await to(webhook({ value: 'http://127.0.0.1:1/' }, 'KEY'))).toEqual({
    is: 'failed',
    text: 'the variable KEY is not set',
  })
})

test('a program gets the notification on its standard input, in the data directory, and says by its exit code whether it took it', async () => {
  const home = scratchDir('hermes-send-')
  const to = sending(home, { PATH: process.env.PATH ?? '' })
  const script = 'cat >got; echo "$HERMES_NOTIFY_ID $HERMES_NOTIFY_EVENT" >variables; yes | head -c 1000000'
  expect(await to(program('sh', '-c', script))).toEqual({ is: 'delivered', text: 'sh exited with 0' })
  expect(JSON.parse(readFileSync(join(home, 'got'), 'utf8'))).toEqual(notification)
  expect(readFileSync(join(home, 'variables'), 'utf8')).toBe('an-id test\n')
  expect(await to(program('sh', '-c', 'exit 3'))).toEqual({ is: 'failed', text: 'sh exited with 3' })
  expect(await to(program('sh', '-c', 'kill -9 $$'))).toEqual({ is: 'failed', text: 'sh was killed by SIGKILL' })
  expect(await to(program('/nowhere/program'))).toEqual({
    is: 'failed',
    text: 'program cannot be started: ENOENT',
  })
  // It may end without reading anything.
  expect(await to(program('true'))).toMatchObject({ is: 'delivered' })
})
