import { expect, test } from 'vitest'
import { doubtfulSwitches } from '../../src/init/switches.ts'

test.each(['', ' ', '1', 'TRUE', 'yes', '0', 'false', 'No', 'off'])('%o is a yes or a no', (value) => {
  expect(doubtfulSwitches({ HERMES_DASHBOARD: value })).toEqual([])
})

test.each(['ture', 'on', '2', 'enabled'])('"%s" counts as no, and the line says what was expected', (value) => {
  expect(doubtfulSwitches({ HERMES_LOG_PREFIX: value, HERMES_HOME: value })).toEqual([
    `HERMES_LOG_PREFIX: expected 1, true, yes or 0, false, no, got "${value}"; it counts as no`,
  ])
})
