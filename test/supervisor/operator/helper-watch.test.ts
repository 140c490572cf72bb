import { expect, test } from 'vitest'
import type { ToInit } from '../../../src/protocol/init.ts'
import { HelperWatch, helperTimeoutMs } from '../../../src/supervisor/operator/helper-watch.ts'
import type { SlotEntry } from '../../../src/supervisor/slots/entry.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'

const up = (id: number) => ({ slot: { state: 'up', child: { id, pid: 100 + id } } }) as unknown as SlotEntry

function scene() {
  const clock = fakeClock()
  const sent: ToInit[] = []
  const lines: string[] = []
  const slots = new Map<string, SlotEntry>([['dashboard', up(1)]])
  const watch = new HelperWatch({
    table: { get: (key) => slots.get(key) },
    clock,
    helpers: ['dashboard', 'dispatcher'],
    timeoutMs: 30_000,
    send: (message) => sent.push(message),
    warn: (text) => lines.push(text),
  })
  watch.watch()
  return { clock, sent, lines, slots, watch }
}

test('a helper that sends a heartbeat every five seconds is left alone', () => {
  const { clock, sent, watch } = scene()
  for (let i = 0; i < 100; i++) clock.advance(watch.alive('dashboard'))
  expect(sent).toEqual([])
})

test('a silent one is killed once, between 30 and 35 seconds after its last heartbeat', () => {
  const { clock, sent, lines, watch } = scene()
  watch.alive('dashboard')
  clock.advance(30_000)
  expect(sent).toEqual([])
  clock.advance(5000)
  expect(sent).toEqual([{ type: 'signal', child: 1, signal: 'KILL', target: 'group' }])
  expect(lines).toEqual(['dashboard (pid 101) has not answered for 30 s; it is killed and starts again'])
})

test('a new process has the whole time for itself', () => {
  const { clock, sent, slots } = scene()
  clock.advance(30_000)
  slots.set('dashboard', up(2))
  clock.advance(30_000)
  expect(sent).toEqual([])
  slots.set('dashboard', { slot: { state: 'down' } } as unknown as SlotEntry)
  clock.advance(60_000)
  expect(sent).toEqual([])
})

test('the time-out is 30 s unless it is set, in seconds', () => {
  const lines: string[] = []
  const told = (text: string | undefined) => helperTimeoutMs(text, (line) => lines.push(line))
  expect([told(undefined), told(''), told('5')]).toEqual([30_000, 30_000, 5000])
  expect(lines).toEqual([])
  expect([told('0'), told('soon')]).toEqual([30_000, 30_000])
  expect(lines).toHaveLength(2)
})
