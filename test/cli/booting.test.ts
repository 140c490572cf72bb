import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { initHasBegun } from '../../src/cli/context/booting.ts'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hermes-booting-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

const facts = (args: readonly string[] | undefined, env = {}) => {
  const cmdline = join(dir, 'cmdline')
  if (args !== undefined) writeFileSync(cmdline, args.map((argument) => `${argument}\0`).join(''))
  return { env, install: '/opt/hermes', runDir: join(dir, 'run'), cmdline }
}

test.each([
  ['the wrapper', ['/bin/sh', '/init', 'gateway', 'run']],
  ['Node', ['node', '--v8-pool-size=1', '/opt/hermes/lib/init.cjs']],
  [
    'Node, by the way that the wrapper takes',
    ['/usr/local/bin/node', '/opt/hermes/bin/../lib/init.cjs', 'gateway', 'run'],
  ],
])('an init that is still %s is waited for until it listens', async (_, args) => {
  let over = false
  const waiting = initHasBegun(facts(args)).then(() => {
    over = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  expect(over).toBe(false)
  mkdirSync(join(dir, 'run'))
  writeFileSync(join(dir, 'run', 'control.sock'), '')
  await waiting
})

test.each([
  ['another program is PID 1', ['/sbin/docker-init', '--', '/app']],
  ['PID 1 is hidden', undefined],
])('nothing is waited for when %s', async (_, args) => {
  const startedAtMs = performance.now()
  await initHasBegun({ ...facts(args), longestMs: 60_000 })
  expect(performance.now() - startedAtMs).toBeLessThan(30_000)
})

test('nothing is waited for in a run directory that HERMES_RUN_DIR names', async () => {
  await initHasBegun({ ...facts(['/init'], { HERMES_RUN_DIR: '/elsewhere' }), longestMs: 3_600_000 })
})

test('the wait for an init that never listens ends', async () => {
  await initHasBegun({ ...facts(['/init']), longestMs: 50 })
})
