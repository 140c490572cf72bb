import { execFileSync } from 'node:child_process'
import { linkSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { VolumeCounter } from '../../src/supervisor/volume-counter.ts'
import {
  type Counting,
  FREE_AFTER_MS,
  formatLease,
  type LeaseFile,
  lookAgainAfterMs,
  parseLease,
  startCounting,
  stepCounting,
} from '../../src/volume/counter.ts'
import { scratchDir } from '../support/scratch.ts'
import { type FakeClock, fakeClock } from '../support/supervisor/fake-clock.ts'

let dir: string
let file: string
beforeEach(() => {
  dir = scratchDir('hermes-lease-')
  file = join(dir, 'run.lease')
  writeFileSync(file, '')
})

interface Contender {
  readonly lease: VolumeCounter
  readonly clock: FakeClock
  readonly told: string[]
  readonly warnings: string[]
}
const contender = (instance: string, hostname = 'nas'): Contender => {
  const clock = fakeClock()
  const told: string[] = []
  const warnings: string[] = []
  const lease = new VolumeCounter({
    file,
    instance,
    hostname,
    clock,
    realClock: clock,
    warn: (text) => warnings.push(text),
    changed: (state) => told.push(state),
    unwritable: () => told.push('unwritable'),
  })
  return { lease, clock, told, warnings }
}
/** How far the counter is beyond where a claim at the start of the fake clock begins. */
const counter = (): number => (parseLease(readFileSync(file, 'utf8'))?.counter ?? Number.NaN) - CLAIMED_AT_S
const CLAIMED_AT_S = Math.floor(fakeClock().nowMs() / 1000)

describe('the text of run.lease', () => {
  test('says who holds the volume, in one line of one length', () => {
    const text = formatLease({ instance: '1a2b', host: 'nas.local', counter: 7 })
    expect(text).toMatch(/^hermes lease: instance=1a2b host=nas\.local counter=7 *\n$/)
    expect(text).toHaveLength(256)
    expect(parseLease(text)).toEqual({ instance: '1a2b', host: 'nas.local', counter: 7 })
  })

  test('survives any instance and host name', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.nat(), (instance, host, count) => {
        const text = formatLease({ instance, host, counter: count })
        expect(Buffer.byteLength(text)).toBe(256)
        expect(parseLease(text)?.counter).toBe(count)
      }),
    )
  })

  test.each([
    ['nothing', ''],
    ['half a line', 'hermes lease: instance=a host=b'],
    ['something else', 'x'.repeat(300)],
    ['zeroes, as a lost write leaves them', '\0'.repeat(256)],
  ])('%s does not name a holder', (_what, text) => {
    expect(parseLease(text)).toBeUndefined()
  })
})

describe('with the lock held', () => {
  test('the file says who we are, and is cleared at an orderly end', () => {
    const { lease, clock, warnings } = contender('1a2b')
    lease.held()
    expect(lease.holder()).toBe('instance 1a2b on host nas')
    expect(clock.alarms()).toEqual([])
    lease.release()
    expect([readFileSync(file, 'utf8'), lease.holder()]).toEqual(['', undefined])
    expect(warnings).toEqual([])
  })

  test('a longer text of another program is gone without a trace', () => {
    writeFileSync(file, 'x'.repeat(1000))
    contender('1a2b').lease.held()
    expect(readFileSync(file, 'utf8')).toHaveLength(256)
  })

  test('a container that only waits changes nothing, not even at its end', () => {
    contender('holder').lease.held()
    const { lease } = contender('waiter')
    expect(lease.holder()).toBe('instance holder on host nas')
    lease.release()
    lease.close()
    expect(lease.holder()).toBe('instance holder on host nas')
  })

  test.each<[string, (victim: string) => void]>([
    ['a link', (victim) => symlinkSync(victim, file)],
    ['a second name of another file', (victim) => linkSync(victim, file)],
    ['a FIFO', () => execFileSync('mkfifo', [file])],
    ['a directory', () => execFileSync('mkdir', [file])],
    ['nothing', () => undefined],
  ])('%s in its place is neither followed, written to nor made; it is reported once', (_what, plant) => {
    const victim = join(dir, 'victim')
    writeFileSync(victim, 'precious')
    rmSync(file)
    plant(victim)
    const before = readdirSync(dir)
    const { lease, warnings } = contender('1a2b')
    lease.held()
    lease.held()
    lease.holder()
    expect(readFileSync(victim, 'utf8')).toBe('precious')
    expect(readdirSync(dir)).toEqual(before)
    expect(warnings).toEqual([expect.stringContaining(file)])
  })
})

describe('where locks do not work, a counter decides', () => {
  test('a file that does not name a holder is ours after three seconds; then the counter moves every ten', () => {
    const { lease, clock, told } = contender('a')
    lease.count()
    expect(told).toEqual([])
    clock.advance(0)
    expect([told, counter()]).toEqual([[], 1])
    clock.advance(2999)
    expect(told).toEqual([])
    clock.advance(1)
    expect([told, counter()]).toEqual([['taken'], 2])
    clock.advance(60_000)
    expect([told, counter()]).toEqual([['taken'], 8])
  })

  test('a counter that moves is never taken; one that has stood still for a minute is', () => {
    const holder = contender('a')
    holder.lease.count()
    holder.clock.advance(3000)
    const waiter = contender('b')
    waiter.lease.count()
    for (let s = 0; s < 300; s++) {
      holder.clock.advance(1000)
      waiter.clock.advance(1000)
    }
    expect([waiter.told, waiter.lease.holder()]).toEqual([['lost'], 'instance a on host nas'])
    holder.lease.close()
    waiter.clock.advance(FREE_AFTER_MS - 10_000)
    expect(waiter.told).toEqual(['lost'])
    waiter.clock.advance(20_000)
    expect([waiter.told, waiter.lease.holder()]).toEqual([['lost', 'taken'], 'instance b on host nas'])
  })

  test('an orderly end lets the next one in at once', () => {
    const [first, second] = [contender('a'), contender('b')]
    first.lease.count()
    first.clock.advance(3000)
    second.lease.count()
    second.clock.advance(0)
    first.lease.release()
    second.clock.advance(5000)
    expect(second.told).toEqual(['lost', 'taken'])
  })

  test("a holder that was stopped for minutes finds another's id, has lost it, and waits its turn", () => {
    const [first, second] = [contender('a'), contender('b')]
    first.lease.count()
    first.clock.advance(3000)
    second.lease.count()
    second.clock.advance(120_000)
    expect(second.told).toEqual(['lost', 'taken'])
    first.clock.advance(10_000)
    expect(first.told).toEqual(['taken', 'lost'])
    first.lease.release()
    expect(second.lease.holder()).toBe('instance b on host nas')
    second.lease.release()
    const again = contender('a')
    again.lease.count()
    again.clock.advance(3000)
    expect(again.told).toEqual(['taken'])
  })

  test('of two that find it free at once exactly one gets it', () => {
    const [first, second] = [contender('a'), contender('b')]
    first.lease.count()
    second.lease.count()
    first.clock.advance(0)
    second.clock.advance(0)
    for (let s = 0; s < 30; s++) {
      first.clock.advance(1000)
      second.clock.advance(1000)
    }
    expect([first.told, second.told].sort()).toEqual([['lost'], ['taken']])
  })

  test('a supervisor that comes back in the same container goes on with what it held', () => {
    const before = contender('a')
    before.lease.count()
    before.clock.advance(3000)
    before.lease.close()
    const after = contender('a')
    after.lease.count()
    after.clock.advance(0)
    expect([after.told, counter()]).toEqual([['taken'], 3])
  })

  test('a supervisor that comes back and finds the counter of another container has lost the lease, and reports it once', () => {
    const other = contender('b')
    other.lease.count()
    other.clock.advance(3000)
    const after = contender('a')
    after.lease.count()
    for (let s = 0; s < 100; s++) {
      other.clock.advance(1000)
      after.clock.advance(1000)
    }
    expect(after.told).toEqual(['lost'])
  })

  test('a claim that is given up at a stop does not keep the next container waiting', () => {
    const { lease, clock } = contender('a')
    lease.count()
    clock.advance(0)
    expect(counter()).toBe(1)
    lease.release()
    expect(readFileSync(file, 'utf8')).toBe('')
  })

  test('a holder whose file has gone bad gives up before another may take it', () => {
    const holder = contender('a')
    holder.lease.count()
    holder.clock.advance(3000)
    renameSync(file, `${file}.aside`)
    symlinkSync(`${file}.aside`, file)
    holder.clock.advance(40_000)
    expect(holder.told).toEqual(['taken'])
    holder.clock.advance(FREE_AFTER_MS - 40_000)
    expect(holder.told).toEqual(['taken', 'lost'])
  })

  test('frozen time counts for a holder, and not for one that watches', () => {
    const other = { instance: 'b', host: 'h', counter: 3 }
    const time = (runningMs: number, realMs: number) => ({ runningMs, realMs })
    // Both were frozen for an hour, so the counter of the other one could not move.
    const watching = stepCounting(startCounting(0, 0), other, 'a', time(0, 0)).next
    expect(stepCounting(watching, other, 'a', time(2000, 3_600_000)).write).toBeUndefined()
    expect(stepCounting(watching, other, 'a', time(FREE_AFTER_MS, 3_700_000)).write).toBeDefined()
    // We were, and others may have taken what we held.
    const held: Counting = { state: 'held', counter: 3, movedAtMs: 0 }
    expect(stepCounting(held, 'unreadable', 'a', time(1000, 3_600_000)).report).toBe('lost')
  })

  test('a container that claims again shows no number twice, at which one that slept would see it stand still', () => {
    const at = (ms: number) => ({ runningMs: ms, realMs: ms })
    const shown: number[] = []
    let counting = startCounting(0, 0)
    let file: LeaseFile = 'free'
    for (let ms = 0; ms < 600_000; ms += 3000) {
      // Another container takes it now and then, and gives it back.
      const found: LeaseFile = ms % 60_000 === 30_000 ? { instance: 'b', host: 'h', counter: ms } : file
      const { next, write } = stepCounting(counting, found, 'a', at(ms))
      counting = next
      file = write === undefined ? 'free' : { instance: 'a', host: 'h', counter: write }
      if (write !== undefined) shown.push(write)
    }
    expect(shown.length).toBeGreaterThan(100)
    expect(new Set(shown).size).toBe(shown.length)
  })

  test('a counter that cannot be read does not count as standing still', () => {
    let counting = startCounting(0, 0)
    for (let nowMs = 0; nowMs < 10 * FREE_AFTER_MS; nowMs += 2000) {
      const { next, write } = stepCounting(counting, 'unreadable', 'a', { runningMs: nowMs, realMs: nowMs })
      expect(write).toBeUndefined()
      counting = next
    }
  })

  test('a file that init could not make is made by the counter', () => {
    rmSync(file)
    const { lease, clock, told } = contender('a')
    lease.count()
    clock.advance(3_000)
    expect(told).toEqual(['taken'])
    expect(counter()).toBe(2)
  })

  test('one that cannot be written is not held', () => {
    rmSync(dirname(file), { recursive: true })
    const { lease, clock, told, warnings } = contender('a')
    lease.count()
    clock.advance(600_000)
    expect(told).toEqual(['unwritable', 'lost'])
    expect(warnings).toHaveLength(1)
  })
})

test('whatever stops and goes on: two never believe at once that they hold it while both are awake', () => {
  const actor = fc.constantFrom(0, 1, 2)
  const event = fc.oneof(
    { weight: 1, arbitrary: fc.record({ type: fc.constant('suspend' as const), who: actor }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('resume' as const), who: actor }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('restart' as const), who: actor }) },
    {
      weight: 6,
      arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.integer({ min: 100, max: 90_000 }) }),
    },
  )
  fc.assert(
    fc.property(fc.array(event, { minLength: 20, maxLength: 60 }), (history) => {
      let nowMs = 0
      let held: LeaseFile = 'free'
      const fresh = (name: string) => ({
        name,
        counting: startCounting(nowMs, nowMs) as Counting,
        dueMs: nowMs,
        awake: true,
      })
      const all = ['a', 'b', 'c'].map(fresh)
      const look = (one: ReturnType<typeof fresh>): void => {
        const { next, write } = stepCounting(one.counting, held, one.name, { runningMs: nowMs, realMs: nowMs })
        if (write !== undefined) held = { instance: one.name, host: 'h', counter: write }
        one.counting = next
        one.dueMs = nowMs + lookAgainAfterMs[next.state]
      }
      const passTo = (untilMs: number): void => {
        while (true) {
          const due = all.filter(({ awake, dueMs }) => awake && dueMs <= untilMs).sort((a, b) => a.dueMs - b.dueMs)[0]
          if (due === undefined) break
          nowMs = Math.max(nowMs, due.dueMs)
          look(due)
          // A container that has just come back looks first. From then on only one may believe that it is the holder.
          const holders = all.filter(
            ({ awake, counting, dueMs }) => awake && counting.state === 'held' && dueMs > nowMs,
          )
          if (holders.length > 1) throw new Error(`held by ${holders.map(({ name }) => name).join(' and ')}`)
        }
        nowMs = untilMs
      }
      for (const one of history) {
        if (one.type === 'pass') passTo(nowMs + one.ms)
        else if (one.type === 'suspend') all[one.who]!.awake = false
        else if (one.type === 'resume') all[one.who]!.awake = true
        else all[one.who] = fresh(`${all[one.who]!.name}'`)
      }
      // One of them gets it in the end.
      for (const one of all) one.awake = true
      passTo(nowMs + 3 * FREE_AFTER_MS)
      expect(all.filter(({ counting }) => counting.state === 'held')).toHaveLength(1)
    }),
    { numRuns: 500 },
  )
})
