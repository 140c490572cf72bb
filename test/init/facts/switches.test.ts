import { expect, test } from 'vitest'
import { VARIABLES } from '../../../src/cli/variables.ts'
import { doubtfulSwitches } from '../../../src/init/facts/switches.ts'

test.each(['', ' ', '1', 'TRUE', 'yes', '0', 'false', 'No', 'off'])('%o is a yes or a no', (value) => {
  expect(doubtfulSwitches({ HERMES_DASHBOARD: value })).toEqual([])
})

test.each(['ture', 'on', '2', 'enabled', '1 ', ' yes'])(
  '"%s" counts as no, and the line says what was expected',
  (value) => {
    expect(doubtfulSwitches({ HERMES_LOG_PREFIX: value, HERMES_HOME: value })).toEqual([
      `HERMES_LOG_PREFIX: expected 1, true, yes or 0, false, no, got "${value}"; it counts as no`,
    ])
  },
)

test('every variable that is documented as a switch is looked at, and no other', () => {
  const documented = VARIABLES.filter(({ meaning }) => meaning.includes('truthy')).map(({ name }) => name)
  const mistyped = Object.fromEntries(VARIABLES.map(({ name }) => [name, 'ture']))
  expect(doubtfulSwitches(mistyped).map((line) => line.split(':')[0])).toEqual(expect.arrayContaining(documented))
  expect(doubtfulSwitches(mistyped)).toHaveLength(documented.length)
})
