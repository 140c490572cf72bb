import { closeSync, constants, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ConsoleWriter } from '../../../src/log/io/console.ts'
import type { Sequenced, ToInit } from '../../../src/protocol/init.ts'
import type { Slot } from '../../../src/slot/slot.ts'
import { Launcher } from '../../../src/supervisor/launch/launcher.ts'
import { ProfileWalls } from '../../../src/supervisor/launch/profile-walls.ts'
import { SlotDirs } from '../../../src/supervisor/s6/slot-dir.ts'
import { ChildReports } from '../../../src/supervisor/slots/child-reports.ts'
import type { SlotObserver } from '../../../src/supervisor/slots/entry.ts'
import { SlotLogs } from '../../../src/supervisor/slots/logs.ts'
import { SlotTable } from '../../../src/supervisor/slots/table.ts'
import { runPaths } from '../../../src/system/paths.ts'
import { scratchDir } from '../../support/scratch.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'
import { realNative } from '../../support/supervisor/real-native.ts'

const key = 'gateway-default'
let home = ''
let stop: (() => void)[] = []
/** State that init has stored, for all supervisors of a test. */
let kept = new Map<string, string>()
beforeEach(() => {
  kept = new Map()
  home = scratchDir('slots-')
})
afterEach(() => {
  for (const one of stop) one()
  stop = []
})

const native = realNative

/**
 * A supervisor's table on real files; init is a list of the messages it received, each with the state it had stored by
 * then.
 */
function makeTable({
  bug = (text): void => expect.fail(text),
  ...observer
}: Partial<SlotObserver> & { bug?: (text: string) => void } = {}) {
  const paths = runPaths(join(home, 'run'), 'private')
  for (const dir of [paths.logFifos, paths.scanDir]) mkdirSync(dir, { recursive: true })
  const clock = fakeClock()
  const warnings: string[] = []
  const warn = (text: string): void => void warnings.push(text)
  const told: { readonly message: ToInit; readonly written: Slot | undefined; readonly controlled: boolean }[] = []
  const controlled = (): boolean => {
    const control = join(paths.scanDir, key, 'supervise', 'control')
    try {
      // As s6-svok does: with a reader, the open succeeds.
      closeSync(openSync(control, constants.O_WRONLY | constants.O_NONBLOCK))
      return true
    } catch {
      return false
    }
  }
  const identity = { uid: 0, gid: 0, groups: [], user: 'nobody', home }
  const services = new SlotDirs({
    dir: paths.scanDir,
    native,
    clock,
    warn,
    command: () => undefined,
    notifyOthers: () => undefined,
  })
  const logs = new SlotLogs({
    fifos: paths.logFifos,
    console: new ConsoleWriter({ fd: -1, kind: 'none' }, native, clock),
    form: 'raw',
    clock,
    warn,
  })
  stop.push(
    () => services.close(),
    () => void logs.closeAll(),
  )
  const read = (): Slot | undefined => {
    const text = kept.get(key)
    return text === undefined ? undefined : (JSON.parse(text) as { slot: Slot }).slot
  }
  const table = new SlotTable({
    clock,
    openRequests: () => undefined,
    send: (message) => {
      if (message.type === 'forget') kept.delete(message.slot)
      told.push({ message, written: read(), controlled: controlled() })
    },
    stateStore: { keep: (name, text) => void kept.set(name, text) },
    runs: {
      launcher: new Launcher({
        home,
        paths,
        layout: 'private',
        install: '/nowhere',
        identity,
        walls: new ProfileWalls({ home, identity }),
        service: () => undefined,
        warn,
      }),
      dirs: services,
      logs,
    },
    journal: { info: () => undefined, warn, error: bug },
    random: () => 0.5,
    observer: () => ({
      finishing: () => undefined,
      changed: () => undefined,
      registered: () => undefined,
      removed: ({ key }) => services.remove(key),
      ended: () => undefined,
      ...observer,
    }),
  })
  for (const [name, text] of [...kept].sort()) table.restore(name, text)
  const reports = new ChildReports({
    table,
    logs,
    clock,
    obeyWritten: () => undefined,
    notRun: () => undefined,
    random: () => 0.5,
  })
  return { table, reports, clock, told, warnings, paths, read }
}

const config = (gateway: object): void => writeFileSync(join(home, 'config.yaml'), JSON.stringify({ gateway }))
const facts = (child: number, spawnedAtMs: number) => ({
  child,
  slot: key,
  pid: 4_000_000 + child,
  startTime: child,
  spawnedAtMs,
})
let seq = 0
const exit = (child: number, atMs: number): Sequenced => ({
  type: 'exit',
  seq: ++seq,
  child,
  slot: key,
  pid: 4_000_000 + child,
  ending: { exitCode: 1 },
  atMs,
  leftoversKilled: false,
})

test('a slot takes commands before init is asked to start its program, which may use s6’s tools at once', () => {
  config({ command: ['sleep', '1'] })
  const { table, told } = makeTable()
  table.register(key, true)
  expect(told).toMatchObject([{ message: { type: 'spawn' }, controlled: true }])
})

test('every message to init is preceded by the state that it follows from', () => {
  config({ command: ['sleep', '1'], stop_timeout: '5s' })
  const { table, reports, clock, told } = makeTable()
  table.register(key, true)
  reports.spawned(1, facts(1, clock.nowMs()))
  reports.sequenced(exit(1, clock.nowMs()))
  clock.advance(1_000)
  reports.spawned(2, facts(2, clock.nowMs()))
  table.dispatch(key, { type: 'want', wanted: 'down' })
  clock.advance(5_000)
  expect(told.map(({ message, written }) => ({ ...message, written: written?.state }))).toMatchObject([
    { type: 'spawn', request: 1, written: 'starting' },
    { type: 'spawn', request: 2, written: 'starting' },
    { type: 'signal', signal: 'TERM', target: 'process', written: 'stopping' },
    { type: 'signal', signal: 'KILL', target: 'group', written: 'stopping' },
  ])
  for (const { message, written } of told) if (message.type === 'spawn') expect(written?.request).toBe(message.request)
})

test('the next supervisor sets the alarms that the last one had', () => {
  config({ command: ['false'], restart_delay: { first: '10s', max: '10s' } })
  const first = makeTable()
  first.table.register(key, true)
  first.reports.spawned(1, facts(1, first.clock.nowMs()))
  first.reports.sequenced(exit(1, first.clock.nowMs()))
  const startAtMs = first.clock.nowMs() + 9_500
  const second = makeTable()
  second.reports.welcome([], 0)
  expect(second.clock.alarms()).toEqual([startAtMs])
  second.clock.advance(9_500)
  expect(second.told.map(({ message }) => message.type)).toEqual(['spawn'])
})

test('a start that died with the last supervisor is made again only when all stored state has been received', () => {
  config({ command: ['sleep', '1'] })
  makeTable().table.register(key, true)
  const { table, reports, told, clock } = makeTable()
  reports.welcome([], 2)
  expect(told).toEqual([])
  reports.sequenced({ type: 'ready', seq: 1, child: 77, slot: 'gateway-other', atMs: 0 })
  expect(told).toEqual([])
  reports.sequenced(exit(1, clock.nowMs()))
  // It did run: its end was among what init had kept.
  expect(told).toEqual([])
  expect(table.get(key)?.slot.state).toBe('backoff')

  const again = makeTable()
  again.table.register('gateway-b', true)
  const third = makeTable()
  third.reports.welcome([], 0)
  expect(third.told.map(({ message }) => message)).toMatchObject([{ type: 'spawn', slot: 'gateway-b', request: 2 }])
})

test('config.yaml is read again at each start, and its rules hold from then on', () => {
  config({ command: ['sleep', '1'], stop_signal: 'INT' })
  const { table, reports, told, clock } = makeTable()
  table.register(key, true)
  config({ command: ['sleep', '2'], stop_signal: 'QUIT', kill_leftovers: false })
  reports.spawned(1, facts(1, clock.nowMs()))
  reports.sequenced(exit(1, clock.nowMs()))
  clock.advance(1_000)
  expect(told.map(({ message }) => message)).toMatchObject([
    { type: 'spawn', stopSignal: 'INT', killLeftovers: true, notificationFd: null },
    { type: 'spawn', stopSignal: 'QUIT', killLeftovers: false },
  ])
  expect(readFileSync(join(home, 'run', 'service', key, 'run'), 'utf8')).toContain("exec 'sleep' '2'\n")
})

test('the built-in gateway is run by our own Node, ready by descriptor 3', () => {
  const { table, told } = makeTable()
  table.register(key, true)
  expect(told[0]?.message).toMatchObject({ type: 'spawn', notificationFd: 3 })
  expect(readFileSync(join(home, 'run', 'service', key, 'run'), 'utf8')).toContain(
    `exec '${process.execPath}' '--disable-sigusr1' '--v8-pool-size=1' '--disable-warning=ExperimentalWarning' '--min-semi-space-size=2' '/nowhere/lib/hermes.cjs' '-p' 'default' 'gateway' 'run'\n`,
  )
})

test('a new slot is announced, even if nothing is started in it', () => {
  const registered: string[] = []
  const { table } = makeTable({ registered: (entry) => void registered.push(entry.key) })
  table.register(key)
  table.register(key)
  expect(registered).toEqual([key])
})

test('a slot is taken away when its process is gone, not before', () => {
  const removed: string[] = []
  config({ command: ['sleep', '1'] })
  const { table, reports, told, clock, read } = makeTable({ removed: (entry) => void removed.push(entry.key) })
  table.register(key, true)
  reports.spawned(1, facts(1, clock.nowMs()))
  table.remove(key)
  expect(removed).toEqual([])
  reports.sequenced(exit(1, clock.nowMs()))
  expect(removed).toEqual([key])
  expect(table.get(key)).toBeUndefined()
  expect(read()).toBeUndefined()
  expect(told.at(-1)?.message).toEqual({ type: 'forget', slot: key })
})

test('a job whose file is lost is stopped and removed', () => {
  const { table, reports, told, clock } = makeTable()
  const job = { ...facts(5, clock.nowMs()), slot: 'job-7' }
  reports.welcome([job], 0)
  expect(told.at(-1)?.message).toMatchObject({ type: 'signal', child: 5, signal: 'TERM' })
  reports.sequenced({ ...exit(5, clock.nowMs()), slot: 'job-7' } as Sequenced)
  expect(table.get('job-7')).toBeUndefined()
})

test('a bug in one event leaves the slot as it was, and the next event is handled', () => {
  const bugs: string[] = []
  let broken = true
  const { table } = makeTable({
    bug: (text) => void bugs.push(text),
    changed: () => {
      if (broken) throw new Error('a bug')
    },
  })
  table.register(key, true)
  expect(bugs).toHaveLength(1)
  broken = false
  table.dispatch(key, { type: 'want', wanted: 'down' })
  expect(table.get(key)?.slot.state).toBe('stopping')
})
