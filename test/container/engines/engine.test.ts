// The engine of the tests, started and ended by runs that meet or are killed: in namespaces of its own, so that the one
// that these tests use is not touched.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Ran, tryRun } from '../../../scripts/run.ts'
import { root } from '../../support/pages.ts'
import { named, whyMissing, whyNotRoot } from '../../support/tools.ts'
import { waitFor } from '../../support/wait.ts'

const why = whyNotRoot ?? whyMissing('dockerd')
const CONTAINERD_PID = '/run/hermes-test-engine/containerd/containerd.pid'
const PREPARE = 'mount -t tmpfs tmpfs /run && ip link set lo up && echo ready && exec cat'

describe.skipIf(why !== undefined)(named('the engine of the tests', why), () => {
  let cache: string
  let holder: ChildProcess
  /** The first process of the namespaces, as we see it. */
  let first: string
  beforeEach(async () => {
    // Not in /tmp, which may be in memory: no engine has its data there.
    cache = mkdtempSync('/var/tmp/hermes-test-engine-')
    const unshare = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'private']
    holder = spawn('unshare', [...unshare, 'sh', '-c', PREPARE], { stdio: ['pipe', 'pipe', 'inherit'] })
    await once(holder.stdout as NodeJS.ReadableStream, 'data')
    first = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8').trim()
  })
  afterEach(async () => {
    // The end of the first process is that of all.
    holder.stdin?.end()
    await once(holder, 'close')
    rmSync(cache, { recursive: true, force: true })
  })

  const enter = (...argv: string[]): readonly [string, string[], { env: Record<string, string> }] => [
    'nsenter',
    ['--target', first, '--mount', '--net', '--pid', `--wdns=${root}`, '--', ...argv],
    { env: { ...(process.env as Record<string, string>), HERMES_TEST_CACHE: cache } },
  ]
  const inside = (...argv: string[]): Promise<Ran> => tryRun(...enter(...argv))
  const program = (...words: string[]) => [
    process.execPath,
    join(root, 'test/support/programs/test-engine.ts'),
    ...words,
  ]
  const start = async (): Promise<string> => {
    const { code, stdout, stderr } = await inside(...program())
    expect(code, stderr).toBe(0)
    return stdout
  }
  const file = (name: string): string => join(cache, 'engine', name)
  const pid = (): string => readFileSync(file('engine.pid'), 'utf8').trim()
  const answers = async (): Promise<boolean> => (await inside('docker', 'version')).code === 0

  test('two runs that start it at once have one', async () => {
    const said = await Promise.all([start(), start()])
    expect(said.sort()).toEqual(['started\n', 'there was one\n'])
    expect(await answers()).toBe(true)
    expect((await inside(...program('stop'))).code).toBe(0)
    expect(await answers()).toBe(false)
  })

  test('a run whose starter was killed before it answered is waited for, and ended by the next one', async () => {
    const [command, argv, options] = enter(...program())
    const starter = spawn(command, argv, { ...options, stdio: 'ignore' })
    await waitFor('dockerd to start', () => existsSync(file('engine.pid')) && pid() !== '')
    const before = pid()
    // nsenter, and below it the starter.
    const children = readFileSync(`/proc/${starter.pid}/task/${starter.pid}/children`, 'utf8').trim().split(' ')
    for (const one of children) process.kill(Number(one), 'SIGKILL')
    expect(await start()).toBe('there was one\n')
    expect(pid()).toBe(before)
    expect((await inside(...program('stop'))).code).toBe(0)
    expect(await answers()).toBe(false)
  })

  test('one that is being ended is not taken for one to use', async () => {
    await start()
    const before = pid()
    // As a run leaves it that is killed when it has begun to end it.
    writeFileSync(file('ending'), '')
    expect(await start()).toBe('started\n')
    expect(pid()).not.toBe(before)
    expect(await answers()).toBe(true)
  })

  test('pids that it leaves when it is killed, and that are other programs’ by then, stop no start and end no program', async () => {
    await start()
    const { stdout } = await inside('sh', '-c', 'sleep 1000000 >/dev/null 2>&1 & echo $!')
    const other = stdout.trim()
    await inside('sh', '-c', `kill -KILL ${pid()} $(cat ${CONTAINERD_PID})`)
    await waitFor('it to be gone', async () => !(await answers()))
    writeFileSync(file('engine.pid'), other)
    await inside('sh', '-c', `echo ${other} >${CONTAINERD_PID}`)
    expect(await start()).toBe('started\n')
    expect((await inside('kill', '-0', other)).code).toBe(0)
  })
})
