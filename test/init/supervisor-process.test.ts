import { expect, test } from 'vitest'
import { KeptEvents } from '../../src/init/kept-events.ts'
import { restartDelayMs } from '../../src/init/supervisor-process.ts'

test('a supervisor that lived is started again at once; one that keeps failing after 0.25 s, doubling up to 30 s', () => {
  expect([0, 1, 2, 3, 4, 7, 8, 9, 1_000].map(restartDelayMs)).toEqual([
    0, 250, 500, 1_000, 2_000, 16_000, 30_000, 30_000, 30_000,
  ])
})

test('events are numbered from 1 and kept, in order, until one that is not older is acknowledged', () => {
  const kept = new KeptEvents()
  const ready = (slot: string) => kept.add({ type: 'ready', child: 1, slot, atMs: 0 })
  expect([ready('a'), ready('b'), ready('c')].map(({ seq }) => seq)).toEqual([1, 2, 3])
  kept.acknowledge(2)
  kept.acknowledge(1)
  expect(kept.unacknowledged().map(({ seq }) => seq)).toEqual([3])
  expect(ready('d').seq).toBe(4)
  kept.acknowledge(1_000)
  expect(kept.unacknowledged()).toEqual([])
  expect(ready('e').seq).toBe(5)
})

test('ten thousand events that nobody acknowledges are enough', () => {
  const kept = new KeptEvents()
  for (let i = 0; i < 9_999; i++) kept.add({ type: 'ready', child: 1, slot: 'a', atMs: 0 })
  expect(kept.full).toBe(false)
  kept.add({ type: 'ready', child: 1, slot: 'a', atMs: 0 })
  expect(kept.full).toBe(true)
})
