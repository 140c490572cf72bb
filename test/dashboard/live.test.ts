import { describe, expect, test } from 'vitest'
import { usageBetween, usageOf } from '../../src/control/slot-usage.ts'
import { parseBootLine } from '../../src/dashboard/api/boot-line.ts'
import { metricsText } from '../../src/dashboard/contract/metrics-text.ts'
import { CpuTotals } from '../../src/dashboard/live/cpu-totals.ts'
import { LogBatch, MAX_BATCH_LINES, MAX_LINE_CHARS } from '../../src/dashboard/live/log-batch.ts'
import { withSlotEvent } from '../../src/dashboard/live/slot-view.ts'
import { moveTo } from '../../src/kanban/moves.ts'
import { target } from '../../src/kanban/operations.ts'
import { STATUSES } from '../../src/kanban/task.ts'
import type { SlotStatus, StatusResult } from '../../src/protocol/control.ts'
import { bootLines } from '../../src/supervisor/reconcile/boot-log.ts'
import type { ProcessFacts } from '../../src/system/programs/proc.ts'

const AT = '2026-11-22T12:15:18.810Z'

describe('a batch of lines', () => {
  test('counts every line, shown or missed', () => {
    const batch = new LogBatch()
    batch.add(
      Array.from({ length: MAX_BATCH_LINES + 7 }, (_, i) => `line ${i}`),
      AT,
      5,
    )
    expect(batch.isFull).toBe(true)
    const { lines, missed } = batch.take()
    expect(lines).toHaveLength(MAX_BATCH_LINES)
    expect(lines[0]).toEqual({ at: AT, text: 'line 0' })
    expect(missed).toBe(12)
    expect(batch.isEmpty).toBe(true)
  })

  test('of long lines holds fewer, and cuts one that alone would fill it', () => {
    const batch = new LogBatch()
    batch.add(
      Array.from({ length: 100 }, () => 'x'.repeat(300_000)),
      AT,
      0,
    )
    const { lines, missed } = batch.take()
    expect(lines.length + missed).toBe(100)
    expect(lines.every(({ text }) => text.length === MAX_LINE_CHARS + 2 && text.endsWith(' …'))).toBe(true)
  })
})

describe('usage', () => {
  const one = (pid: number, ppid: number, session: number, cpuTicks: number, state = 'S'): ProcessFacts => ({
    pid,
    ppid,
    session,
    cpuTicks,
    waitedTicks: 0,
    state,
    comm: '',
    pgrp: session,
    terminal: 0,
    foreground: -1,
    startTime: 0,
    residentPages: 10,
  })
  const slots = [{ slot: 'a', pid: 100 }, { slot: 'b', pid: 200 }, { slot: 'c' }]

  test('is of the slot’s session and of what it started elsewhere, each process once, the dead not counted', () => {
    const all = [
      one(1, 0, 1, 999),
      one(100, 1, 100, 50),
      one(101, 100, 100, 50),
      one(102, 101, 102, 100),
      one(103, 1, 100, 1),
    ]
    const look = usageOf(slots, [...all, one(104, 100, 100, 7, 'Z'), one(200, 1, 200, 10)], 4096, 0)
    expect(look.slots.get('a')).toEqual({ cpuSeconds: 2.01, memoryBytes: 4 * 40_960, processes: 4 })
    expect(look.slots.get('b')).toEqual({ cpuSeconds: 0.1, memoryBytes: 40_960, processes: 1 })
    expect(look.slots.has('c')).toBe(false)
  })

  test('has the time of children that have ended, with the process that has waited for them', () => {
    const look = usageOf(slots, [{ ...one(100, 1, 100, 100), waitedTicks: 50 }], 4096, 0)
    expect(look.slots.get('a')?.cpuSeconds).toBe(1.5)
  })

  test('in cores is what was used between two looks; nothing at the first, and never below nothing', () => {
    const look = (atMs: number, ticks: number) => usageOf(slots, [one(100, 1, 100, ticks)], 4096, atMs)
    expect(usageBetween(undefined, look(0, 500)).a?.cpu).toBe(0)
    expect(usageBetween(look(0, 500), look(2000, 600)).a?.cpu).toBe(0.5)
    expect(usageBetween(look(0, 500), look(2000, 100)).a?.cpu).toBe(0)
  })
})

describe('processor time of a slot as a counter', () => {
  /** The total of slot a after each look: `[pid, seconds of its living processes]`. */
  const totals = (looks: readonly (readonly [pid: number | undefined, cpuSeconds: number] | undefined)[]) => {
    const cpu = new CpuTotals()
    return looks.map((look) => {
      const slots = look === undefined ? [] : [{ slot: 'a', ...(look[0] !== undefined && { pid: look[0] }) }]
      const used =
        look?.[0] === undefined ? [] : [['a', { cpuSeconds: look[1], memoryBytes: 0, processes: 1 }] as const]
      cpu.count(slots, { slots: new Map(used) })
      return cpu.secondsOf('a')
    })
  }

  test('begins at nothing, whatever was used before the first look, and takes what comes later', () => {
    expect(
      totals([
        [7, 100],
        [7, 100.25],
        [7, 103],
      ]),
    ).toEqual([0, 0.25, 3])
    // A slot that begins later is counted from its beginning.
    expect(totals([undefined, [7, 2], [7, 3]])).toEqual([0, 2, 3])
  })

  test('does not fall at a restart, while the slot is down, or when a process ends', () => {
    expect(
      totals([
        [7, 1],
        [7, 5],
        [undefined, 0],
        [8, 2],
        [8, 3],
      ]),
    ).toEqual([0, 4, 4, 6, 7])
    expect(
      totals([
        [7, 1],
        [7, 5],
        [8, 9],
      ]),
    ).toEqual([0, 4, 13])
    expect(
      totals([
        [7, 10],
        [7, 20],
        [7, 12],
        [7, 13],
      ]),
    ).toEqual([0, 10, 10, 11])
  })

  test('is forgotten with its slot', () => {
    expect(totals([[7, 1], [7, 5], undefined, [7, 6]])).toEqual([0, 4, 0, 6])
  })
})

describe('the known states of the slots', () => {
  const slot = (name: string, state: SlotStatus['state']): SlotStatus => ({
    slot: name,
    state,
    wanted: 'up',
    ready: state === 'up',
    since: AT,
    restarts: 0,
    log: '',
  })
  const status = { phase: 'running', slots: [slot('a', 'up'), slot('b', 'up')] } as unknown as StatusResult
  const names = (result: StatusResult) => result.slots.map(({ slot: name, state }) => `${name} ${state}`)

  test('a change takes its place, a new slot is added, a removed one goes', () => {
    expect(names(withSlotEvent(status, { type: 'slot', at: AT, slot: slot('a', 'backoff') }))).toEqual([
      'a backoff',
      'b up',
    ])
    expect(names(withSlotEvent(status, { type: 'slot', at: AT, slot: slot('c', 'down') }))).toEqual([
      'a up',
      'b up',
      'c down',
    ])
    expect(names(withSlotEvent(status, { type: 'removed', at: AT, slot: slot('a', 'down') }))).toEqual(['b up'])
  })
})

describe('lines of the boot log', () => {
  test('are read as the supervisor writes them', () => {
    const steps = [
      { type: 'register', profile: 'default', start: true, priorState: 'running', priorExit: 'clean' },
      { type: 'skip', name: 'a b', reason: 'a name has "rules" = so' },
    ] as unknown as Parameters<typeof bootLines>[0]
    expect(bootLines(steps, Date.parse(AT)).map(parseBootLine)).toEqual([
      { at: AT, profile: 'default', prior_state: 'running', action: 'started', prior_exit: 'clean' },
      {
        at: AT,
        profile: 'a b',
        prior_state: 'none',
        action: 'skipped',
        prior_exit: 'unknown',
        reason: 'a name has "rules" = so',
      },
    ])
  })

  test.each(['', 'hello', `${AT} profile=x`, `${AT} `])('%o is not a line of the boot log', (line) => {
    expect(parseBootLine(line)).toBeUndefined()
  })
})

test('metrics: values of labels are escaped, and what has no samples is left out', () => {
  const samples = [{ labels: { name: 'a"b\\c\nd' }, value: 1 }]
  const metrics = [
    { name: 'm', help: 'Help.', type: 'gauge' as const, samples },
    { name: 'none', help: 'None.', type: 'counter' as const, samples: [] },
  ]
  expect(metricsText(metrics)).toBe('# HELP m Help.\n# TYPE m gauge\nm{name="a\\"b\\\\c\\nd"} 1\n')
})

describe('moving a card', () => {
  test('either leads where the operation says, or says what to do instead; never elsewhere in silence', () => {
    for (const from of STATUSES) {
      for (const to of STATUSES) {
        const subject = { id: 't_00000000', status: from, openParents: 0 }
        let operation: ReturnType<typeof moveTo>
        try {
          operation = moveTo(subject, to)
          if (operation === undefined) expect(from).toBe(to)
          else expect([to, 'ready']).toContain(target(operation, subject))
        } catch (error) {
          expect(error).toMatchObject({ code: 'REFUSED', next: expect.any(String) })
        }
      }
    }
  })
})
