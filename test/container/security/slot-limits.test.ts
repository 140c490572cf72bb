// A fork bomb in one slot, and all others: by cgroups where they can be written, by RLIMIT_NPROC where it is asked for.
import { chownSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Box, gatewayOf, keptHome, lives, startContainer } from '../../support/container/container.ts'
import { Machine, whyNoUserModeLinux } from '../../support/container/user-mode-linux.ts'
import { named } from '../../support/tools.ts'
import { waitFor } from '../../support/wait.ts'

/**
 * Forks until it may not, and the shell that does it ends; then it stays as full as it is. Three times, because a fork
 * can fail for another reason on a busy machine.
 */
const BOMB = gatewayOf(
  '/bin/sh',
  '-c',
  'for turn in 1 2 3; do (while :; do sleep 1000000 & done); done; echo stopped; exec sleep 1000000',
)
const files = {
  'config.yaml': BOMB,
  desired_state: 'running\n',
  'profiles/other/config.yaml': lives('other is here'),
  'profiles/other/desired_state': 'running\n',
}

const V1 = '/sys/fs/cgroup/pids'
const whyNoV1 = existsSync(`${V1}/cgroup.procs`) ? undefined : 'this machine has no cgroups of version 1'

describe.skipIf(whyNoV1 !== undefined)(named('with cgroups of version 1 that can be written', whyNoV1), () => {
  const cgroup = async (box: Box): Promise<string> => {
    const path = /^\d+:pids:(.*)$/m.exec(await box.ok('cat', '/proc/1/cgroup'))?.[1]
    return `${V1}${path}/hermes-gateway-default`
  }

  test('a slot may have half of what the container may: its fork bomb stops there, others start, and its cgroup goes with it', async () => {
    await using box = await startContainer({ files, mounts: [[V1, V1]], pidsLimit: 400 })
    await box.saw('stopped')
    const dir = await cgroup(box)
    const full = async (): Promise<boolean> =>
      (await box.ok('cat', `${dir}/pids.max`, `${dir}/pids.current`)) === '200\n199\n'
    await waitFor('the slot to be full', full)
    await box.ok('hermes', '-p', 'other', 'gateway', 'restart')
    await box.ok('hermes', 'profile', 'create', 'third')
    await box.up('gateway-other')
    // The runtime user may neither leave the cgroup nor raise its limit.
    for (const act of ['echo $$ >"$1/../cgroup.procs"', 'echo max >"$1/pids.max"'])
      expect((await box.exec(['sh', '-c', act, 'sh', dir], { user: 'hermes' })).code).not.toBe(0)
    await box.ok('hermes', 'gateway', 'stop')
    await waitFor('its cgroup to go', async () => (await box.exec(['ls', dir])).code !== 0)
    expect((await box.logs()).stderr).not.toContain('cannot be limited')
  })

  test('HERMES_MAX_PROCESSES=0 makes no cgroup', async () => {
    const one = { 'config.yaml': lives(), desired_state: 'running\n' }
    await using box = await startContainer({ files: one, mounts: [[V1, V1]], env: { HERMES_MAX_PROCESSES: '0' } })
    await box.up('gateway-default')
    expect((await box.exec(['ls', await cgroup(box)])).code).not.toBe(0)
  })
})

const whyNoV2 = whyNoUserModeLinux()
if (process.env.HERMES_REQUIRE_DOCKER === '1' && whyNoV2 !== undefined) throw new Error(whyNoV2)

test.skipIf(whyNoV2 !== undefined)(
  named('with cgroups of version 2 it is the same, and the container can still be entered', whyNoV2),
  { timeout: 400_000 },
  async () => {
    const main = `
      grep -E "^(CapEff|CapBnd|NoNewPrivs)" /proc/self/status
      until tail -n 1 /opt/data/logs/gateways/default/current 2>/dev/null | grep -q stopped; do sleep 1; done
      cd /sys/fs/cgroup
      echo "limit $(cat hermes-gateway-default/pids.max) used $(cat hermes-gateway-default/pids.current)"
      hermes -p other gateway restart
      echo "restarted $? $(wc -l <hermes-gateway-other/cgroup.threads)"
      hermes gateway stop
      while [ -e hermes-gateway-default ]; do sleep 1; done
      echo gone
      exec sleep 1000000`
    await using machine = await Machine.start({ pidsLimit: 400, files, main })
    const patient = { deadlineMs: 150_000 }
    // All capabilities are there, as with --privileged, and none of them is for the runtime user.
    expect(await machine.saw('CapBnd:', patient)).toBe('CapBnd:\t0000000000000000')
    expect(await machine.saw('CapEff:', patient)).toBe('CapEff:\t0000000000000000')
    expect(await machine.saw('NoNewPrivs:', patient)).toBe('NoNewPrivs:\t1')
    expect(await machine.saw('limit ', patient)).toBe('limit 200 used 199')
    expect(await machine.saw('restarted ', patient)).toBe('restarted 0 1')
    await machine.saw('gone', patient)
    expect(machine.console).not.toContain('cannot be limited')
    expect(machine.console).toContain('this container is privileged (CAP_SYS_MODULE)')
  },
)

describe('RLIMIT_NPROC', () => {
  const LIMITS = 'grep "Max processes" /proc/self/limits'
  const config = gatewayOf('/bin/sh', '-c', `${LIMITS}; exec sleep 1000000`)
  const one = { 'config.yaml': config, desired_state: 'running\n' }
  const limitOf = async (box: Box): Promise<string | undefined> =>
    /Max processes +(\S+ +\S+)/.exec(await box.saw('Max processes'))?.[1]?.replace(/ +/, ' ')

  test('is as the container has it where nothing asks for another', async () => {
    await using box = await startContainer({ files: one })
    expect(await limitOf(box)).toBe(
      /Max processes +(\S+ +\S+)/.exec(await box.ok('cat', '/proc/1/limits'))?.[1]?.replace(/ +/, ' '),
    )
  })

  test.each([
    ['as root', {}],
    ['with --user', { user: '10000:10000' }],
  ])(
    'is what HERMES_MAX_PROCESSES says in gateways and the dashboard, in a container started %s',
    async (_, options) => {
      const env = { HERMES_MAX_PROCESSES: '3000', HERMES_DASHBOARD: '1', HERMES_DASHBOARD_HOST: '127.0.0.1' }
      using home = keptHome()
      for (const path of ['', ...Object.keys(one)]) {
        const file = join(home.path, path)
        if (path !== '') writeFileSync(file, one[path as keyof typeof one])
        chownSync(file, 10_000, 10_000)
      }
      await using box = await startContainer({ env, home: home.path, ...options })
      expect(await limitOf(box)).toBe('3000 3000')
      const { pid } = await box.up('dashboard')
      expect(await box.ok('cat', `/proc/${pid}/limits`)).toMatch(/Max processes +3000 +3000 /)
      expect(await box.ok('cat', '/proc/1/limits')).not.toMatch(/Max processes +3000 /)
    },
  )

  test('stops a fork bomb', async () => {
    // A uid of its own: the kernel counts all processes of the uid on this machine.
    const env = { HERMES_MAX_PROCESSES: '100', HERMES_UID: '24817' }
    const bomb = { 'config.yaml': BOMB, desired_state: 'running\n' }
    await using box = await startContainer({ files: bomb, env })
    await box.saw('Cannot fork')
    await box.saw('stopped')
    const count = await box.ok('sh', '-c', 'cat /proc/[0-9]*/status 2>/dev/null | grep -c "^Uid:.24817"')
    expect(Number(count)).toBeLessThanOrEqual(100)
  })
})
