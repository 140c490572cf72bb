// Under systemd: init says when the boot is over and when it stops, and the unit is one that systemd takes.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Ran, run, tryRun } from '../../../scripts/run.ts'
import { startHermes } from '../../support/hermes.ts'
import { program } from '../../support/install.ts'
import { scratchDir } from '../../support/scratch.ts'
import { listenForDatagrams } from '../../support/supervisor/datagrams.ts'
import { named, whyMissing } from '../../support/tools.ts'
import { waitFor } from '../../support/wait.ts'

test('init reports to the socket of its manager that it is ready and that it stops, and gateways do not see the socket', async () => {
  const socket = join(scratchDir('hermes-manager-'), 'notify')
  using manager = listenForDatagrams(socket)
  await using hermes = await startHermes({
    profiles: [{ name: 'default', gateway: { command: ['sleep', '100000'], ready_after: '50ms' } }],
    env: { NOTIFY_SOCKET: socket },
  })
  await waitFor('READY', () => manager.received().some((text) => text.startsWith('READY=1\nSTATUS=')))
  const gateway = await waitFor('the gateway', async () => (await hermes.slot('gateway-default'))?.pid)
  expect(readFileSync(`/proc/${gateway}/environ`, 'utf8')).not.toContain('NOTIFY_SOCKET')
  // A supervisor that comes later boots nothing: it is not reported again.
  const before = await hermes.supervisorPid()
  process.kill(before, 'SIGKILL')
  await waitFor('the next supervisor', async () => (await hermes.supervisorPid()) !== before)
  expect(await hermes.stop()).toBe(0)
  // Commands would look for the next Hermes of this home there, also if it has another run directory.
  expect(existsSync(join(hermes.runDir, 'control.sock'))).toBe(false)
  expect(manager.received().map((text) => text.split('\n')[0])).toEqual(['READY=1', 'STOPPING=1'])
})

test('a manager that does not listen is a warning, and Hermes runs', async () => {
  await using hermes = await startHermes({
    profiles: [{ name: 'default', gateway: { command: ['sleep', '100000'], ready_after: '50ms' } }],
    env: { NOTIFY_SOCKET: '@hermes-no-manager' },
  })
  await waitFor('the warning', () =>
    hermes.stderr().includes('warning: NOTIFY_SOCKET=@hermes-no-manager: READY=1 cannot be sent: sendto: ECONNREFUSED'),
  )
  await waitFor('the gateway', async () => (await hermes.slot('gateway-default'))?.state === 'up')
})

describe('hermes systemd install', () => {
  const hermes = (home: string, ...args: readonly string[]): Promise<Ran> =>
    tryRun(program('hermes'), ['systemd', 'install', ...args], {
      env: { HOME: home, XDG_CONFIG_HOME: home, HERMES_HOME: join(home, 'a "b" %h $c'), PATH: `${process.env.PATH}` },
    })
  const file = (home: string): string => join(home, 'systemd', 'user', 'hermes.service')

  test('it writes a unit of the user’s manager, replaces its own, and no other', async () => {
    const home = scratchDir('hermes-unit-')
    const first = await hermes(home, '--user')
    expect(first).toMatchObject({ code: 0, stderr: '' })
    expect(first.stdout).toContain(`${file(home)} is written\nnext: systemctl --user daemon-reload\n`)
    expect(readFileSync(file(home), 'utf8')).toBe((await hermes(home, '--user', '--print')).stdout)
    expect((await hermes(home, '--user')).code).toBe(0)
    writeFileSync(file(home), '[Unit]\n')
    expect(await hermes(home, '--user')).toMatchObject({ code: 1, stderr: expect.stringContaining('next: remove it') })
    expect(readFileSync(file(home), 'utf8')).toBe('[Unit]\n')
  })

  const why = whyMissing('systemd-analyze')
  test.skipIf(why !== undefined).each(['--user', '--system'])(
    named('systemd finds no fault in the unit of %s', why),
    async (kind) => {
      const dir = scratchDir('hermes-unit-')
      const { stdout } = await hermes(dir, kind, '--print', ...(kind === '--system' ? ['--as', 'daemon'] : []))
      const unit = join(dir, 'hermes.service')
      writeFileSync(unit, stdout)
      mkdirSync(join(dir, 'run'))
      const env = { PATH: `${process.env.PATH}`, HOME: dir, XDG_RUNTIME_DIR: join(dir, 'run') }
      const { stdout: out, stderr } = await run('systemd-analyze', [kind, 'verify', '--man=no', unit], { env })
      // Of the machine's own units it may find some.
      expect(`${out}${stderr}`.split('\n').filter((line) => line.includes('hermes'))).toEqual([])
      // It is seen to find one.
      writeFileSync(unit, stdout.replace('RestartSec=2', 'RestartSec=soon'))
      const bad = await tryRun('systemd-analyze', [kind, 'verify', '--man=no', unit], { env })
      expect(bad.stderr).toContain('hermes.service')
    },
  )
})
