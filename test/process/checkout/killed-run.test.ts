// A run of tests that is killed takes its tests along: the next run has the machine to itself.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { installDir } from '../../support/install.ts'
import { root } from '../../support/pages.ts'
import { outputOf } from '../../support/programs/output.ts'
import { scratchDir } from '../../support/scratch.ts'
import { waitFor } from '../../support/wait.ts'

/** The directory in which the test of the run that is killed says which processes there are. */
const DIR = 'HERMES_KILLED_RUN'
const hanging = process.env[DIR]

interface Pids {
  readonly vitest: number
  readonly worker: number
  /** A program that its test has started. */
  readonly program: number
}

// Only in that run: it never ends by itself.
if (hanging !== undefined)
  test('a test that hangs', { timeout: 0 }, async () => {
    const { pid } = spawn('sleep', ['1000000'], { stdio: 'ignore' })
    const pids = { vitest: process.ppid, worker: process.pid, program: pid }
    writeFileSync(join(hanging, 'new'), JSON.stringify(pids))
    renameSync(join(hanging, 'new'), join(hanging, 'pids'))
    await new Promise<void>((resolve) => {
      setInterval(() => existsSync(join(hanging, 'end')) && resolve(), 1000)
    })
  })
else
  test.each<readonly [string, (pids: Pids & { readonly run: number; readonly starter: number }) => void]>([
    ['npm test is killed', ({ run }) => process.kill(run, 'SIGKILL')],
    ['npm test gets SIGTERM', ({ run }) => process.kill(run, 'SIGTERM')],
    ['npm test gets SIGINT', ({ run }) => process.kill(run, 'SIGINT')],
    ['vitest is killed', ({ vitest }) => process.kill(vitest, 'SIGKILL')],
    ['both are killed', ({ run, vitest }) => process.kill(run, 'SIGKILL') && process.kill(vitest, 'SIGKILL')],
    ['the process that has started npm is killed', ({ starter }) => process.kill(starter, 'SIGKILL')],
  ])('when %s, no test and no program of the run goes on', async (_, act) => {
    const dir = scratchDir('hermes-killed-run-')
    const starter = spawn('sleep', ['1000000'], { stdio: 'ignore' })
    const env = {
      ...process.env,
      [DIR]: dir,
      HERMES_TEST_INSTALL: installDir(),
      HERMES_TESTS_END_WITH: String(starter.pid),
    }
    const argv = [join(root, 'scripts/test.ts'), 'test/process/checkout/killed-run.test.ts']
    const run = spawn(process.execPath, argv, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
    const output = outputOf(run)
    try {
      const pids = await waitFor(
        'the test to run',
        () => existsSync(join(dir, 'pids')) && (JSON.parse(readFileSync(join(dir, 'pids'), 'utf8')) as Pids),
        { deadlineMs: 60_000, more: async () => output.stdout + output.stderr },
      )
      const wasLeft = once(run, 'exit').then(([, signal]) => signal !== 'SIGKILL' && !isGone(pids.vitest))
      const all = { ...pids, run: Number(run.pid), starter: Number(starter.pid) }
      act(all)
      for (const [name, pid] of Object.entries(all))
        if (name !== 'starter') await waitFor(`${name} to be gone`, () => isGone(pid), { deadlineMs: 30_000 })
      // One that can still act ends after its tests: what waits for it may begin the next run.
      expect(await wasLeft).toBe(false)
      expect(run.exitCode).not.toBe(0)
    } finally {
      writeFileSync(join(dir, 'end'), '')
      for (const one of [run, starter]) one.kill('SIGKILL')
    }
  })

/** It has ended; whether its parent has looked is not the matter. */
function isGone(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return true // it went while it was read
    throw error
  }
}
