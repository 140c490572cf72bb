import { spawn } from 'node:child_process'
import { getEventListeners, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test, vi } from 'vitest'
import { pause, systemClock } from '../../src/system/clock.ts'
import { fakeClock } from '../support/supervisor/fake-clock.ts'
import { waitFor, within } from '../support/wait.ts'

test('an alarm never rings before its instant, not even by a part of a millisecond', async () => {
  const clock = systemClock()
  const early = await Promise.all(
    Array.from({ length: 300 }, (_, i) => {
      const atMs = clock.nowMs() + i / 40
      return new Promise<number>((resolve) => clock.at(atMs, () => resolve(Math.max(0, atMs - clock.nowMs()))))
    }),
  )
  expect(early.filter((byMs) => byMs > 0)).toEqual([])
})

test('a cancelled alarm does not ring, and cancelling again or afterwards does nothing', async () => {
  const clock = systemClock()
  let rung = 0
  const cancel = clock.at(clock.nowMs() + 1, () => rung++)
  cancel()
  cancel()
  await new Promise<void>((resolve) => clock.at(clock.nowMs() + 5, resolve))
  expect(rung).toBe(0)
})

test('an alarm further away than a timer can count does not ring at once', async () => {
  const clock = systemClock()
  let rung = 0
  const cancel = clock.at(clock.nowMs() + 2 ** 40, () => rung++)
  await new Promise<void>((resolve) => clock.at(clock.nowMs() + 5, resolve))
  cancel()
  expect(rung).toBe(0)
})

test('the clock checks the time as often as the next alarm needs it, and a coarse alarm adds no wake-up of its own', () => {
  const delays = (forMs: number, coarse: boolean): readonly unknown[] => {
    const timers = vi.spyOn(globalThis, 'setTimeout')
    // On a busy machine, time passes between two of its reads.
    const time = vi.spyOn(process.hrtime, 'bigint').mockReturnValue(1_000_000_000n)
    try {
      const clock = systemClock()
      clock.at(clock.nowMs() + forMs, () => undefined, { coarse })()
      return timers.mock.calls.map(([, delay]) => delay)
    } finally {
      timers.mockRestore()
      time.mockRestore()
    }
  }
  expect(delays(2000, true)).toEqual([2050, 2000])
  expect(delays(2000, false)).toEqual([550, 2000])
  expect(delays(10_000, false)).toEqual([2550, 10_000])
  expect(delays(3_600_000, false)).toEqual([5050, 3_600_000])
  expect(delays(20, true)).toEqual([550, 20])
})

test('an alarm that rings is the check of the time, which needs no wake-up of its own', async () => {
  const clock = join(import.meta.dirname, '../../src/system/clock.ts')
  const program = `
    import { systemClock } from ${JSON.stringify(clock)}
    const turns = () => performance.nodeTiming.uvMetricsInfo.loopCount
    const clock = systemClock()
    let rung = 0
    let before = 0
    const repeat = () => clock.at(clock.nowMs() + 500, () => {
      if (rung === 0) before = turns()
      // As after a look that takes a while.
      if (++rung < 6) setTimeout(repeat, 5)
      else console.log(turns() - before)
    }, { coarse: true })
    repeat()
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [turns] = await once(createInterface({ input: child.stdout }), 'line')
  // Five alarms and five looks.
  expect(Number(turns)).toBeLessThanOrEqual(12)
})

test('a pause ends when its time is over or its signal is aborted, before or during it, and leaves neither alarm nor listener', async () => {
  const clock = fakeClock()
  const stop = new AbortController()
  const listeners = (): number => getEventListeners(stop.signal, 'abort').length
  const over = pause(clock, 100, stop.signal)
  expect([clock.alarms().length, listeners()]).toEqual([1, 1])
  clock.advance(100)
  await within('its time', over)
  expect([clock.alarms().length, listeners()]).toEqual([0, 0])
  const aborted = pause(clock, 100, stop.signal)
  stop.abort()
  await within('the abort', aborted)
  await within('an abort before', pause(clock, 100, stop.signal))
  expect([clock.alarms().length, listeners()]).toEqual([0, 0])
})

test('time for which everything is frozen does not pass, and a clock follows another one that has counted more of it', async () => {
  const clock = join(import.meta.dirname, '../../src/system/clock.ts')
  const program = `
    import { systemClock } from ${JSON.stringify(clock)}
    const clock = systemClock()
    const say = (event) => console.log(JSON.stringify({ event, now: clock.nowMs(), real: clock.real.nowMs(), ...clock.frozen() }))
    clock.real.at(clock.real.nowMs() + 2000, () => say('real'))
    clock.at(clock.nowMs() + 2000, () => {
      say('running')
      clock.adopt({ ms: 7000, untilMs: 0 }) // said before the freeze: not heard
      const before = clock.nowMs()
      clock.adopt({ ms: clock.frozen().ms + 400, untilMs: clock.real.nowMs() })
      console.log(JSON.stringify({ event: 'adopted', back: before - clock.nowMs(), ms: clock.frozen().ms }))
    })
    say('begins')
    process.kill(process.pid, 'SIGSTOP') // before any of its time passes, however late we hear of it
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const said: { event: string; now: number; real: number; ms: number; back?: number }[] = []
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => said.push(JSON.parse(line)))
  const [first] = await once(lines, 'line')
  expect(JSON.parse(String(first))).toMatchObject({ event: 'begins', ms: 0 })
  await waitFor('it to be stopped', () => /\) T /.test(readFileSync(`/proc/${child.pid}/stat`, 'latin1')))
  // The machine's own clock, on purpose: nothing of ours may take part in what is measured.
  const stoppedAtMs = performance.now()
  await within('a while', new Promise((resolve) => setTimeout(resolve, 3500)))
  const frozenMs = performance.now() - stoppedAtMs
  child.kill('SIGCONT')
  await once(child, 'exit')
  expect(said.map(({ event }) => event)).toEqual(['begins', 'real', 'running', 'adopted'])
  const [begins, real, running, adopted] = said
  expect((running?.now ?? 0) - (begins?.now ?? 0)).toBeGreaterThanOrEqual(2000)
  // It came back with 2 s less what had passed before; half a second of the frozen time may count.
  expect((running?.real ?? 0) - (real?.real ?? 0)).toBeGreaterThan(900)
  expect(running?.ms).toBeGreaterThan(frozenMs - 700)
  expect(adopted?.ms).toBeCloseTo((running?.ms ?? 0) + 400, 6)
  expect(adopted?.back).toBeLessThanOrEqual(0)
})
