// The limits that are requested. test/container/security/slot-limits.test.ts shows on kernels that a cgroup holds a
// fork bomb.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { SlotLimits } from '../../../src/init/slots/slot-limits.ts'
import { type Clock, systemClock } from '../../../src/system/clock.ts'
import { sharedScratchDir } from '../../support/scratch.ts'

const dir = sharedScratchDir('limits-')

function limitsOf(env: Readonly<Record<string, string>>, hard = 'unlimited') {
  const [self, ownLimits] = [join(dir, 'self'), join(dir, 'own-limits')]
  writeFileSync(self, '0::/\n')
  writeFileSync(ownLimits, `Limit\nMax processes             1024                 ${hard.padEnd(20)} processes\n`)
  const [warnings, clock]: [string[], Clock] = [[], systemClock()]
  const warn = (text: string): void => void warnings.push(text)
  const limits = new SlotLimits({ env, ownContainer: true, confined: true, clock, warn, self, ownLimits, cgroups: dir })
  return { limits, warnings }
}
const nproc = (most: number): readonly string[] => ['/usr/bin/prlimit', `--nproc=${most}`, '--']

test.each([
  ['500', nproc(500), []],
  ['', [], []],
  ['0', [], []],
  ['3', [], [expect.stringContaining('expected 0 or a whole number from 64 to 4194304, got "3"')]],
  ['many', [], [expect.stringContaining('got "many"')]],
])('HERMES_MAX_PROCESSES=%o: %j', (value, prefix, warned) => {
  const { limits, warnings } = limitsOf({ HERMES_MAX_PROCESSES: value })
  expect(limits.prefix('gateway-a')).toEqual(prefix)
  expect(warnings).toEqual(warned)
})

test('more than the container may have is not asked of the kernel, which would refuse every start', () => {
  const { limits, warnings } = limitsOf({ HERMES_MAX_PROCESSES: '5000' }, '1000')
  expect(limits.prefix('gateway-a')).toEqual(nproc(1000))
  expect(warnings).toEqual(['HERMES_MAX_PROCESSES: the container may have 1000 at most, got 5000; it is 1000'])
})

test.each([
  ['no cgroups', () => undefined],
  ['cgroups that hold other processes only', () => writeFileSync(join(dir, 'cgroup.procs'), '1\n2\n')],
  [
    'a controller that cannot be had',
    () => {
      writeFileSync(join(dir, 'cgroup.procs'), `1\n${process.pid}\n`)
      mkdirSync(join(dir, 'cgroup.subtree_control'))
    },
  ],
])('with %s there is no limit by cgroup, and nothing is logged', (_, prepare) => {
  prepare()
  const { limits, warnings } = limitsOf({})
  expect([limits.prefix('gateway-a'), warnings]).toEqual([[], []])
  limits.leave('gateway-a')
})
