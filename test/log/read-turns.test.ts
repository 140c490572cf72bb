import { expect, test } from 'vitest'
import { ReadTurns } from '../../src/log/io/read-turns.ts'
import { waitFor } from '../support/wait.ts'

test('a hundred slots that always have something take turns, a few at a time, and none is left behind', async () => {
  const turns = new ReadTurns()
  const reads = new Array<number>(100).fill(0)
  let inThisTurn = 0
  let most = 0
  let running = true
  const read = (slot: number): void => {
    reads[slot]!++
    most = Math.max(most, ++inThisTurn)
    if (running) turns.mayContinue(() => read(slot)) || waiting.add(slot)
  }
  const waiting = new Set<number>()
  // Acts as the event loop: in each turn, slots that still read are read once.
  const loop = (): void => {
    inThisTurn = 0
    if (running) setImmediate(loop)
  }
  setImmediate(loop)
  for (let slot = 0; slot < 100; slot++) turns.mayContinue(() => read(slot))
  await waitFor('every slot to be read often', () => Math.min(...reads.slice(20)) > 20)
  running = false
  expect(most).toBeLessThanOrEqual(8)
  expect(Math.max(...reads) - Math.min(...reads.slice(20))).toBeLessThan(3)
})

test('a single slot is never made to wait', async () => {
  const turns = new ReadTurns()
  let turn = 0
  await waitFor('ten turns', () => {
    expect(turns.mayContinue(() => expect.unreachable('it was not stopped'))).toBe(true)
    return ++turn > 10
  })
})
