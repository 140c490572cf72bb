import { expect, test } from 'vitest'
import { Outage } from '../../../src/kanban/dispatch/outage.ts'

test('a database that is away is tried again after 1, 2, 4, 8 and then every 15 s, and is news once', () => {
  const outage = new Outage()
  let nowMs = 100_000
  expect(outage.waits(nowMs)).toBe(false)
  for (const [index, delayMs] of [1000, 2000, 4000, 8000, 15_000, 15_000].entries()) {
    expect(outage.failed(nowMs)).toBe(index === 0)
    expect(outage.waits(nowMs + delayMs - 1)).toBe(true)
    expect(outage.waits(nowMs + delayMs)).toBe(false)
    nowMs += delayMs
  }
  expect(outage.answered(nowMs)).toBe(45_000)
  expect(outage.answered(nowMs)).toBeUndefined()
  expect(outage.failed(nowMs)).toBe(true)
})

test('a sign that it answers ends the wait, and not the outage', () => {
  const outage = new Outage()
  outage.failed(0)
  outage.hasSign()
  expect(outage.waits(1)).toBe(false)
  expect(outage.failed(1)).toBe(false)
  expect(outage.waits(2000)).toBe(true)
  expect(outage.answered(3000)).toBe(3000)
})
