import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import type { Node } from '../../../src/kanban/port/nodes.ts'
import { NANOS_PER_USD } from '../../../src/meter/prices.ts'
import { openOutbox } from '../../../src/notify/outbox/outbox.ts'
import { lookAtBudget } from '../../../src/notify/watch/budgets.ts'
import { DISK_NOTE, FULL_BYTES, freeBytesOf, lookAtDisk } from '../../../src/notify/watch/disk.ts'
import { LOST_LINES_NOTE, lookAtLostLines } from '../../../src/notify/watch/lost-lines.ts'
import { lookAtMemory, OOM_NOTE, oomKills } from '../../../src/notify/watch/memory.ts'
import { lookAtNodes } from '../../../src/notify/watch/nodes.ts'
import type { Budget } from '../../../src/profile/config/kinds/kinds.ts'
import { scratchDir } from '../../support/scratch.ts'

const AT = Date.UTC(2026, 0, 1, 12)

test('a disk with less than 64 MB left is reported once, until there is clearly more room again', () => {
  const full = lookAtDisk(undefined, FULL_BYTES - 1, '/data', AT)
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
  expect(lookAtDisk(undefined, FULL_BYTES, '/data', AT)).toEqual(nothing)
  expect(lookAtDisk(true, 2 * FULL_BYTES, '/data', AT)).toEqual({
    notes: [{ subject: 'disk', value: undefined }],
    observed: [],
  })
  expect([freeBytesOf('/') === undefined, freeBytesOf('/nowhere')]).toEqual([false, undefined])
})

test('a look remembers in the outbox what it has found, so that it is reported once', () => {
  const home = scratchDir('hermes-looks-')
  const outbox = openOutbox(home, () => undefined)
  const ping = { instance: 'a', pid: 1, linesLost: 3 }
  const looks = () => [
    lookAtDisk(outbox.note(DISK_NOTE), 0, '/data', AT),
    lookAtMemory(outbox.note(OOM_NOTE), 2, [], AT),
    lookAtLostLines(outbox.note(LOST_LINES_NOTE), ping, '/data', AT),
  ]
  try {
    const first = looks()
    expect(first.map(({ observed }) => observed.length)).toEqual([1, 0, 1])
    for (const { notes } of first) outbox.observe(notes, [], [], { wallMs: AT, node: undefined })
    expect(looks()).toEqual([1, 2, 3].map(() => ({ notes: [], observed: [] })))
  } finally {
    outbox.close()
  }
})

test('kills for want of memory are reported with the slots that were killed, also if the counter begins anew', () => {
  const next = 'give the container more memory, or gateways a gateway.memory_limit'
  const texts = (known: unknown, kills: number, ...slots: string[]) =>
    lookAtMemory(
      known,
      kills,
      slots.map((slot) => ({ slot, profile: slot.slice('gateway-'.length) })),
      AT,
    ).observed.map(({ slot, profile, text }) => [slot, profile, text])
  const cause = (what: string) => `the container is out of memory: the kernel has killed ${what} in it; ${next}`
  expect(texts(undefined, 5, 'gateway-coder')).toEqual([])
  expect(texts(5, 6)).toEqual([[undefined, undefined, cause('a process')]])
  expect(texts(5, 7, 'gateway-coder')).toEqual([
    ['gateway-coder', 'coder', `gateway-coder was killed: ${cause('2 processes')}`],
  ])
  expect(texts(5, 1)).toEqual([[undefined, undefined, cause('a process')]])
  expect(texts(5, 0)).toEqual([])
})

test("the kernel's counter is that of the nearest cgroup that has one, in both versions", () => {
  const dir = scratchDir('hermes-cgroups-')
  const file = (path: string, text: string) => {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), text)
  }
  const kills = () => oomKills(join(dir, 'cgroup'), join(dir, 'self'))
  expect(kills()).toBeUndefined()
  // Version 2: the slot's own cgroup is threaded, and has no such file.
  file('self', '0::/docker/one/slot-notifier\n')
  file('cgroup/docker/one/slot-notifier/pids.max', '64\n')
  expect(kills()).toBeUndefined()
  file('cgroup/docker/one/memory.events', 'low 0\nhigh 0\nmax 41\noom 3\noom_kill 2\noom_group_kill 0\n')
  expect(kills()).toBe(2)
  // Version 1: the mount starts at the container's own cgroup.
  file('self', '9:pids:/docker/one\n8:memory:/docker/one\n0::/docker/one\n')
  expect(kills()).toBeUndefined()
  file('cgroup/memory/memory.oom_control', 'oom_kill_disable 0\nunder_oom 0\noom_kill 7\n')
  expect(kills()).toBe(7)
})

test('lines that could not be written are counted once, also over supervisors', () => {
  const look = (known: unknown, pid: number, linesLost?: number) =>
    lookAtLostLines(known, { instance: 'a', pid, ...(linesLost !== undefined && { linesLost }) }, '/data', AT)
  const nothing = { notes: [], observed: [] }
  expect(look(undefined, 1)).toEqual(nothing)
  const first = look(undefined, 1, 3)
  expect(first.observed.map(({ event, text }) => [event, text])).toEqual([
    [
      'lines_lost',
      '3 lines of output could not be written to log files; free some space or repair the directory: df -h /data/logs',
    ],
  ])
  const known = first.notes[0]?.value
  expect(look(known, 1, 3)).toEqual(nothing)
  expect(look(known, 1, 4).observed[0]?.text).toMatch(/^1 line of output/)
  expect(look(known, 2)).toEqual(nothing)
  expect(look(known, 2, 2).observed[0]?.text).toMatch(/^2 lines of output/)
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
