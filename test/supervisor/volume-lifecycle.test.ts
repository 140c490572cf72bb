import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { openTables } from '../../src/kanban/store/board.ts'
import { boardPlace } from '../../src/kanban/store/places.ts'
import type { Journal } from '../../src/log/io/journal.ts'
import type { LeaseState, ToInit } from '../../src/protocol/init.ts'
import type { SlotEvent } from '../../src/slot/slot.ts'
import { DispatcherSlot } from '../../src/supervisor/reconcile/dispatcher-slot.ts'
import { MeterSlot } from '../../src/supervisor/reconcile/meter-slot.ts'
import { ProfileSlots } from '../../src/supervisor/reconcile/profiles.ts'
import { TargetSlot } from '../../src/supervisor/reconcile/target-slot.ts'
import type { SlotTable } from '../../src/supervisor/slots/table.ts'
import { VolumeFiles } from '../../src/supervisor/volume-files.ts'
import { VolumeLifecycle } from '../../src/supervisor/volume-lifecycle.ts'
import { VolumeSlots, type VolumeSlotsOptions } from '../../src/supervisor/volume-slots.ts'
import { formatLease, GIVE_UP_AFTER_MS } from '../../src/volume/counter.ts'
import { scratchDir } from '../support/scratch.ts'
import { fakeClock } from '../support/supervisor/fake-clock.ts'
import { waitFor } from '../support/wait.ts'

let home: string
beforeEach(() => {
  home = scratchDir('hermes-life-')
})

const other = formatLease({ instance: 'other', host: 'elsewhere', counter: 7 })
const leaseFile = (): string => join(home, 'run.lease')

/** A life on a real volume, whose parts record their calls. One slot has a process until a test changes that. */
function scene(options: { readonly realProfiles?: true; readonly container?: Record<string, string> } = {}) {
  const clock = fakeClock()
  const done: string[] = []
  const told: ToInit[] = []
  const slots = [{ key: 'gateway-default', slot: { state: 'up', wanted: 'up' } }]
  const note =
    (what: string) =>
    (...args: readonly unknown[]): void =>
      void done.push([what, ...args.filter((argument) => typeof argument !== 'object')].join(' '))
  const table = {
    entries: () => slots,
    get: (key: string) => slots.find((slot) => slot.key === key),
    setNormallyUp: () => undefined,
    remove: (key: string) =>
      slots.splice(
        slots.findIndex((slot) => slot.key === key),
        1,
      ),
    register: note('register'),
    dispatch: (key: string, event: SlotEvent) =>
      void done.push(`tell ${key} ${'wanted' in event ? event.wanted : ''}`.trim()),
  }
  const warn = (text: string): void => expect.fail(text)
  const stateStore = { keep: () => undefined }
  const launcher = { metersAny: false, notifies: false }
  const parts = {
    table,
    profiles: { boot: note('boot'), reconcile: note('reconcile'), close: () => undefined },
    dispatcher: new DispatcherSlot({ home, hasDatabase: false, warn, table: table as unknown as SlotTable }),
    meter: new MeterSlot({ launcher, table: table as unknown as SlotTable }),
    targets: [
      new TargetSlot({ slot: 'notifier', isWanted: () => launcher.notifies, table: table as unknown as SlotTable }),
    ],
    services: { begin: note('services'), stop: () => undefined },
    files: { hold: note('hold'), containerStops: () => undefined, want: () => undefined },
    statusFiles: { flush: () => undefined, writeNow: () => undefined, containerStops: () => undefined },
    logs: { closeAll: async () => undefined },
    journal: { info: note('info'), warn: () => undefined, error: () => undefined, open: note('open') },
  }
  const journal = parts.journal as unknown as Journal
  const profiles = new ProfileSlots({
    home,
    stateStore,
    table: table as unknown as SlotTable,
    clock,
    journal,
    bootstrap: undefined,
    heldByMain: undefined,
    isWalled: () => false,
    hasWalls: false,
    again: () => life.reconcile(),
  })
  const start = { home, instance: 'ours', hostname: 'here', foreground: false, main: [] }
  const volumeSlots = {
    ...parts,
    start,
    container: options.container ?? {},
    clock,
    ...(options.realProfiles && { profiles }),
  } as unknown as VolumeSlotsOptions
  const life: VolumeLifecycle = new VolumeLifecycle({
    start,
    clock: { ...clock, real: clock },
    journal,
    send: (message: ToInit) => void told.push(message),
    stateStore,
    slots: new VolumeSlots(volumeSlots),
    volume: new VolumeFiles({ home, runDir: join(home, 'run'), journal, clock }),
    ending: { ...parts, stopOrphans: async () => undefined, exit: () => undefined },
    controlChannels: () => ({ close: () => undefined, leave: () => undefined }),
    logNextSteps: () => undefined,
  })
  return { life, clock, done, told, slots, launcher }
}

/** Counts until the volume is ours, as where locks do not work, and begins. */
async function begunByCounting(options: Parameters<typeof scene>[0] = {}) {
  const made = scene(options)
  made.life.leaseIs('unsupported')
  made.clock.advance(10_000)
  expect(made.told).toContainEqual({ type: 'lease', state: 'taken' })
  made.life.begin()
  await waitFor('it to run', () => made.life.phase === 'running')
  return made
}

test.each([
  ['init says so', 'held', ({ life }: ReturnType<typeof scene>) => life.leaseIs('busy')],
  [
    'the counter says so',
    'unsupported',
    ({ clock }: ReturnType<typeof scene>) => {
      writeFileSync(leaseFile(), other)
      clock.advance(10_000)
    },
  ],
] as const)(
  'a volume that is lost while the boot fills it is not booted on: %s',
  async (_, first: LeaseState, lose) => {
    const made = scene()
    const { life, clock, done, told } = made
    life.leaseIs(first)
    clock.advance(10_000)
    life.begin()
    lose(made)
    await waitFor('it to be filled', () => done.some((what) => what.startsWith('info new in')))
    await new Promise(setImmediate)
    expect([life.phase, done.filter((what) => !/^(tell|info)/.test(what))]).toEqual(['waiting', ['hold true']])
    if (first === 'held') life.leaseIs('held')
    else {
      writeFileSync(leaseFile(), '')
      clock.advance(10_000)
      expect(told.at(-1)).toEqual({ type: 'lease', state: 'taken' })
    }
    life.begin()
    await waitFor('it to run', () => life.phase === 'running')
    expect(done).toEqual(expect.arrayContaining(['hold false', 'boot', 'register dashboard false', 'services true']))
    life.stop()
  },
)

test('the front port is there only where the container has one', async () => {
  const registered = async (container: Record<string, string>): Promise<readonly string[]> => {
    const { life, done } = await begunByCounting({ container })
    life.stop()
    return done.filter((what) => what.startsWith('register front-port'))
  }
  expect(await registered({})).toEqual([])
  expect(await registered({ HERMES_FRONT_PORT: '' })).toEqual([])
  expect(await registered({ HERMES_FRONT_PORT: '8644' })).toEqual(['register front-port true'])
})

test('the dispatcher goes down with a volume that is lost, stays down, and comes back with it', async () => {
  openTables(boardPlace(home, 'default'), { mode: 'create', warn: () => undefined }).close()
  const { life, clock, done, told, slots } = await begunByCounting()
  const dispatcher = (): readonly string[] => done.filter((what) => what.startsWith('tell dispatcher'))
  expect(dispatcher()).toEqual(['tell dispatcher up'])
  slots.push({ key: 'dispatcher', slot: { state: 'up', wanted: 'up' } })
  writeFileSync(leaseFile(), other)
  clock.advance(60_000)
  expect([life.phase, dispatcher()]).toEqual(['waiting', ['tell dispatcher up', 'tell dispatcher down']])
  writeFileSync(leaseFile(), '')
  clock.advance(10_000)
  expect(told.at(-1)).toEqual({ type: 'lease', state: 'taken' })
  life.begin()
  clock.advance(60_000)
  expect(dispatcher()).toEqual(['tell dispatcher up', 'tell dispatcher down', 'tell dispatcher up'])
  life.stop()
})

test('the meter starts with the first profile that needs it, and goes down with a volume that is lost', async () => {
  const { life, clock, done, slots, launcher } = await begunByCounting()
  const meter = (): readonly string[] => done.filter((what) => what.endsWith('meter') || what.includes(' meter '))
  life.reconcile()
  expect(meter()).toEqual([])
  launcher.metersAny = true
  life.reconcile()
  expect(meter()).toEqual(['register meter', 'tell meter up'])
  slots.push({ key: 'meter', slot: { state: 'up', wanted: 'up' } })
  life.reconcile()
  expect(meter()).toHaveLength(2)
  writeFileSync(leaseFile(), other)
  clock.advance(60_000)
  expect([life.phase, meter().at(-1)]).toEqual(['waiting', 'tell meter down'])
  writeFileSync(leaseFile(), '')
  clock.advance(10_000)
  life.begin()
  expect(meter().at(-1)).toBe('tell meter up')
  life.stop()
})

test('the notifier is up while there is a target, and goes down with a volume that is lost', async () => {
  const { life, clock, done, slots, launcher } = await begunByCounting()
  const notifier = (): readonly string[] => done.filter((what) => what.includes('notifier'))
  life.reconcile()
  expect(notifier()).toEqual([])
  launcher.notifies = true
  life.reconcile()
  life.reconcile()
  expect(notifier()).toEqual(['register notifier', 'tell notifier up'])
  slots.push({ key: 'notifier', slot: { state: 'up', wanted: 'up' } })
  launcher.notifies = false
  life.reconcile()
  expect(notifier().at(-1)).toBe('tell notifier down')
  launcher.notifies = true
  life.reconcile()
  writeFileSync(leaseFile(), other)
  clock.advance(60_000)
  expect([life.phase, notifier().at(-1)]).toEqual(['waiting', 'tell notifier down'])
  writeFileSync(leaseFile(), '')
  clock.advance(10_000)
  life.begin()
  expect(notifier().at(-1)).toBe('tell notifier up')
  life.stop()
})

test('a second look at the profiles that is due when the volume is lost is not taken', async () => {
  mkdirSync(join(home, 'profiles', 'goes'), { recursive: true })
  const { life, clock, done, slots } = await begunByCounting({ realProfiles: true })
  expect(done).toContain('register gateway-goes false')
  slots.push({ key: 'gateway-goes', slot: { state: 'up', wanted: 'up' } })
  life.reconcile()
  rmSync(join(home, 'profiles', 'goes'), { recursive: true })
  const before = clock.alarms().length
  life.reconcile()
  // It is believed to be gone when it is still gone two seconds later.
  expect(clock.alarms().length).toBe(before + 1)
  life.leaseIs('busy')
  mkdirSync(join(home, 'profiles', 'theirs'))
  clock.advance(5_000)
  expect(done).not.toContain('register gateway-theirs false')
})

test('a lease that went while no supervisor ran stops what the one before had started, and brings it back', async () => {
  const made = scene()
  made.life.restore('yes')
  made.life.leaseIs('busy')
  expect(made.done).toEqual(['hold true', 'tell gateway-default down'])
  expect(made.life.phase).toBe('waiting')
})

test.each(['down', 'stopping'])(
  'a slot that another supervisor stopped with a lost lease comes back with it: it is %s by then',
  async (state) => {
    const { life, done, slots } = scene()
    slots.splice(0, 1, { key: 'gateway-default', slot: { state, wanted: 'down' } })
    writeFileSync(join(home, 'desired_state'), 'running\n')
    life.restore('lost')
    life.leaseIs('busy')
    life.leaseIs('held')
    life.begin()
    await waitFor('it to run', () => life.phase === 'running')
    expect(done).toContain('tell gateway-default up')
    expect(done).not.toContain('boot')
    life.stop()
  },
)

test('a volume that is lost while the container stops changes nothing: it ends, and writes nothing there any more', async () => {
  const { life, clock, done, told, slots } = await begunByCounting()
  life.stop()
  expect(life.phase).toBe('stopping')
  writeFileSync(leaseFile(), other)
  clock.advance(GIVE_UP_AFTER_MS)
  expect(life.phase).toBe('stopping')
  expect(done).toContain('hold true')
  slots.length = 0
  life.drainIfEmpty()
  await waitFor('the drained', () => told.some(({ type }) => type === 'drained'))
})

test('clients that wait for the end of the boot are answered', async () => {
  const { life } = scene()
  let booted = false
  void life.whenBooted().then(() => {
    booted = true
  })
  life.begin()
  await waitFor('the end of the boot', () => booted)
  expect(life.phase).toBe('running')
  life.stop()
})
