// Notifications from the outside: real init, supervisor and notifier, and a real web server as the target.
import { createHmac } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Notification } from '../../../src/notify/notification.ts'
import { hermes as command } from '../../support/cli.ts'
import { startHermes } from '../../support/hermes.ts'
import { startReceiver } from '../../support/notify/receiver.ts'
import { quickScratchDir } from '../../support/scratch.ts'
import { waitFor } from '../../support/wait.ts'

const KEY = 'neutral-signing-key-0123'
/** On an idle machine a message needs less than 5 s; the rest is for a busy one. */
const patient = { deadlineMs: 60_000 }

test('a gateway that parks reaches a server that fails twice, once and signed, also after the notifier was killed', {
  timeout: 400_000,
}, async () => {
  await using receiver = await startReceiver((response, count) => {
    response.writeHead(count <= 2 ? 503 : 200).end()
  })
  const home = quickScratchDir('hermes-notify-')
  writeFileSync(join(home, '.env'), `OPS_URL=${receiver.url}/T0KEN\nOPS_KEY=${KEY}\n`, { mode: 0o600 })
  const stays = { command: ['sleep', '100000'], ready_after: '50ms' }
  await using hermes = await startHermes({
    home,
    keepHome: true,
    profiles: [
      {
        name: 'default',
        gateway: stays,
        notify: [
          { name: 'ops', to: 'webhook', url_env: 'OPS_URL', secret_env: 'OPS_KEY', events: ['parked', 'task_done'] },
          { name: 'writers', to: 'webhook', url_env: 'OPS_URL', profiles: ['writer'] },
        ],
      },
      { name: 'coder', gateway: { command: ['sh', '-c', 'exit 78'] } },
    ],
  })
  const cli = (...args: readonly string[]) => command(args, { home, env: { HERMES_RUN_DIR: hermes.runDir } })
  const accepted = () => receiver.requests.slice(2)
  const bodies = () => accepted().map(({ body }) => JSON.parse(body) as Notification)
  const upPid = async (slot: string, not?: number): Promise<number | undefined> => {
    const seen = await hermes.slot(slot)
    return seen?.state === 'up' && seen.pid !== not ? seen.pid : undefined
  }

  // The same bytes and the same id three times, and after the answer 200 no more.
  await waitFor('the message to be taken', () => accepted().length > 0, patient)
  const [first] = bodies()
  expect(first).toMatchObject({
    event: 'parked',
    severity: 'error',
    slot: 'gateway-coder',
    profile: 'coder',
    count: 1,
    text: expect.stringMatching(/^gateway-coder is parked: .*78.*; fix the cause .* hermes -p coder gateway start$/),
  })
  expect(new Set(receiver.requests.map(({ body }) => body)).size).toBe(1)
  for (const { headers, body } of receiver.requests) {
    expect(headers['x-hermes-delivery']).toBe(first?.id)
    expect(headers['x-hermes-signature-256']).toBe(`sha256=${createHmac('sha256', KEY).update(body).digest('hex')}`)
  }
  const listed = async () => JSON.parse((await cli('notify', 'list', '--json')).stdout)
  const [target] = (
    await waitFor(
      'the delivery to be recorded',
      async () => {
        const found = await listed()
        return found.targets[0].delivered_at !== undefined && found
      },
      patient,
    )
  ).targets
  expect(target).toMatchObject({ name: 'ops', url_env: 'OPS_URL', secret_env: 'OPS_KEY', waiting: 0, dead: 0 })

  // The death of the notifier touches no other slot, and what happens while none runs is sent by the next one.
  const before = await upPid('gateway-default')
  const notifier = await waitFor('the notifier to be up', () => upPid('notifier'), patient)
  process.kill(notifier, 'SIGKILL')
  expect((await cli('kanban', 'init')).code).toBe(0)
  const created = JSON.parse((await cli('kanban', 'create', 'a task', '--json')).stdout) as { id: string }
  expect((await cli('kanban', 'complete', created.id)).code).toBe(0)
  expect((await cli('-p', 'coder', 'gateway', 'start')).code).toBe(1)
  await waitFor(
    'both messages',
    () => {
      const events = bodies().slice(1)
      return (
        events.some(({ event, task }) => event === 'task_done' && task === created.id) &&
        events.some(({ event, slot }) => event === 'parked' && slot === 'gateway-coder')
      )
    },
    { ...patient, more: async () => JSON.stringify(bodies()) },
  )
  expect(new Set(bodies().map(({ id }) => id)).size).toBe(bodies().length)
  expect(await upPid('gateway-default')).toBe(before)
  await waitFor('another notifier', () => upPid('notifier', notifier), patient)

  // The other target gets no event of this profile, and a test message only by the command.
  const tried = await cli('notify', 'test', 'writers')
  expect([tried.code, tried.stdout]).toEqual([0, expect.stringMatching(/^writers: delivered as .*: answered 200\n$/)])
  expect(bodies().at(-1)).toMatchObject({ event: 'test', count: 1 })
  const why = await cli('notify', 'why', 'writers')
  expect(why.stdout).toBe('writers:\n  no event for it has happened yet\n  it only gets events of writer (profiles)\n')
  const unknown = await cli('notify', 'test', 'nosuch')
  expect([unknown.code, unknown.stderr]).toEqual([
    1,
    'hermes: there is no target "nosuch" in notify\n  next: targets: ops, writers\n',
  ])

  // Without a target there is no notifier.
  expect((await cli('config', 'set', 'notify', '[]')).code).toBe(0)
  await waitFor('the notifier to go down', async () => (await hermes.slot('notifier'))?.state === 'down', patient)

  // The secret and the path of the address are in the file of the user alone.
  const secrets = [KEY, 'T0KEN']
  const files = readdirSync(home, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !file.startsWith(hermes.runDir))
    .filter((file) => secrets.some((secret) => readFileSync(file).includes(secret)))
  expect(files).toEqual([join(home, '.env')])
  for (const secret of secrets) expect(hermes.stdout() + hermes.stderr()).not.toContain(secret)
})

test('without a target there is no notifier and no file of it', async () => {
  await using hermes = await startHermes({
    profiles: [{ name: 'default', gateway: { command: ['sleep', '100000'], ready_after: '50ms' } }],
  })
  await waitFor('the gateway to be up', async () => (await hermes.slot('gateway-default'))?.state === 'up', patient)
  expect((await hermes.status()).slots.map(({ slot }) => slot)).not.toContain('notifier')
  expect(readdirSync(hermes.home)).not.toContain('notify.db')
})
