import { expect, test } from 'vitest'
import { HistoryCount } from '../../../src/dashboard/history/count.ts'
import type { SlotStatus } from '../../../src/protocol/control.ts'

interface Seen {
  readonly pid?: number
  readonly cpuSeconds?: number
  readonly restarts: number
}

const slotOf = (slot: string, { pid, restarts }: Seen): SlotStatus => ({
  slot,
  ...(slot.startsWith('gateway-') && { profile: slot.slice('gateway-'.length) }),
  state: pid === undefined ? 'down' : 'up',
  wanted: 'up',
  ready: true,
  ...(pid !== undefined && { pid }),
  since: '2026-11-22T12:15:18.810Z',
  restarts,
  log: '',
})

/** Looks one minute apart. @returns the points of slot `gateway-a` after each of them */
function pointsOf(looks: readonly Readonly<Record<string, Seen>>[], queues?: Readonly<Record<string, number>>) {
  const count = new HistoryCount()
  return looks.map((look, minute) => {
    const slots = Object.entries(look).map(([slot, seen]) => slotOf(slot, seen))
    const used = Object.entries(look).flatMap(([slot, { pid, cpuSeconds = 0 }]) =>
      pid === undefined ? [] : [[slot, { cpuSeconds, memoryBytes: 2048, processes: 1 }] as const],
    )
    return count.points(slots, { atMs: minute * 60_000, slots: new Map(used) }, queues, minute)
  })
}

const a = (pid: number | undefined, cpuSeconds: number, restarts: number) => ({
  'gateway-a': { ...(pid !== undefined && { pid }), cpuSeconds, restarts },
})

test('the first look makes no point; the second has what was used since', () => {
  const [first, second] = pointsOf([a(7, 100, 3), a(7, 115, 3)], { a: 2 })
  expect(first).toEqual(new Map())
  expect(second?.get('gateway-a')).toEqual({ minute: 1, cpuMillis: 250, memoryKiB: 2, restarts: 0, queued: 2 })
})

test('restarts are those of the minute, also after the supervisor counts from zero again', () => {
  const restarts = pointsOf([a(7, 0, 3), a(8, 0, 5), a(9, 0, 1)]).map((points) => points.get('gateway-a')?.restarts)
  expect(restarts).toEqual([undefined, 2, 1])
})

test('a slot that is down uses nothing, and one that came is counted from its beginning', () => {
  const [, down] = pointsOf([a(7, 3, 0), a(undefined, 0, 0)])
  expect(down?.get('gateway-a')).toMatchObject({ cpuMillis: 0, memoryKiB: 0 })
  const [, came] = pointsOf([{}, a(7, 30, 1)])
  expect(came?.get('gateway-a')).toMatchObject({ cpuMillis: 500, restarts: 1 })
})

test('tasks wait for profiles only; they are unknown while no board answers; jobs have no history', () => {
  const look = { ...a(7, 0, 0), dispatcher: { pid: 8, restarts: 0 }, 'job-a-1': { pid: 9, restarts: 0 } }
  const [, points] = pointsOf([look, look], {})
  expect([...(points?.keys() ?? [])]).toEqual(['gateway-a', 'dispatcher'])
  expect([points?.get('gateway-a')?.queued, points?.get('dispatcher')?.queued]).toEqual([0, undefined])
  expect(pointsOf([look, look])[1]?.get('gateway-a')?.queued).toBeUndefined()
})
