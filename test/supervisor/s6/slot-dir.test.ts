import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ServiceStatus, type SlotDirShape, SlotDirs } from '../../../src/supervisor/s6/slot-dir.ts'
import type { Event } from '../../../src/supervisor/s6/supervise-dir.ts'
import { type Clock, systemClock } from '../../../src/system/clock.ts'
import { listen } from '../../support/dashboard/event-listener.ts'
import { scratchDir } from '../../support/scratch.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'
import { realNative } from '../../support/supervisor/real-native.ts'
import { named, whyMissing } from '../../support/tools.ts'
import { waitFor } from '../../support/wait.ts'

const { O_WRONLY, O_NONBLOCK } = constants
const SLOT = 'gateway-a'
const shape: SlotDirShape = { normallyUp: true, stopSignal: 'TERM', stopTimeoutMs: 10_000, notificationFd: null }
const clock: Clock = systemClock()
const upNow = (change: Partial<ServiceStatus> = {}): ServiceStatus => ({
  pid: 4711,
  finishing: false,
  ready: false,
  wantedUp: true,
  paused: false,
  changedAtMs: clock.wallMs(),
  readyAtMs: clock.wallMs(),
  ...change,
})
const now = (events: string): readonly Event[] => [...events].map((code) => ({ code }))
const downNow = (change: Partial<ServiceStatus> = {}): ServiceStatus => upNow({ pid: null, ready: true, ...change })

let scan: string
let commands: string[]
/** Called in the turn of the loop in which a command is obeyed. */
let obeyed: () => void
let warnings: string[]
let dirs: SlotDirs
const open = (given = clock): SlotDirs =>
  new SlotDirs({
    notifyOthers: () => undefined,
    dir: scan,
    native: realNative,
    clock: given,
    warn: (text) => warnings.push(text),
    command: (slot, command) => {
      commands.push(`${slot} ${command}`)
      obeyed()
    },
  })
beforeEach(() => {
  scan = scratchDir('hermes-service-')
  commands = []
  obeyed = () => undefined
  warnings = []
  dirs = open()
})
afterEach(() => dirs.close())

const path = (...names: string[]): string => join(scan, SLOT, ...names)
const mode = (...names: string[]): string => (statSync(path(...names)).mode & 0o7777).toString(8)
const text = (name: string): string => readFileSync(path(name), 'utf8')

describe('a slot directory', () => {
  test("has s6's files, with s6's modes", () => {
    dirs.ensure(SLOT, { normallyUp: false, stopSignal: 'INT', stopTimeoutMs: 2500, notificationFd: 3 })
    expect(readdirSync(path()).sort()).toEqual([
      'down',
      'down-signal',
      'event',
      'notification-fd',
      'run',
      'supervise',
      'timeout-kill',
      'type',
    ])
    expect([text('type'), text('down-signal'), text('notification-fd'), text('timeout-kill')]).toEqual([
      'longrun\n',
      'SIGINT\n',
      '3\n',
      '2500\n',
    ])
    expect([mode('supervise'), mode('event'), mode('run')]).toEqual(['700', '3730', '700'])
    expect(statSync(path('supervise', 'status')).size).toBe(35)
  })

  test('has lock and control a moment later', async () => {
    dirs.ensure(SLOT, shape)
    await waitFor('control', () => existsSync(path('supervise', 'control')))
    expect([mode('supervise', 'control'), mode('supervise', 'lock')]).toEqual(['600', '644'])
    expect(statSync(path('supervise', 'control')).isFIFO()).toBe(true)
  })

  test('keeps to a page for its control: pipes past a thousand are shrunk for all other programs', async () => {
    const sizes: number[] = []
    dirs.close()
    dirs = new SlotDirs({
      notifyOthers: () => undefined,
      dir: scan,
      native: { ...realNative, setPipeSize: (fd, bytes) => sizes.push(realNative.setPipeSize(fd, bytes)) },
      clock,
      warn: (text) => warnings.push(text),
      command: () => undefined,
    })
    dirs.ensure(SLOT, shape)
    await waitFor('control', () => sizes.length > 0)
    expect(sizes).toEqual([4096])
  })

  test('appears whole: nothing of it is to be seen under its name before it is ready', () => {
    mkdirSync(join(scan, `.${SLOT}.new`))
    writeFileSync(join(scan, `.${SLOT}.new`, 'left by a kill'), '')
    dirs.ensure(SLOT, shape)
    expect(readdirSync(scan)).toEqual([SLOT])
    expect(existsSync(path('left by a kill'))).toBe(false)
  })

  test.each<readonly [string, (at: string) => void]>([
    ['a file', (at) => writeFileSync(at, '')],
    ['a directory with something in it', (at) => mkdirSync(join(at, 'sub'), { recursive: true })],
    ['a link that leads nowhere', (at) => symlinkSync('/nowhere', at)],
    ['a link to a directory', (at) => symlinkSync('/', at)],
  ])('takes the place of %s, also under the name that it is built with', (_, plant) => {
    plant(join(scan, SLOT))
    plant(join(scan, `.${SLOT}.new`))
    dirs.ensure(SLOT, shape)
    expect(readdirSync(scan)).toEqual([SLOT])
    expect([lstatSync(join(scan, SLOT)).isDirectory(), text('type')]).toEqual([true, 'longrun\n'])
  })

  test('follows the shape, and is not touched when it has not changed', () => {
    dirs.ensure(SLOT, shape)
    expect(existsSync(path('down'))).toBe(false)
    const before = statSync(path('down-signal')).ino
    dirs.ensure(SLOT, { ...shape, normallyUp: false, notificationFd: 5 })
    expect([existsSync(path('down')), text('notification-fd')]).toEqual([true, '5\n'])
    dirs.ensure(SLOT, shape)
    expect([existsSync(path('down')), existsSync(path('notification-fd'))]).toEqual([false, false])
    expect(statSync(path('down-signal')).ino).toBe(before)
  })

  test('outlives the supervisor; the next one brings it up to date and keeps what others put there', async () => {
    dirs.ensure(SLOT, { ...shape, notificationFd: 3 })
    mkdirSync(path('data'))
    await waitFor('control', () => existsSync(path('supervise', 'control')))
    chmodSync(path('supervise'), 0o711)
    dirs.close()
    dirs = open()
    dirs.ensure(SLOT, { ...shape, normallyUp: false })
    expect([existsSync(path('data')), existsSync(path('notification-fd')), existsSync(path('down'))]).toEqual([
      true,
      false,
      true,
    ])
    expect(mode('supervise')).toBe('711')
    expect(warnings).toEqual([])
  })

  test('run can be executed and is written whole', () => {
    dirs.ensure(SLOT, shape)
    dirs.writeRun(SLOT, '#!/bin/sh\necho "$0" here\n')
    expect(execFileSync(path('run'), { encoding: 'utf8' })).toBe(`${path('run')} here\n`)
    expect(readdirSync(path())).not.toContainEqual(expect.stringMatching(/^\.run/))
  })

  test('that was removed comes back with the next run, and with its status', () => {
    dirs.ensure(SLOT, shape)
    dirs.writeStatus(SLOT, upNow(), now('u'))
    rmSync(path(), { recursive: true })
    dirs.writeRun(SLOT, '#!/bin/sh\n')
    expect(text('run')).toBe('#!/bin/sh\n')
    expect(readFileSync(path('supervise', 'status')).readBigUInt64BE(24)).toBe(4711n)
    rmSync(path(), { recursive: true })
    dirs.writeStatus(SLOT, upNow({ pid: 4712 }), now('u'))
    expect(readFileSync(path('supervise', 'status')).readBigUInt64BE(24)).toBe(4712n)
    expect(warnings).toEqual([])
  })

  test('that cannot be made is reported once, run cannot be written, and nothing else throws', () => {
    const file = join(scan, 'file')
    writeFileSync(file, '')
    dirs.close()
    scan = file
    dirs = open()
    dirs.ensure(SLOT, shape)
    dirs.writeStatus(SLOT, upNow(), now('u'))
    dirs.recordDeath(SLOT, { exitCode: 1 }, 0)
    expect(warnings).toEqual([expect.stringContaining(join(file, SLOT))])
    expect(() => dirs.writeRun(SLOT, '')).toThrow(/ENOTDIR|EEXIST/)
    dirs.remove(SLOT)
    expect(dirs.list()).toEqual([])
    scan = join(file, '..')
  })

  test('a file or a directory without a type in its place is replaced', () => {
    writeFileSync(path(), 'in the way')
    dirs.ensure(SLOT, shape)
    expect(text('type')).toBe('longrun\n')
    expect(warnings).toEqual([])
  })

  test('goes as a whole, also one that an earlier supervisor made', () => {
    dirs.ensure(SLOT, shape)
    dirs.ensure('gateway-b', shape)
    dirs.close()
    dirs = open()
    mkdirSync(join(scan, '.gateway-c.old'))
    mkdirSync(join(scan, 'Not A Slot'))
    expect(dirs.list().sort()).toEqual([SLOT, 'gateway-b'])
    dirs.remove(SLOT)
    dirs.remove('never-there')
    expect(dirs.list()).toEqual(['gateway-b'])
    expect(warnings).toEqual([])
  })

  test('deaths are tallied over restarts of the supervisor', () => {
    dirs.ensure(SLOT, shape)
    dirs.recordDeath(SLOT, { exitCode: 1 }, 0)
    dirs.close()
    dirs = open()
    dirs.ensure(SLOT, shape)
    dirs.recordDeath(SLOT, { signal: 'KILL' }, 0)
    expect(readFileSync(path('supervise', 'death_tally')).length).toBe(28)
  })

  test('a tally of 2 GB of nothing is not read, and a new one begins', () => {
    dirs.ensure(SLOT, shape)
    truncateSync(path('supervise', 'death_tally'), 2e9)
    dirs.recordDeath(SLOT, { exitCode: 1 }, 0)
    expect(readFileSync(path('supervise', 'death_tally')).length).toBe(14)
    expect(warnings).toEqual([])
  })

  test('files that others planted in event/ are not followed, written to or waited for', async () => {
    dirs.ensure(SLOT, shape)
    const name = (n: number): string => path('event', `ftrig1:@${'0'.repeat(24)}:abcde${n}`)
    writeFileSync(join(scan, 'victim'), 'precious')
    symlinkSync(join(scan, 'victim'), name(1))
    writeFileSync(name(2), 'also precious')
    execFileSync('mkfifo', [name(3)])
    dirs.writeStatus(SLOT, upNow(), now('u'))
    dirs.writeStatus(SLOT, upNow({ ready: true }), now('U'))
    expect([readFileSync(join(scan, 'victim'), 'utf8'), readFileSync(name(2), 'utf8')]).toEqual([
      'precious',
      'also precious',
    ])
    // The FIFO has no reader: its subscriber is gone.
    expect(existsSync(name(3))).toBe(false)
    expect(warnings).toEqual([])
  })

  test('a client that listens since the status showed an event is not notified; one that listened before, or before the clock was set back, is', () => {
    dirs.ensure(SLOT, shape)
    const wallMs = clock.wallMs()
    const heard = [wallMs - 5000, wallMs - 2000, wallMs + 3_600_000].map((sinceMs) => listen(path(), sinceMs))
    dirs.writeStatus(SLOT, upNow(), [
      { code: 'D', shownFromMs: wallMs - 3000 },
      { code: 'u', shownFromMs: wallMs - 1000 },
    ])
    expect(heard.map((text) => text())).toEqual(['Du', 'u', 'Du'])
  })

  test('a FIFO under the name of what is written next holds nothing up', () => {
    dirs.ensure(SLOT, shape)
    rmSync(path('supervise', 'death_tally'))
    for (const name of [`supervise/.status.${process.pid}`, 'supervise/death_tally', `.run.${process.pid}`])
      execFileSync('mkfifo', [path(name)])
    dirs.writeStatus(SLOT, upNow(), now('u'))
    dirs.recordDeath(SLOT, { exitCode: 1 }, 0)
    dirs.writeRun(SLOT, '#!/bin/sh\n')
    expect([readdirSync(path()), readdirSync(path('supervise'))].flat()).not.toContainEqual(
      expect.stringContaining(String(process.pid)),
    )
    expect(warnings).toEqual([])
  })

  test('a control that is not a FIFO is reported, and the slot works on', async () => {
    dirs.ensure(SLOT, shape)
    writeFileSync(path('supervise', 'control'), '')
    await waitFor('the report', () => warnings.length > 0)
    expect(warnings[0]).toContain('is not a FIFO')
    dirs.writeStatus(SLOT, upNow(), now('u'))
    expect(readFileSync(path('supervise', 'status')).readBigUInt64BE(24)).toBe(4711n)
  })
})

describe('commands that were written before the news of an end', () => {
  const written = async (bytes: string): Promise<void> => {
    const fd = await waitFor('a reader', () => openSync(path('supervise', 'control'), O_WRONLY | O_NONBLOCK))
    writeSync(fd, bytes)
    closeSync(fd)
  }

  test('are obeyed at once and in their order, whatever part of them the loop had read before', async () => {
    let ms = 0
    // Two commands take as long as a turn may.
    dirs.close()
    dirs = open({ ...clock, nowMs: () => ms++ })
    dirs.ensure(SLOT, shape)
    const fd = await waitFor('a reader', () => openSync(path('supervise', 'control'), O_WRONLY | O_NONBLOCK))
    const first = new Promise<void>((resolve) => {
      obeyed = resolve
    })
    writeSync(fd, 'd'.repeat(20))
    await first
    // Still in the turn that obeys the first of them.
    writeSync(fd, 'u')
    closeSync(fd)
    expect(commands.length).toBeLessThan(20)
    dirs.obeyWritten(SLOT)
    expect(commands).toEqual([...'d'.repeat(20), 'u'].map((command) => `${SLOT} ${command}`))
    dirs.obeyWritten(SLOT)
    await written('x')
    await waitFor('the next one, in its turn', () => commands.length === 22)
    expect(commands.at(-1)).toBe(`${SLOT} x`)
  })

  test('are obeyed some at once in a flood, the rest in turn', async () => {
    dirs.ensure(SLOT, shape)
    await written(`${'d'.repeat(3000)}u`)
    dirs.obeyWritten(SLOT)
    expect(commands.length).toBe(100)
    await waitFor('the others', () => commands.length === 3001)
    expect(commands.at(-1)).toBe(`${SLOT} u`)
  })

  test('count for nothing where there is no control, or no slot', () => {
    dirs.obeyWritten(SLOT)
    dirs.ensure(SLOT, shape)
    dirs.obeyWritten(SLOT)
    dirs.close()
    dirs.obeyWritten(SLOT)
    expect([commands, warnings]).toEqual([[], []])
  })
})

test('a lock that another process holds is waited for, without a control FIFO until then', async () => {
  const fake = fakeClock()
  dirs.close()
  const other = open()
  other.ensure(SLOT, shape)
  await waitFor('the other to hold it', () => existsSync(path('supervise', 'control')))
  dirs = open(fake)
  dirs.ensure(SLOT, { ...shape, normallyUp: false })
  await waitFor('the alarm for the next try', () => fake.alarms().length > 0)
  other.close()
  fake.advance(1000)
  // ENXIO until it has a reader; without O_NONBLOCK this would wait here indefinitely.
  const fd = await waitFor('a reader', () => openSync(path('supervise', 'control'), O_WRONLY | O_NONBLOCK))
  writeSync(fd, 'u')
  closeSync(fd)
  await waitFor('the command', () => commands.length > 0)
  expect(warnings).toEqual([])
})

test('the locks of many slots that another process holds are waited for, all of them', async () => {
  const slots = Array.from({ length: 25 }, (_, at) => `gateway-p${at}`)
  const fake = fakeClock()
  dirs.close()
  const other = open()
  for (const slot of slots) other.ensure(slot, shape)
  await waitFor('the other to hold them', () =>
    slots.every((slot) => existsSync(join(scan, slot, 'supervise', 'control'))),
  )
  let tries = 0
  const tryLock: typeof realNative.tryLock = (fd) => {
    tries++
    return realNative.tryLock(fd)
  }
  const native = { ...realNative, tryLock }
  dirs = new SlotDirs({
    notifyOthers: () => undefined,
    dir: scan,
    native,
    clock: fake,
    warn: (text) => warnings.push(text),
    command: () => undefined,
  })
  for (const slot of slots) dirs.ensure(slot, shape)
  await waitFor('each to have been tried', () => tries === slots.length)
  other.close()
  const reader = (slot: string): boolean => {
    fake.advance(1000)
    // ENXIO until it has a reader.
    closeSync(openSync(join(scan, slot, 'supervise', 'control'), O_WRONLY | O_NONBLOCK))
    return true
  }
  for (const slot of slots) await waitFor(`a reader of ${slot}`, () => reader(slot))
  expect(warnings).toEqual([])
})

test('a slot costs two descriptors', async () => {
  const count = (): number => readdirSync('/proc/self/fd').length
  const before = count()
  for (let i = 0; i < 200; i++) dirs.ensure(`gateway-p${i}`, shape)
  await waitFor('all to be open', () => count() >= before + 400)
  expect(count()).toBeLessThan(before + 410)
  dirs.close()
  await waitFor('all to be closed', () => count() < before + 10)
})

// --- with the original tools
// -------------------------------------------------------------------------------------------------

const why = whyMissing('s6-svc')
const run = (name: string, ...args: string[]): { code: number | null; out: string } => {
  const { status, stdout, stderr } = spawnSync(name, args, { encoding: 'utf8' })
  return { code: status, out: `${stdout}${stderr}`.trim() }
}

describe.skipIf(why !== undefined)(named('with the original s6 tools', why), () => {
  const supervised = (): Promise<unknown> => waitFor('s6-svok', () => run('s6-svok', path()).code === 0)
  /** So many of s6's listeners: one is there when its FIFO, made as `.ftrig1:…`, has got its name. */
  const subscribers = (count: number): Promise<unknown> =>
    waitFor(
      `${count} subscribers`,
      () => readdirSync(path('event')).filter((name) => name.startsWith('ftrig1:')).length === count,
    )
  const svstat = (...options: string[]): string => run('s6-svstat', ...options, path()).out

  test('s6-svok says whether it is supervised, from the first moment to the last', async () => {
    expect(run('s6-svok', path()).code).not.toBe(0)
    dirs.ensure(SLOT, shape)
    await supervised()
    dirs.close()
    expect(run('s6-svok', path()).code).toBe(1)
    dirs = open()
    dirs.ensure(SLOT, shape)
    await supervised()
  })

  test.each<[string, Partial<SlotDirShape>, ServiceStatus, RegExp]>([
    ['up', {}, upNow(), /^up \(pid 4711\) \d+ seconds$/],
    [
      'up and ready',
      {},
      upNow({ ready: true, readyAtMs: clock.wallMs() }),
      /^up \(pid 4711\) \d+ seconds, ready \d+ seconds$/,
    ],
    ['up, normally down', { normallyUp: false }, upNow(), /^up \(pid 4711\) \d+ seconds, normally down$/],
    ['up, wanted down', {}, upNow({ wantedUp: false }), /^up \(pid 4711\) \d+ seconds, want down$/],
    ['paused', {}, upNow({ paused: true }), /, paused$/],
    [
      'in backoff',
      {},
      downNow({ lastEnding: { exitCode: 7 } }),
      /^down \(exitcode 7\) \d+ seconds, normally up, want up, ready/,
    ],
    [
      'down',
      { normallyUp: false },
      downNow({ wantedUp: false, lastEnding: { signal: 'KILL' } }),
      /^down \(signal SIGKILL\) \d+ seconds, ready \d+ seconds$/,
    ],
  ])('s6-svstat says %s', async (_what, change, status, expected) => {
    dirs.ensure(SLOT, { ...shape, ...change })
    dirs.writeStatus(SLOT, status, now(''))
    await supervised()
    expect(svstat()).toMatch(expected)
  })

  test('s6-svstat shows the second it started in', async () => {
    dirs.ensure(SLOT, shape)
    dirs.writeStatus(SLOT, upNow({ changedAtMs: clock.wallMs() - 100_500 }), now('u'))
    await supervised()
    expect(svstat('-o', 'updownfor')).toMatch(/^10[01]$/)
  })

  test('s6-svc reaches the slot, command by command, in the order written', async () => {
    dirs.ensure(SLOT, shape)
    dirs.ensure('gateway-b', shape)
    await supervised()
    expect(run('s6-svc', '-dut', path())).toEqual({ code: 0, out: '' })
    await waitFor('the commands', () => commands.length === 3)
    expect(run('s6-svc', '-k', join(scan, 'gateway-b')).code).toBe(0)
    await waitFor('the other slot', () => commands.length === 4)
    // And again: the end of one writer is not an end of file.
    run('s6-svc', '-o', path())
    await waitFor('the command', () => commands.length === 5)
    expect(commands).toEqual([`${SLOT} d`, `${SLOT} u`, `${SLOT} t`, 'gateway-b k', `${SLOT} o`])
  })

  test('s6-svc reports a slot that is not supervised', async () => {
    dirs.ensure(SLOT, shape)
    await supervised()
    dirs.close()
    await waitFor('the FIFO to be closed', () => run('s6-svc', '-u', path()).code === 100)
  })

  test('s6-svwait and s6-svc -wU wake at the right moment', async () => {
    dirs.ensure(SLOT, { ...shape, notificationFd: 3 })
    dirs.writeStatus(SLOT, downNow(), now(''))
    await supervised()
    const wait = spawn('s6-svwait', ['-U', '-t', '20000', path()], { stdio: 'inherit' })
    await subscribers(1)
    dirs.writeStatus(SLOT, upNow(), now('u'))
    expect(wait.exitCode).toBeNull()
    dirs.writeStatus(SLOT, upNow({ ready: true }), now('U'))
    expect(await once(wait, 'exit')).toEqual([0, null])
    const stop = spawn('s6-svc', ['-wD', '-T', '20000', '-d', path()], { stdio: 'inherit' })
    await waitFor('the command', () => commands.at(-1) === `${SLOT} d`)
    dirs.writeStatus(SLOT, downNow({ wantedUp: false, lastEnding: { signal: 'TERM' } }), now('dD'))
    expect(await once(stop, 'exit')).toEqual([0, null])
  })

  test('s6-svwait -u ends with a failure when the slot is parked', async () => {
    dirs.ensure(SLOT, shape)
    dirs.writeStatus(SLOT, upNow(), now('u'))
    await supervised()
    dirs.writeStatus(SLOT, downNow(), now(''))
    const wait = spawn('s6-svwait', ['-u', '-t', '20000', path()], { stdio: 'ignore' })
    await subscribers(1)
    dirs.writeStatus(SLOT, upNow({ pid: 4712, wantedUp: false }), now('u'))
    expect(await once(wait, 'exit')).toEqual([0, null])
    await subscribers(0) // its helper tidies up after it
    const failing = spawn('s6-svwait', ['-U', '-t', '20000', path()], { stdio: 'ignore' })
    await subscribers(1)
    dirs.writeStatus(SLOT, downNow({ wantedUp: false, lastEnding: { exitCode: 125 } }), now('dOD'))
    expect(await once(failing, 'exit')).toEqual([1, null])
  })

  test('s6-svwait is notified when the slot goes', async () => {
    dirs.ensure(SLOT, shape)
    dirs.writeStatus(SLOT, downNow(), now(''))
    await supervised()
    const wait = spawn('s6-svwait', ['-u', '-t', '20000', path()], { stdio: 'ignore' })
    await subscribers(1)
    dirs.remove(SLOT)
    // 1: it heard of it; 111: it had subscribed and found no status any more. 99 would be its timeout.
    const [code] = await once(wait, 'exit')
    expect([1, 111]).toContain(code)
  })

  test('s6-svdt lists the deaths', async () => {
    dirs.ensure(SLOT, shape)
    dirs.recordDeath(SLOT, { signal: 'KILL' }, clock.wallMs())
    dirs.recordDeath(SLOT, { exitCode: 7 }, clock.wallMs())
    await supervised()
    expect(run('s6-svdt', path()).out.split('\n')).toEqual([
      expect.stringMatching(/^@[0-9a-f]{24} signal SIGKILL$/),
      expect.stringMatching(/^@[0-9a-f]{24} exitcode 7$/),
    ])
  })

  test('a name for a slot that goes and comes again is supervised again', async () => {
    dirs.ensure(SLOT, shape)
    await supervised()
    dirs.remove(SLOT)
    dirs.ensure(SLOT, shape)
    await supervised()
    renameSync(path(), join(scan, 'aside'))
    dirs.writeRun(SLOT, '#!/bin/sh\n')
    await supervised()
    expect(run('s6-svok', join(scan, 'aside')).code).toBe(1)
  })
})
