import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { run, runSync, tryRun, tryRunSync } from '../../scripts/run.ts'
import { scratchDir } from '../support/scratch.ts'
import { waitFor } from '../support/wait.ts'

let dir: string
beforeEach(() => {
  dir = scratchDir('hermes-run-')
})

const sh = (text: string): [string, string[]] => ['/bin/sh', ['-c', text]]

test('the result has the output as it came, and the exit code when failing is allowed', async () => {
  expect(await run(...sh('echo out; echo err >&2'))).toEqual({ code: 0, stdout: 'out\n', stderr: 'err\n' })
  expect(await tryRun(...sh('cat; exit 3'), { input: 'typed' })).toEqual({ code: 3, stdout: 'typed', stderr: '' })
  expect(tryRunSync(...sh('echo out; exit 4'))).toEqual({ code: 4, stdout: 'out\n', stderr: '' })
  expect(runSync(...sh('echo "$ONLY-$HOME"'), { env: { ONLY: 'this' } })).toBe('this-\n')
  expect(await tryRun(...sh('kill -TERM $$'))).toMatchObject({ code: 143 })
})

test('the error of a program that fails has its command and all of its output', async () => {
  await expect(run(...sh('echo out; echo err >&2; exit 3'))).rejects.toThrow(/exit code 3: \/bin\/sh.*err.*out/s)
  expect(() => runSync(...sh('echo why >&2; false'))).toThrow(/why/)
  await expect(tryRun('no-such-program', [])).rejects.toThrow(/no-such-program/)
})

test('a program that takes too long ends, with everything that it has started', async () => {
  const pids = join(dir, 'pids')
  const hangs = `sleep 1000 & echo $! $$ >"${pids}.new"; mv "${pids}.new" "${pids}"; wait`
  // Until the limit is one within which the shell has begun.
  for (let timeoutMs = 500; !existsSync(pids); timeoutMs *= 2)
    await expect(run(...sh(hangs), { timeoutMs })).rejects.toThrow(/timed out/)
  for (const pid of readFileSync(pids, 'utf8').trim().split(' '))
    await waitFor(`process ${pid} to be gone`, () => !existsSync(`/proc/${pid}`) || isZombie(pid))
})

const isZombie = (pid: string): boolean => {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return true
  }
}
