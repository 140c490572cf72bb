import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ConsoleWriter } from '../../../src/log/io/console.ts'
import { newSlot, type Slot } from '../../../src/slot/slot.ts'
import { step } from '../../../src/slot/step.ts'
import { SlotLogs } from '../../../src/supervisor/slots/logs.ts'
import { StartsInFlight } from '../../../src/supervisor/slots/starts-in-flight.ts'
import { policy } from '../../slot/policies.ts'
import { type FakeClock, fakeClock } from '../../support/supervisor/fake-clock.ts'
import { realNative } from '../../support/supervisor/real-native.ts'

let dir: string
let clock: FakeClock
let starts: StartsInFlight
let logs: SlotLogs
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hermes-starts-'))
  clock = fakeClock()
  starts = new StartsInFlight(clock)
  logs = new SlotLogs({
    fifos: dir,
    console: new ConsoleWriter({ fd: -1, kind: 'none' }, realNative, clock),
    prefix: false,
    clock,
    warn: (text) => expect.fail(text),
    starts,
  })
})
afterEach(async () => {
  await logs.closeAll()
  rmSync(dir, { recursive: true, force: true })
})

const requested = (): Slot => step(newSlot(policy({}), clock.nowMs()), { type: 'want', wanted: 'up' }, clock.nowMs())[0]
const request = (...keys: readonly string[]): void => {
  for (const key of keys) starts.note(key, requested())
}
const report = (...keys: readonly string[]): void => {
  const child = { id: 1, pid: 4711, startTime: 1, spawnedAtMs: clock.nowMs() }
  for (const key of keys) starts.note(key, step(requested(), { type: 'spawned', request: 1, child }, clock.nowMs())[0])
}
const fileOf = (slot: string): string => join(dir, 'logs', slot, 'current')
const openLog = (slot: string): void => {
  realNative.mkfifo(join(dir, slot), 0o600)
  mkdirSync(join(dir, 'logs'), { recursive: true })
  const place = { dir: join(dir, 'logs', slot), maxBytes: 1_000_000, archives: 1, toConsole: false }
  logs.open(slot, place, false, () => undefined)
}

test('the log of a slot is opened at once when nothing else is being started', () => {
  request('a')
  openLog('a')
  expect(existsSync(fileOf('a'))).toBe(true)
})

test('the logs of slots that are started together are opened after the last but one report', async () => {
  request('a', 'b', 'c')
  openLog('a')
  report('a')
  await nextTurn()
  expect(existsSync(fileOf('a'))).toBe(false)
  report('b')
  await nextTurn()
  expect(existsSync(fileOf('a'))).toBe(true)
})

test('a start that is not reported holds up the logs of other slots for a quarter of a second at most', async () => {
  request('a', 'b', 'c')
  openLog('a')
  report('a')
  clock.advance(249)
  await nextTurn()
  expect(existsSync(fileOf('a'))).toBe(false)
  clock.advance(1)
  await nextTurn()
  openLog('b')
  expect([existsSync(fileOf('a')), existsSync(fileOf('b'))]).toEqual([true, true])
})

test('the output of a process that ends before its log is opened is in its file', () => {
  request('a', 'b', 'c')
  openLog('a')
  // As init holds it: what is written stays in the FIFO.
  const fifo = openSync(join(dir, 'a'), constants.O_RDWR)
  writeSync(fifo, 'last words')
  logs.endOfProcess('a')
  closeSync(fifo)
  expect(readFileSync(fileOf('a'), 'utf8')).toMatch(/ last words\n$/)
})
