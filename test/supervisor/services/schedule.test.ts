// The two nights of the year on which the clocks are changed, as docs/services.md says.
import { expect, test } from 'vitest'
import { Schedule } from '../../../src/supervisor/services/schedule.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'

/** The times at which it is due, in order, as UTC. */
function dueTimes(pattern: string, timezone: string, from: string, hours: number): string[] {
  const clock = fakeClock({ wallMs: Date.parse(from) })
  const times: string[] = []
  const due = (): void => void times.push(new Date(clock.wallMs()).toISOString().slice(0, 16))
  const schedule = new Schedule({ pattern, timezone, clock, due })
  clock.advance(hours * 3_600_000)
  schedule.close()
  return times
}

test.each([
  ['30 2 * * *', 'a time that the night leaves out is due when the clocks have gone forward', ['2026-03-29T01:00']],
  ['0 * * * *', 'every hour goes on hour by hour', ['2026-03-29T00:00', '2026-03-29T01:00', '2026-03-29T02:00']],
  ['30 1 * * *', 'a time before it is due as ever', ['2026-03-29T00:30']],
  ['30 3 * * *', 'a time after it is due as ever', ['2026-03-29T01:30']],
])('in spring, %s: %s', (pattern, _, times) => {
  // 02:00 becomes 03:00 in Berlin at 01:00 UTC.
  expect(dueTimes(pattern, 'Europe/Berlin', '2026-03-28T23:30:00Z', 3)).toEqual(times)
})

test.each([
  ['30 2 * * *', 'a time that the night has twice is due once, the first time', ['2026-10-25T00:30']],
  ['0 * * * *', 'every hour goes on hour by hour', ['2026-10-25T00:00', '2026-10-25T01:00', '2026-10-25T02:00']],
  [
    '*/30 2 * * *',
    'several times of that hour are due in both',
    ['2026-10-25T00:00', '2026-10-25T00:30', '2026-10-25T01:00', '2026-10-25T01:30'],
  ],
])('in autumn, %s: %s', (pattern, _, times) => {
  // 03:00 becomes 02:00 in Berlin at 01:00 UTC.
  expect(dueTimes(pattern, 'Europe/Berlin', '2026-10-24T23:30:00Z', 3)).toEqual(times)
})
