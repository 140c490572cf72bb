import { expect, test } from 'vitest'
import { isAskedFor } from '../../scripts/testing/left-out.ts'

test.each([
  [[]],
  [['-t', 'a gateway']],
  [['test']],
  [['test/container']],
  [['test/slot', 'test/container/slots/gateway.test.ts']],
])('npm test -- %j is about the container tests, and says why they are left out', (args) => {
  expect(isAskedFor('test/container/', args)).toBe(true)
})

test.each([[['test/slot']], [['test/process/init/boot.test.ts', '-t', 'boot']]])(
  'npm test -- %j is not about the container tests, and does not name them',
  (args) => {
    expect(isAskedFor('test/container/', args)).toBe(false)
  },
)
