import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
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
    // One of an earlier test may have been closed in the meantime.
    expect(openFiles()).toBeLessThanOrEqual(before)
  })
})

describe('a program that is spawned', () => {
  const program = (script: string) => ({
    file: '/bin/sh',
    args: ['-c', script],
    env: { PATH: '/usr/bin:/bin' },
    cwd: '/',
    fds: ['ignore', 'ignore', 'ignore'] as const,
  })
  /** As init does, which the kernel notifies of each end. */
  const collecting = (processes: Processes): Disposable => {
    const collect = (): void => processes.collect()
    process.on('SIGCHLD', collect)
    return { [Symbol.dispose]: () => void process.off('SIGCHLD', collect) }
  }

  test.each([
    ['exit 40', { exitCode: 40 }],
    ['kill -KILL $$', { signal: 'KILL' }],
    ['kill -40 $$', { signal: 'RTMIN+6' }],
  ] as const)('reports its end: %s', async (script, ending) => {
    const processes = new Processes(realNative)
    using _ = collecting(processes)
    const { pid, ended } = await processes.spawn(program(script))
    expect(processes.isOwn(pid)).toBe(true)
    expect(await ended).toEqual(ending)
    expect(processes.isOwn(pid)).toBe(false)
  })

  test('is found behind one of libuv that has ended before it', async () => {
    const processes = new Processes(realNative)
    const [one, two] = [await processes.start('/bin/true', [], {}), await processes.spawn(program('exit 3'))]
    const isZombie = ({ pid }: { readonly pid: number }): boolean =>
      / Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
    // Neither has been waited for: libuv and we both wait for a turn of the loop.
    while (!isZombie(one) || !isZombie(two));
    processes.collect()
    expect(processes.isOwn(two.pid)).toBe(false)
    expect([await one.ended, await two.ended]).toEqual([{ exitCode: 0 }, { exitCode: 3 }])
  })

  test('is searched for, and a script without a first line is run, as libuv does', async () => {
    const processes = new Processes(realNative)
    using _ = collecting(processes)
    expect(await (await processes.spawn({ ...program('exit 4'), file: 'sh' })).ended).toEqual({ exitCode: 4 })
    const script = join(mkdtempSync(join(tmpdir(), 'hermes-spawn-')), 'script')
    writeFileSync(script, 'exit 5\n', { mode: 0o755 })
    expect(await (await processes.spawn({ ...program(''), file: script })).ended).toEqual({ exitCode: 5 })
    rmSync(dirname(script), { recursive: true })
  })

  test('that cannot be started is an error with its reason', async () => {
    const processes = new Processes(realNative)
    await expect(processes.spawn({ ...program(''), file: '/no/such' })).rejects.toThrow('spawn /no/such ENOENT')
    await expect(processes.spawn({ ...program(''), cwd: '/no/dir' })).rejects.toThrow('there is no directory /no/dir')
  })
})
