import { existsSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ControlClient } from '../../../src/control/client.ts'
import { HistoryRecorder } from '../../../src/dashboard/history/recorder.ts'
import { readPoints } from '../../../src/dashboard/history/ring-file.ts'
import type { Boards } from '../../../src/kanban/port/boards.ts'
import type { SlotStatus, StatusResult } from '../../../src/protocol/control.ts'
import { HermesError } from '../../../src/system/errors.ts'
import { historyDir, historyFile } from '../../../src/system/paths.ts'
import { quickDir } from '../../support/quick-dir.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'
import { waitFor } from '../../support/wait.ts'

const MINUTE_MS = 60_000
const START = 29_400_000 * MINUTE_MS
const SLOT: SlotStatus = {
  slot: 'gateway-a',
  profile: 'a',
  state: 'up',
  wanted: 'up',
  ready: true,
  pid: 7,
  since: '2026-11-22T12:15:18.810Z',
  restarts: 0,
  log: '',
}

let home: string
const warnings: string[] = []
beforeEach(() => {
  home = quickDir('hermes-history-')
  warnings.length = 0
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

/** A recorder whose supervisor and /proc are what the test says they are. */
function scene(status: () => Partial<StatusResult>) {
  // Twenty seconds into a minute.
  const clock = fakeClock({ wallMs: START + 20_000 })
  let looks = 0
  const recorder = new HistoryRecorder({
    home,
    clock,
    connect: async () =>
      ({
        request: async () => ({ phase: 'running', slots: [SLOT], ...status() }),
        close: () => undefined,
      }) as unknown as ControlClient,
    boards: { list: async () => [] } as unknown as Boards,
    readUsage: () => {
      looks++
      const used = { cpuSeconds: looks * 6, memoryBytes: 1024, processes: 1 }
      return { atMs: clock.nowMs(), slots: new Map([['gateway-a', used]]) }
    },
    warn: (text) => warnings.push(text),
  })
  recorder.start()
  return {
    recorder,
    clock,
    /** To the next minute, and until what happens there is over. */
    async minute() {
      const [due] = await waitFor('the next alarm', () => clock.alarms().length > 0 && clock.alarms())
      clock.advance((due ?? 0) - clock.nowMs())
      await waitFor('the look to be over', () => clock.alarms().length > 0)
    },
  }
}

const minutesNow = () => readPoints(historyFile(home, 'gateway-a'), 29_400_100)

test('a minute is written when it is over, from the second look on', async () => {
  const { minute } = scene(() => ({}))
  await minute()
  expect(existsSync(historyDir(home))).toBe(false)
  await minute()
  await minute()
  expect(minutesNow()).toEqual([
    { minute: 29_400_001, cpuMillis: 100, memoryKiB: 1, restarts: 0, queued: 0 },
    { minute: 29_400_002, cpuMillis: 100, memoryKiB: 1, restarts: 0, queued: 0 },
  ])
})

test('a container that waits for its volume, and one without a supervisor, write nothing and count nothing', async () => {
  const states: (() => Partial<StatusResult>)[] = [
    () => ({}),
    () => ({ phase: 'waiting' }),
    () => {
      throw new HermesError('NO_SUPERVISOR', 'away')
    },
    () => ({}),
    () => ({}),
  ]
  const { minute } = scene(() => states.shift()?.() ?? {})
  for (let i = 0; i < 5; i++) await minute()
  expect(minutesNow().map((point) => point.minute)).toEqual([29_400_004])
  expect(warnings).toEqual([])
})

test('a place that cannot be written is reported once, until it works', async () => {
  const { minute } = scene(() => ({}))
  mkdirSync(join(home, 'logs'))
  writeFileSync(historyDir(home), 'in the way')
  for (let i = 0; i < 4; i++) await minute()
  expect(warnings).toHaveLength(1)
  expect(warnings[0]).toContain(historyDir(home))
  rmSync(historyDir(home))
  await minute()
  expect(minutesNow()).toHaveLength(1)
  expect(warnings).toHaveLength(1)
})

test('the history of a slot that is gone goes after a day; what is younger stays', async () => {
  const { minute } = scene(() => ({}))
  mkdirSync(historyDir(home), { recursive: true })
  for (const [name, ageMs] of [
    ['gateway-old', 1441 * MINUTE_MS],
    ['gateway-young', 1000 * MINUTE_MS],
  ] as const) {
    writeFileSync(historyFile(home, name), '')
    utimesSync(historyFile(home, name), (START - ageMs) / 1000, (START - ageMs) / 1000)
  }
  await minute()
  await minute()
  expect(readdirSync(historyDir(home)).sort()).toEqual(['gateway-a', 'gateway-young'])
})

test('nothing is written after the end', async () => {
  const { minute, recorder, clock } = scene(() => ({}))
  await minute()
  recorder.stop()
  expect(clock.alarms()).toEqual([])
})
