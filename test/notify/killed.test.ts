import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Notification } from '../../src/notify/notification.ts'
import { openOutbox, outboxFile } from '../../src/notify/outbox/outbox.ts'
import { readLetters } from '../../src/notify/outbox/report.ts'
import { startReceiver } from '../support/notify/receiver.ts'
import { quickScratchDir } from '../support/scratch.ts'

const timeout = 400_000
const PROGRAM = join(import.meta.dirname, '..', 'support', 'programs', 'notify', 'killed-notifier.ts')

test('a notifier that is killed at any point sends each message at least once, and again with the same id and bytes', {
  timeout,
}, async () => {
  const home = quickScratchDir('hermes-notify-')
  await using receiver = await startReceiver()
  const run = async (slots: readonly string[], point: string): Promise<unknown> => {
    const args = [PROGRAM, home, receiver.url, slots.join(','), point]
    const [code, signal] = await once(spawn(process.execPath, args, { stdio: 'inherit' }), 'exit')
    return signal ?? code
  }
  const points = ['observed', 'kept', 'taken', 'sent', 'settled']
  const slots = points.map((point) => `gateway-${point}`)
  // Each of them finds the messages that the ones before have left.
  for (const point of points) expect(await run([`gateway-${point}`], point)).toBe('SIGKILL')
  expect(await run(slots, '')).toBe(0)
  const all = receiver.requests.map(({ headers, body }) => ({
    delivery: headers['x-hermes-delivery'],
    body,
    notification: JSON.parse(body) as Notification,
  }))
  for (const { delivery, notification } of all) expect(delivery).toBe(notification.id)
  const bodies = new Set(all.map(({ body }) => body))
  expect([...bodies].map((body) => (JSON.parse(body) as Notification).slot).sort()).toEqual([...slots].sort())
  // Only the message that was killed between the answer and the record of it was sent twice.
  expect(all.length).toBe(slots.length + 1)
})

test('ten thousand events take no memory: a notifier with room for a tenth of their texts makes a digest of them', {
  timeout,
}, async () => {
  const home = quickScratchDir('hermes-notify-')
  const outbox = join(import.meta.dirname, '..', '..', 'src', 'notify', 'outbox', 'outbox.ts')
  const script = `
    import { openOutbox } from ${JSON.stringify(outbox)}
    const outbox = openOutbox(${JSON.stringify(home)}, console.error)
    const targets = [{ name: 'ops', to: 'exec', command: ['a'], events: ['parked'], profiles: null }]
    for (let i = 0; i < 10_000; i++) {
      const text = \`\${i} \`.repeat(5000)
      outbox.observe([], [{ event: 'parked', atMs: i, text }], targets, { wallMs: i, node: undefined })
    }
    outbox.close()`
  const options = ['--max-old-space-size=24', '--input-type=module', '-e', script]
  const child = spawn(process.execPath, options, { stdio: ['ignore', 'inherit', 'inherit'] })
  expect(await once(child, 'exit')).toEqual([0, null])
  const letters = readLetters(home)
  expect([letters.length, letters.filter(({ event }) => event === 'digest').length]).toEqual([11, 1])
  expect(statSync(outboxFile(home)).size).toBeLessThan(1_000_000)
  const reader = openOutbox(home, (text) => expect.fail(text))
  const counts = letters.map(({ id }) => {
    const letter = reader.take('ops', 120_000, undefined)
    reader.settle('ops', letter?.id ?? id, { is: 'delivered', text: '' }, 120_000)
    return letter?.notification.count ?? 0
  })
  reader.close()
  expect([counts.reduce((a, b) => a + b), Math.max(...counts)]).toEqual([10_000, 9990])
})
