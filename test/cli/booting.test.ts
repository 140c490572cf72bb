import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { initHasBegun } from '../../src/cli/context/booting.ts'
import { runDirs } from '../../src/system/programs/install.ts'
import { scratchDir } from '../support/scratch.ts'

const STARTED_AT = 4711
/** Long ago, for an init. */
const AN_HOUR_MS = 3_600_000
/** Nothing is as slow as this: a wait of it is a wait that should not be. */
const FAR_AWAY_MS = 1_800_000

let dir = ''
beforeEach(() => {
  dir = scratchDir('hermes-booting-')
  mkdirSync(join(dir, 'memory'))
})

/** @param ageMs of PID 1 */
const facts = (args: readonly string[] | undefined, env = {}, ageMs = 0) => {
  const own = join(dir, 'proc', '1')
  mkdirSync(join(dir, 'proc'), { recursive: true })
  writeFileSync(join(dir, 'proc', 'uptime'), `${((STARTED_AT * 10 + ageMs) / 1000).toFixed(2)} 99.99\n`)
  if (args !== undefined) {
    mkdirSync(own, { recursive: true })
    writeFileSync(join(own, 'cmdline'), args.map((argument) => `${argument}\0`).join(''))
    writeFileSync(join(own, 'stat'), `1 (init) S ${'0 '.repeat(18)}${STARTED_AT} 0 0`)
  }
  return {
    env,
    install: '/opt/hermes',
    imageRunDir: join(dir, 'run'),
    memory: join(dir, 'memory'),
    proc: join(dir, 'proc'),
    longestMs: FAR_AWAY_MS,
  }
}

/** The file that init writes once commands can reach it. */
const begin = (runDir: string, startedAt = STARTED_AT): void => {
  mkdirSync(join(dir, runDir), { recursive: true })
  writeFileSync(join(dir, runDir, 'begun'), `${startedAt}\n`)
}

/** Whether the command still waits a turn of the loop later, and its end. */
const wait = async (args: readonly string[]) => {
  let over = false
  const end = initHasBegun(facts(args)).then(() => {
    over = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  return { waits: !over, end }
}

test.each([
  ['the wrapper', ['/bin/sh', '/init', 'gateway', 'run']],
  ['Node', ['node', '--v8-pool-size=1', '/opt/hermes/lib/init.cjs']],
  [
    'Node, by the way that the wrapper takes',
    ['/usr/local/bin/node', '/opt/hermes/bin/../lib/init.cjs', 'gateway', 'run'],
  ],
])('an init that is still %s is waited for until it listens', async (_, args) => {
  const { waits, end } = await wait(args)
  expect(waits).toBe(true)
  begin('run')
  await end
})

test('a file that the life before docker restart left in /run does not end the wait', async () => {
  begin('run', STARTED_AT - 1)
  writeFileSync(join(dir, 'run', 'control.sock'), '')
  const { waits, end } = await wait(['/init'])
  expect(waits).toBe(true)
  begin('run')
  await end
})

test('an init of a plain user, whose run directory is in memory, is not waited for once it listens', async () => {
  const { waits, end } = await wait(['/init'])
  expect(waits).toBe(true)
  writeFileSync(join(dir, 'memory', 'of-another-program'), '')
  begin('memory/hermes-1234-0123456789ab')
  await end
  await initHasBegun(facts(['/init']))
})

test('nor is one whose run directory is where XDG_RUNTIME_DIR says', async () => {
  const env = { XDG_RUNTIME_DIR: join(dir, 'xdg'), HERMES_HOME: '/opt/data' }
  const waiting = initHasBegun(facts(['/init'], env))
  const [runDir = ''] = runDirs(env, '/opt/data', 1234)
  mkdirSync(runDir, { recursive: true })
  writeFileSync(join(runDir, 'begun'), `${STARTED_AT}\n`)
  await waiting
})

test('an init that has run for an hour is not waited for, wherever its run directory is', async () => {
  await initHasBegun(facts(['/init'], {}, AN_HOUR_MS))
})

test('without /dev/shm an init is waited for, too', async () => {
  rmSync(join(dir, 'memory'), { recursive: true })
  const { waits, end } = await wait(['/init'])
  expect(waits).toBe(true)
  begin('run')
  await end
})

test('the /init of WSL is not that of a checkout', async () => {
  await initHasBegun({ ...facts(['/init']), install: '/home/me/hermes/dist' })
})

test.each([
  ['another program is PID 1', ['/sbin/docker-init', '--', '/app']],
  ['PID 1 is hidden', undefined],
])('nothing is waited for when %s', async (_, args) => {
  await initHasBegun(facts(args))
})

test('nothing is waited for in a run directory that HERMES_RUN_DIR names', async () => {
  await initHasBegun(facts(['/init'], { HERMES_RUN_DIR: '/elsewhere' }))
})

test('the wait for an init that never listens ends', async () => {
  await initHasBegun({ ...facts(['/init']), longestMs: 50 })
})
