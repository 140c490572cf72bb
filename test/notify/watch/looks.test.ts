import { expect, test } from 'vitest'
import type { Node } from '../../../src/kanban/port/nodes.ts'
import { NANOS_PER_USD } from '../../../src/meter/prices.ts'
import { lookAtBudget } from '../../../src/notify/watch/budgets.ts'
import { FULL_BYTES, freeBytesOf, lookAtDisk } from '../../../src/notify/watch/disk.ts'
import { lookAtNodes } from '../../../src/notify/watch/nodes.ts'
import type { Budget } from '../../../src/profile/config/kinds.ts'

const AT = Date.UTC(2026, 0, 1, 12)

test('a disk with less than 64 MB left is reported once, until there is clearly more room again', () => {
  const full = lookAtDisk(false, FULL_BYTES - 1, '/data', AT)
  expect(full.observed).toEqual([
    {
      event: 'disk_full',
      atMs: AT,
      text: 'the disk of /data is nearly full: 63 MB are left; free some space: df -h /data',
    },
  ])
  const nothing = { notes: [], observed: [] }
  expect(lookAtDisk(true, 0, '/data', AT)).toEqual(nothing)
  expect(lookAtDisk(true, FULL_BYTES + 1, '/data', AT)).toEqual(nothing)
  expect(lookAtDisk(false, FULL_BYTES, '/data', AT)).toEqual(nothing)
  expect(lookAtDisk(true, 2 * FULL_BYTES, '/data', AT)).toEqual({
    notes: [{ subject: 'disk', value: undefined }],
    observed: [],
  })
  expect([freeBytesOf('/') === undefined, freeBytesOf('/nowhere')]).toEqual([false, undefined])
})

test('a budget is reported when it is nearly spent, when it is spent, and again in the next period', () => {
  const budget: Budget = { per: 'day', usd: 5, tokens: null, warnAt: 0.8, taskUsd: null }
  const look = (usd: number, reported: unknown, atMs = AT) =>
    lookAtBudget('coder', budget, { nanos: usd * NANOS_PER_USD, tokens: 0 }, reported, atMs)
  expect(look(3.9, undefined)).toEqual({})
  const warning = look(4.1, undefined)
  expect([warning.reported, warning.observed?.text]).toEqual([
    '2026-01-01 warning',
    'the budget of coder is nearly spent: 4.1000 of 5 USD this day',
  ])
  expect(look(4.5, warning.reported)).toEqual({})
  const spent = look(5, warning.reported)
  expect([spent.reported, spent.observed?.text]).toEqual([
    '2026-01-01 limit',
    'the budget of coder is spent: 5.0000 of 5 USD this day; its requests are refused',
  ])
  expect(look(6, spent.reported)).toEqual({})
  // A raised limit may bring the share down again: that is not news.
  expect(look(4.1, spent.reported)).toEqual({})
  expect(look(5, spent.reported, AT + 86_400_000).reported).toBe('2026-01-02 limit')
})

test('a node is reported as lost when its lease has lapsed, and not when it has stopped in order', () => {
  const node = (id: string, state: Node['state'], heldMs: number, own = false): Node =>
    ({
      id,
      name: `name-${id}`,
      own,
      state,
      lease: { epoch: 1, ms: 30_000, takenAtMs: AT, untilMs: AT + heldMs },
      heardAtMs: AT,
      silentMs: 41_000,
    }) as Node
  const known = new Map(['a', 'b', 'c'].map((id) => [id, 'live']))
  const { notes, observed } = lookAtNodes(
    known,
    [
      node('a', 'silent', 30_000),
      node('b', 'silent', 1000),
      node('c', 'live', 30_000),
      node('new', 'silent', 30_000),
      node('ours', 'silent', 30_000, true),
    ],
    AT,
  )
  expect(observed).toEqual([
    { event: 'node_lost', atMs: AT, text: 'node name-a has not been heard of for 41 s; hermes nodes' },
  ])
  expect(notes.map(({ subject, value }) => [subject, value])).toEqual([
    ['node:a', 'silent'],
    ['node:b', 'silent'],
    ['node:new', 'silent'],
  ])
})
