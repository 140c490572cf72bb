import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Notification } from '../../src/notify/notification.ts'
import { readLetters } from '../../src/notify/outbox/report.ts'
import { startReceiver } from '../support/notify/receiver.ts'
import { quickScratchDir } from '../support/scratch.ts'

const PROGRAM = join(import.meta.dirname, '..', 'support', 'programs', 'notify', 'killed-notifier.ts')

test('a notifier that is killed at any point sends each message at least once, and again with the same id and bytes', async () => {
  const home = quickScratchDir('hermes-notify-')
  await using receiver = await startReceiver()
  const run = async (slot: string, point: string): Promise<unknown> => {
    const child = spawn(process.execPath, [PROGRAM, home, receiver.url, slot, point], { stdio: 'inherit' })
    const [code, signal] = await once(child, 'exit')
    return signal ?? code
  }
  const points = ['observed', 'kept', 'taken', 'sent', 'settled']
  for (const point of points) {
    expect(await run(`gateway-${point}`, point)).toBe('SIGKILL')
    expect(await run(`gateway-${point}`, '')).toBe(0)
  }
  const all = receiver.requests.map(({ headers, body }) => ({
    delivery: headers['x-hermes-delivery'],
    body,
    notification: JSON.parse(body) as Notification,
  }))
  const times = points.map((point) => {
    const own = all.filter(({ notification }) => notification.slot === `gateway-${point}`)
    // One id, one text, and the header says the same.
    expect(new Set(own.map(({ body }) => body)).size).toBe(1)
    for (const { delivery, notification } of own) expect(delivery).toBe(notification.id)
    return own.length
  })
  // Only where it was killed between the answer and the record of it, the message is sent twice.
  expect(times).toEqual([1, 1, 1, 2, 1])
})

test('ten thousand events take no memory: a notifier with room for a tenth of their texts makes a digest of them', async () => {
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
})
