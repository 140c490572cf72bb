import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hermes as cli } from '../../support/cli.ts'
import { startHermes } from '../../support/hermes.ts'
import { memoryDisk, NO_MOUNT } from '../../support/hostile/memory-disk.ts'
import { scratchDir } from '../../support/scratch.ts'
import { size } from '../../support/size.ts'
import { stretchedMs, waitFor } from '../../support/wait.ts'

const lives = { command: ['sleep', '100000'], ready_after: '50ms', restart_delay: { first: '1ms', max: '10ms' } }
const freshHome = (): string => scratchDir('hermes-hostile-')

test('one profile whose config.yaml cannot be read costs the others nothing', async () => {
  const home = freshHome()
  mkdirSync(join(home, 'profiles', 'bbb'), { recursive: true })
  symlinkSync('config.yaml', join(home, 'profiles', 'bbb', 'config.yaml'))
  await using hermes = await startHermes({
    home,
    profiles: ['aaa', 'zzz'].map((name) => ({ name, gateway: lives })),
  })
  for (const name of ['aaa', 'zzz']) {
    await waitFor(`${name} to be up`, async () => (await hermes.slot(`gateway-${name}`))?.state === 'up')
  }
  expect(await hermes.slot('gateway-bbb')).toMatchObject({ state: 'down' })
  expect(await hermes.slot('dashboard')).toMatchObject({ state: 'down' })
  expect(readFileSync(join(home, 'logs', 'container-boot.log'), 'utf8')).toContain('profile=zzz')
})

// kallsyms stands for /proc/self/pagemap, which would take all memory where it is read: both say that they are empty,
// and are not.
test('links into /proc in the place of one profile’s files cost that profile its settings, and nothing else', async () => {
  const home = freshHome()
  const bad = join(home, 'profiles', 'bad')
  mkdirSync(bad, { recursive: true })
  for (const name of ['config.yaml', '.env']) symlinkSync('/proc/kallsyms', join(bad, name))
  writeFileSync(join(bad, 'desired_state'), 'running\n')
  symlinkSync('/proc/kallsyms', join(home, 'active_profile'))
  await using hermes = await startHermes({ home, profiles: [{ name: 'good', gateway: lives }] })
  await waitFor('good to be up', async () => (await hermes.slot('gateway-good'))?.state === 'up')
  await waitFor('what is wrong to be named', () =>
    ['config.yaml', '.env'].every((name) => hermes.stderr().includes(`${join(bad, name)}: cannot be read`)),
  )
  expect(hermes.stderr()).toContain('it is a file of the kernel (proc)')
})

test('an archive unpacked into profiles/ costs twenty lines and a count, and holds up neither boot nor requests', async () => {
  const home = freshHome()
  const strays = size(20_000, 120_000)
  mkdirSync(join(home, 'profiles'))
  for (let i = 0; i < strays; i++) writeFileSync(join(home, 'profiles', `Stray ${i}`), '')
  await using hermes = await startHermes({ home, profiles: [{ name: 'zzz', gateway: lives }] })
  await waitFor('zzz to be up', async () => (await hermes.slot('gateway-zzz'))?.state === 'up')
  const reconciled = async (): Promise<number> => {
    const startedAtMs = performance.now()
    await hermes.control((client) => client.request('reconcile', {}))
    return performance.now() - startedAtMs
  }
  expect(await reconciled()).toBeLessThan(stretchedMs(2000))
  writeFileSync(join(home, 'profiles', 'Stray one more'), '')
  expect(await reconciled()).toBeLessThan(stretchedMs(2000))
  process.kill(await hermes.supervisorPid(), 'SIGKILL')
  await waitFor('the next supervisor', async () => (await hermes.status().catch(() => undefined))?.phase === 'running')
  expect(await reconciled()).toBeLessThan(stretchedMs(2000))
  const lines = (file: string): string[] =>
    readFileSync(join(home, 'logs', file), 'utf8')
      .split('\n')
      .filter((line) => line.includes('skipped'))
  const bootLines = lines('container-boot.log')
  expect(bootLines).toHaveLength(21)
  expect(bootLines.at(-1)).toMatch(new RegExp(`profile=\\* action=skipped reason="and ${strays - 20} more"$`))
  expect(lines('supervisor.log')).toHaveLength(21)
  const { warnings } = await hermes.status()
  expect(warnings.filter((text) => text.includes('skipped'))).toHaveLength(21)
})

test('text from others adds no row and moves no cursor, in any output of hermes and in its logs', async () => {
  const home = freshHome()
  const evil = 'x\x1b[2J\x9b1m\r\u202e\nfake  up  9 d'
  mkdirSync(join(home, 'profiles', evil), { recursive: true })
  const dies = ['sh', '-c', `printf '%s' "$1" >&2; exit 78`, 'sh', `evil ${evil.replace('\n', '')}\n`]
  await using hermes = await startHermes({
    home,
    profiles: [{ name: 'coder', gateway: { command: dies, ready_after: '50ms' } }],
  })
  writeFileSync(
    join(home, 'profiles', 'coder', 'config.yaml'),
    JSON.stringify({ description: evil, gateway: { command: dies }, [evil]: 1 }),
  )
  await waitFor('it to be parked', async () => (await hermes.slot('gateway-coder'))?.state === 'parked')
  const place = { home, env: { HERMES_RUN_DIR: hermes.runDir } }
  const outputs: [string, string][] = [
    ['docker logs', hermes.stderr()],
    ['supervisor.log', readFileSync(join(home, 'logs', 'supervisor.log'), 'utf8')],
    ['container-boot.log', readFileSync(join(home, 'logs', 'container-boot.log'), 'utf8')],
  ]
  for (const args of [
    'status',
    'profile list',
    'profile show coder',
    'gateway status --all',
    'doctor',
    'config check --all',
    'status --json',
    '-p nosuch\x1b[2J status',
  ]) {
    const { stdout, stderr } = await cli(args.split(' '), place)
    outputs.push([args, stdout + stderr])
  }
  for (const [what, text] of outputs) {
    expect([what, /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]/.exec(text)?.[0]]).toEqual([what, undefined])
    expect([what, /^fake/m.exec(text)?.[0]]).toEqual([what, undefined])
  }
  expect(outputs.find(([what]) => what === 'profile list')?.[1]).toContain('\\u001b[2J')
})

test('a profile that gives itself more than a day to start, or to stop, can be started, restarted and stopped', async () => {
  const gateway = { ...lives, start_timeout: '3d', stop_timeout: '2d' }
  await using hermes = await startHermes({ profiles: [{ name: 'slow', gateway, desired: 'stopped' }] })
  const place = { home: hermes.home, env: { HERMES_RUN_DIR: hermes.runDir } }
  for (const args of ['start', 'restart', 'restart --timeout 2d', 'stop']) {
    expect(await cli(['-p', 'slow', 'gateway', ...args.split(' ')], place)).toMatchObject({ code: 0, stderr: '' })
  }
})

test('a flood beside two hundred thousand junk files in its log directory does not hold up requests, nor outgrow its limit', async () => {
  const home = freshHome()
  const dir = join(home, 'logs', 'gateways', 'loud')
  mkdirSync(dir, { recursive: true })
  for (let i = 0; i < size(20_000, 200_000); i++) writeFileSync(join(dir, `junk ${i}`), '')
  const flood = { command: ['sh', '-c', 'while :; do seq 100000; done'], ready_after: '50ms' }
  await using hermes = await startHermes({ home, profiles: [{ name: 'loud', gateway: flood }] })
  writeFileSync(
    join(home, 'profiles', 'loud', 'config.yaml'),
    JSON.stringify({ gateway: flood, logging: { max_bytes: 4096 } }),
  )
  await hermes.control((client) => client.request('restart', { slot: 'gateway-loud', wait: true }))
  const archives = (): string[] => readdirSync(dir).filter((name) => name.endsWith('.log'))
  await waitFor('some rotations', () => archives().length >= 10)
  const latencies: number[] = []
  for (let i = 0; i < 20; i++) {
    const startedAtMs = performance.now()
    await hermes.control((client) => client.request('ping', {}))
    latencies.push(performance.now() - startedAtMs)
  }
  expect(latencies.sort((a, b) => a - b)[10]).toBeLessThan(stretchedMs(500))
  for (const name of [...archives(), 'current'])
    expect(statSync(join(dir, name), { throwIfNoEntry: false })?.size ?? 0).toBeLessThanOrEqual(256 * 1024)
})

test('a slot whose config.yaml becomes unreadable still restarts when its process dies', async () => {
  await using hermes = await startHermes({ profiles: [{ name: 'coder', gateway: lives }] })
  const first = await waitFor('the slot to be up', async () => {
    const slot = await hermes.slot('gateway-coder')
    return slot?.state === 'up' && slot
  })
  const config = join(hermes.home, 'profiles', 'coder', 'config.yaml')
  rmSync(config)
  symlinkSync('config.yaml', config)
  process.kill(first.pid as number, 'SIGKILL')
  await waitFor('another process', async () => {
    const slot = await hermes.slot('gateway-coder')
    return slot?.restarts === 1 && slot.pid !== undefined && slot.pid !== first.pid
  })
})

test('a FIFO in the place of supervisor.log delays nothing', async () => {
  const home = freshHome()
  mkdirSync(join(home, 'logs'))
  execFileSync('mkfifo', [join(home, 'logs', 'supervisor.log')])
  await using hermes = await startHermes({ home, profiles: [{ name: 'coder', gateway: lives }] })
  await waitFor('the slot to be up', async () => (await hermes.slot('gateway-coder'))?.state === 'up')
  await waitFor('that to be named', () => hermes.stderr().includes('supervisor.log cannot be written'))
})

test('supervisor.log is found again after logs/ was moved away', async () => {
  await using hermes = await startHermes({ profiles: [{ name: 'coder', gateway: lives }] })
  const log = join(hermes.home, 'logs', 'supervisor.log')
  await waitFor('the first lines', () => readFileSync(log, 'utf8').includes('gateway-coder'))
  renameSync(join(hermes.home, 'logs'), join(hermes.home, 'logs.old'))
  await waitFor('new lines in a new file', async () => {
    const { pid } = (await hermes.slot('gateway-coder')) ?? {}
    if (pid !== undefined) process.kill(pid, 'SIGKILL')
    return readFileSync(log, 'utf8').includes('gateway-coder')
  })
})

test('run.lease that is deleted while it is held is made and locked again, so that no second container gets in', async () => {
  await using hermes = await startHermes({ profiles: [{ name: 'coder', gateway: lives }] })
  const lease = join(hermes.home, 'run.lease')
  rmSync(lease)
  await waitFor('a new lease', () => existsSync(lease) && hermes.stderr().includes('a new one is locked'))
  expect((await hermes.status()).phase).toBe('running')
  // A second one beside it, with a run directory of its own, has to wait.
  await using second = await startHermes({
    home: hermes.home,
    runDir: join(hermes.home, 'run-2'),
    keepHome: true,
    profiles: [],
    untilRunning: false,
  })
  await waitFor('the second one to wait', async () => (await second.status()).phase === 'waiting')
})

test('a run directory that holds another user’s files is refused and left alone', async () => {
  const runDir = scratchDir('hermes-not-ours-')
  mkdirSync(join(runDir, 'log'))
  await using hermes = await startHermes({ runDir, profiles: [], untilRunning: false })
  expect(await hermes.exit()).toBe(1)
  expect(hermes.stderr()).toContain('holds other files (log)')
  expect(existsSync(join(runDir, 'log'))).toBe(true)
})

test.each([
  ['a FIFO', (file: string) => execFileSync('mkfifo', [file]), 'is not a regular file'],
  ['a link', (file: string) => symlinkSync('/dev/null', file), 'is a symbolic link; refusing to follow it'],
])('%s in the place of run.lease is named, and the gateways start when it is gone', async (_, plant, what) => {
  const home = freshHome()
  const lease = join(home, 'run.lease')
  plant(lease)
  await using hermes = await startHermes({ home, profiles: [{ name: 'coder', gateway: lives }], untilRunning: false })
  const waits = await waitFor('it to wait', async () => {
    const status = await hermes.status()
    return status.phase === 'waiting' && status
  })
  expect(waits.warnings).toContain(`the gateways wait: cannot tell which container uses this volume: ${lease} ${what}`)
  await expect(hermes.control((client) => client.request('start', { slot: 'gateway-coder' }))).rejects.toMatchObject({
    code: 'VOLUME_BUSY',
    message: `cannot tell which container uses this volume: ${lease} ${what}`,
    next: 'remove it; this container then continues by itself',
  })
  rmSync(lease)
  await waitFor('the gateway to be up', async () => (await hermes.slot('gateway-coder'))?.state === 'up')
})

test('a start where no process can be started is answered with the reason, long before its time-out', async (context) => {
  using disk = memoryDisk()
  if (!disk) return context.skip(NO_MOUNT)
  await using hermes = await startHermes({
    profiles: [
      { name: 'coder', gateway: { ...lives, restart_delay: { first: '100ms', max: '1s' } }, desired: 'stopped' },
    ],
    runDir: join(disk.path, 'run'),
  })
  const ballast = disk.fill()
  const start = { slot: 'gateway-coder', wait: true, timeoutMs: 600_000 }
  await expect(hermes.control((client) => client.request('start', start))).rejects.toMatchObject({
    code: 'FAILED',
    message: expect.stringMatching(/^gateway-coder cannot be started: ENOSPC/),
  })
  rmSync(ballast)
  await waitFor('the gateway to be up', async () => (await hermes.slot('gateway-coder'))?.state === 'up')
})
