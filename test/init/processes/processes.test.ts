import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { Processes } from '../../../src/init/processes/processes.ts'
import type { Ending } from '../../../src/slot/ending.ts'
import { degradedNative } from '../../../src/system/native/native-degraded.ts'
import { tellsEnds, whyNoEnds } from '../../support/container/kernel.ts'
import { realNative } from '../../support/supervisor/real-native.ts'
import { named } from '../../support/tools.ts'

const endOf = async (script: string, native = realNative): Promise<Ending> =>
  (await new Processes(native).start('/bin/sh', ['-c', script], { stdio: 'ignore' })).ended
const openFiles = (): number => readdirSync('/proc/self/fd').length

describe('how a program ended', () => {
  test.each([
    ['exit 0', { exitCode: 0 }],
    ['exit 40', { exitCode: 40 }],
    ['kill -KILL $$', { signal: 'KILL' }],
    ['kill -SYS $$', { signal: 'SYS' }],
  ] as const)('%s', async (script, ending) => {
    expect(await endOf(script)).toEqual(ending)
    // Without the binding too.
    expect(await endOf(script, degradedNative())).toEqual(ending)
  })

  test.skipIf(!tellsEnds).each([
    ['kill -32 $$', { signal: 'RTMIN-2' }],
    ['kill -34 $$', { signal: 'RTMIN' }],
    ['kill -40 $$', { signal: 'RTMIN+6' }],
    ['kill -64 $$', { signal: 'RTMIN+30' }],
  ] as const)(named('%s, of which Node says code 0', whyNoEnds), async (script, ending) => {
    expect(await endOf(script)).toEqual(ending)
  })

  test('no descriptor is left of it', async () => {
    await endOf('exit 0')
    const before = openFiles()
    for (let i = 0; i < 5; i++) await endOf(i % 2 === 0 ? 'exit 0' : 'kill -KILL $$')
    expect(openFiles()).toBe(before)
  })
})
