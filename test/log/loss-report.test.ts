import { expect, test } from 'vitest'
import { LossReport } from '../../src/log/io/loss-report.ts'
import { fakeClock } from '../support/supervisor/fake-clock.ts'

test('fifty logs on a full disk are one warning a minute, not fifty', () => {
  const clock = fakeClock()
  const warnings: string[] = []
  const report = new LossReport(clock, (text) => warnings.push(text))
  for (let second = 0; second < 180; second++) {
    for (let slot = 0; slot < 50; slot++) report.lost(`/logs/${slot}/current`, 2, 'ENOSPC: no space left on device')
    clock.advance(1000)
  }
  expect(warnings).toHaveLength(4)
  expect(warnings[1]).toContain('cannot write /logs/0/current and 49 other log files: ENOSPC')
  expect(warnings[1]).toContain('lines lost so far: 6000.')
  expect(report.total).toBe(180 * 50 * 2)
})

test('a log that is written again is reported once, with what it lost', () => {
  const clock = fakeClock()
  const warnings: string[] = []
  const report = new LossReport(clock, (text) => warnings.push(text))
  report.lost('/logs/a/current', 3, 'EROFS: read-only file system')
  report.lost('/logs/a/current', 4, 'EROFS: read-only file system')
  report.resumed('/logs/a/current')
  clock.advance(600_000)
  expect(report.total).toBe(7)
  expect(warnings.slice(1)).toEqual(['/logs/a/current: written again; lines lost: 7 (EROFS: read-only file system)'])
})
