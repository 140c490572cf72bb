import { expect, test } from 'vitest'
import { LimitedLog, WINDOW_MS } from '../../../src/supervisor/reconcile/limited-log.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'

test('of a thousand lines of a kind within a minute twenty are written and the rest is counted; then it begins anew', () => {
  const clock = fakeClock()
  const lines: string[] = []
  const few = new LimitedLog('settings of profiles', clock, (text) => lines.push(text))
  for (let i = 0; i < 1000; i++) few.log(`line ${i}`)
  expect(lines).toEqual(Array.from({ length: 20 }, (_, i) => `line ${i}`))
  clock.advance(WINDOW_MS)
  expect(lines.splice(0).at(-1)).toBe(
    'and 980 more lines about settings of profiles; "hermes doctor" shows what is wrong now',
  )
  few.log('later')
  clock.advance(WINDOW_MS)
  expect(lines).toEqual(['later'])
})
