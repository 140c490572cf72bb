// Commands that are asked whether a service is ready or alive: real processes.
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { checkProblem } from '../../../src/supervisor/checks/check.ts'
import { type Clock, systemClock } from '../../../src/system/clock.ts'
import { isZombie, readProcess } from '../../../src/system/programs/proc.ts'
import { tellsEnds } from '../../support/container/kernel.ts'
import { scratchDir } from '../../support/scratch.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'
import { realNative } from '../../support/supervisor/real-native.ts'
import { whyNotRoot } from '../../support/tools.ts'
import { waitFor } from '../../support/wait.ts'

const SOURCES = join(import.meta.dirname, '../../../src')

let dir = ''
beforeEach(() => {
  dir = scratchDir('hermes-check-')
})

const NEVER = new AbortController().signal
const ask = (text: string, { clock = systemClock() as Clock, signal = NEVER } = {}): Promise<string | undefined> =>
  checkProblem(
    { by: 'command', command: ['/bin/sh', '-c', text, 'sh', join(dir, 'pids')] },
    60_000,
    clock,
    signal,
    realNative,
  )

/** The processes that the command has named in its file; it has named `count`. */
const named = (count: number): Promise<readonly number[]> =>
  waitFor('the command to name its processes', () => {
    const pids = readFileSync(join(dir, 'pids'), 'utf8').split('\n').slice(0, -1).map(Number)
    return pids.length === count ? pids : undefined
  })
const isGone = (pid: number): boolean => {
  const found = readProcess(pid)
  return found === undefined || isZombie(found)
}
/** Two levels below the shell, and deaf to TERM. */
const GRANDCHILDREN = `trap '' TERM; (sleep 1000 & echo $! >>"$1"; wait) & sleep 1000 & echo $! >>"$1"`

describe('a command', () => {
  test('says yes with exit code 0, and else how it ended', async () => {
    expect(await ask('exit 0')).toBeUndefined()
    expect(await ask('exit 3')).toBe('/bin/sh ends with 3')
    expect(await ask('kill -TERM $$')).toBe('/bin/sh ends with SIGTERM')
    if (tellsEnds) expect(await ask('kill -37 $$')).toBe('/bin/sh ends with SIGRTMIN+3')
    const none = { by: 'command', command: ['/no/such'] } as const
    expect(await checkProblem(none, 60_000, systemClock(), NEVER)).toContain('ENOENT')
  })

  test('that takes too long is ended with everything it has started', async () => {
    const clock = fakeClock()
    const answer = ask(`${GRANDCHILDREN}; wait`, { clock })
    const pids = await named(2)
    expect(pids.some(isGone)).toBe(false)
    clock.advance(60_000)
    expect(await answer).toBe('no answer within 60000 ms')
    await waitFor('all of them to be gone', () => pids.every(isGone))
  })

  // As sudo does: a copy of setpriv with the set-user-ID bit becomes root, whom the runtime user may not kill.
  test.skipIf(whyNotRoot !== undefined)(
    'that has become another user costs no more than its answer (needs root)',
    () => {
      const becomes = join(dir, 'becomes')
      copyFileSync('/usr/bin/setpriv', becomes)
      chmodSync(dir, 0o755)
      chmodSync(becomes, 0o4755)
      const asked = `const { checkProblem } = await import('${SOURCES}/supervisor/checks/check.ts')
      const { systemClock } = await import('${SOURCES}/system/clock.ts')
      const command = ['${becomes}', '--reuid', '0', '/bin/sh', '-c', 'sleep 1000 & echo $$ $! >"$1"; wait', 'sh', '${dir}/pids']
      const answer = checkProblem({ by: 'command', command }, 300, systemClock(), new AbortController().signal)
      process.stdout.write(await answer, () => process.exit())`
      const user = ['--reuid', '10000', '--regid', '10000', '--clear-groups', '--', process.execPath]
      const { status, stdout, stderr } = spawnSync('setpriv', [...user, '--input-type=module', '-e', asked], {
        encoding: 'utf8',
      })
      for (const pid of readFileSync(join(dir, 'pids'), 'utf8').trim().split(' ')) process.kill(Number(pid), 'SIGKILL')
      expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'no answer within 300 ms', stderr: '' })
    },
  )

  test('is ended with everything it has started when its result is not needed any more', async () => {
    const asking = new AbortController()
    const answer = ask(`${GRANDCHILDREN}; wait`, { signal: asking.signal })
    const pids = await named(2)
    asking.abort()
    await answer
    await waitFor('all of them to be gone', () => pids.every(isGone))
  })

  test('leaves nothing behind when it has answered', async () => {
    expect(await ask(`${GRANDCHILDREN}; while [ "$(wc -l <"$1")" -lt 2 ]; do sleep 0.01; done`)).toBeUndefined()
    const pids = await named(2)
    await waitFor('all of them to be gone', () => pids.every(isGone))
  })
})
