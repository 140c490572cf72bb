// The status and events of a slot for s6's tools, in real slot directories: a tool that begins to listen and then
// reads the status misses nothing.
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { newSlot, type SlotEvent } from '../../../src/slot/slot.ts'
import { step } from '../../../src/slot/step.ts'
import { StatusFiles } from '../../../src/supervisor/operator/status-files.ts'
import { SlotDirs } from '../../../src/supervisor/s6/slot-dir.ts'
import type { SlotEntry } from '../../../src/supervisor/slots/entry.ts'
import { policy } from '../../slot/policies.ts'
import { listen } from '../../support/dashboard/event-listener.ts'
import { scratchDir } from '../../support/scratch.ts'
import { type FakeClock, fakeClock } from '../../support/supervisor/fake-clock.ts'
import { realNative } from '../../support/supervisor/real-native.ts'

const KEY = 'gateway-a'
let scan: string
let services: SlotDirs
let clock: FakeClock
beforeEach(() => {
  scan = scratchDir('hermes-status-files-')
  clock = fakeClock()
  const warn = (text: string): never => expect.fail(text)
  services = new SlotDirs({
    dir: scan,
    native: realNative,
    clock,
    warn,
    command: () => undefined,
    notifyOthers: () => undefined,
  })
  services.ensure(KEY, { normallyUp: true, stopSignal: 'TERM', stopTimeoutMs: 10_000, notificationFd: null })
})
afterEach(() => services.close())

/** A slot to which things happen, and what is recorded of it. */
function recordedSlot(): { happen: (...events: readonly SlotEvent[]) => void; statusFiles: StatusFiles } {
  let entry = { key: KEY, slot: newSlot(policy({ readiness: 'announced' }), clock.nowMs()) } as unknown as SlotEntry
  const statusFiles = new StatusFiles({
    table: { get: () => entry, describe: () => undefined },
    files: { record: () => undefined, forget: () => undefined },
    dirs: services,
    clock,
  })
  const happen = (...events: readonly SlotEvent[]): void => {
    for (const event of events) {
      const before = entry.slot
      entry = { ...entry, slot: step(before, event, clock.nowMs())[0] }
      statusFiles.changed(entry, before)
    }
  }
  return { happen, statusFiles }
}

const start = (): readonly SlotEvent[] => [
  { type: 'want', wanted: 'up' },
  { type: 'spawned', request: 1, child: { id: 1, pid: 4711, startTime: 1, spawnedAtMs: clock.nowMs() } },
]
const end = (): readonly SlotEvent[] => [
  { type: 'want', wanted: 'down' },
  {
    type: 'exited',
    child: 1,
    pid: 4711,
    ending: { exitCode: 0 },
    atMs: clock.nowMs(),
    wallMs: clock.wallMs(),
    random: 0,
  },
]
const isUp = (): boolean => readFileSync(join(scan, KEY, 'supervise', 'status')).readBigUInt64BE(24) === 4711n

test('a client that begins to listen after an event, while the status does not show it yet, is notified', async () => {
  const { happen } = recordedSlot()
  happen(...start())
  await nextTurn()
  expect(isUp()).toBe(true)
  happen(...end())
  clock.advance(5)
  const heard = listen(join(scan, KEY), clock.wallMs())
  // The status that s6-svwait -D reads once it listens: it has to wait.
  expect(isUp()).toBe(true)
  await nextTurn()
  expect([isUp(), heard()]).toEqual([false, 'dD'])
})

test('a client that begins to listen when the status shows the event is not notified again, in the next millisecond', async () => {
  const { happen, statusFiles } = recordedSlot()
  happen(...start(), ...end(), { type: 'want', wanted: 'up' })
  statusFiles.notify(KEY, 'x')
  // The first life's events are sent, later ones are held for a moment; the status shows all of it.
  await nextTurn()
  expect(isUp()).toBe(false)
  const [sameMs, nextMs] = [0.5, 1].map((later) => listen(join(scan, KEY), clock.wallMs() + later))
  clock.advance(100)
  await nextTurn()
  expect([sameMs?.(), nextMs?.()]).toEqual(['x', ''])
})

test('the status changes with the report of a start, not with its request', async () => {
  const { happen } = recordedSlot()
  const file = join(scan, KEY, 'supervise', 'status')
  const before = statSync(file).ino
  const [request, report] = start()
  happen(request as SlotEvent)
  await nextTurn()
  expect(statSync(file).ino).toBe(before)
  happen(report as SlotEvent)
  await nextTurn()
  expect([isUp(), statSync(file).ino === before]).toEqual([true, false])
})

test('while the container stops, a status without subscribers is a second late, and left out at the end', async () => {
  const { happen, statusFiles } = recordedSlot()
  happen(...start())
  await nextTurn()
  statusFiles.containerStops()
  happen(...end())
  await nextTurn()
  clock.advance(900)
  expect(isUp()).toBe(true)
  statusFiles.flush()
  expect(isUp()).toBe(true)
  clock.advance(200)
  expect(isUp()).toBe(false)
})

test('while the container stops, a client that waits for a slot gets its status and events as ever', async () => {
  const { happen, statusFiles } = recordedSlot()
  happen(...start())
  await nextTurn()
  statusFiles.containerStops()
  const heard = listen(join(scan, KEY), clock.wallMs())
  happen(...end())
  await nextTurn()
  expect([isUp(), heard()]).toEqual([false, 'dD'])
})
