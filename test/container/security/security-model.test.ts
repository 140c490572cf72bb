// Claims of docs/security.md about the shared uid, and about what a container contributes.
import { chmodSync, chownSync, statSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type Box, gatewayOf, keptHome, lives, startContainer } from '../../support/container/container.ts'
import { waitFor } from '../../support/wait.ts'

const NOBODY = { user: '65534:65534' }
const LOG = '/opt/data/logs/gateways/default/current'

test('a gateway can read the secrets of every other profile, and do by the control socket what hermes can', async () => {
  const reach = 'sed s/^/read:/ /opt/data/profiles/other/.env; hermes -p other gateway stop; exec sleep 1000000'
  await using box = await startContainer({
    files: {
      'config.yaml': gatewayOf('/bin/sh', '-c', reach),
      'profiles/other/config.yaml': lives(),
      'profiles/other/.env': 'KEY=of-other\n',
      'profiles/other/desired_state': 'running\n',
    },
  })
  await box.up('gateway-other')
  await box.ok('hermes', 'gateway', 'start')
  await box.saw('read:KEY=of-other')
  await box.slot('gateway-other', ({ state, wanted }) => state === 'down' && wanted === 'down')
})

test('every uid of the container can read the logs, unless HERMES_HOME_MODE closes the volume to it', async () => {
  using home = keptHome()
  chownSync(home.path, 10_000, 10_000)
  chmodSync(home.path, 0o755)
  const options = { home: home.path, files: { 'config.yaml': lives('a line'), desired_state: 'running\n' } }
  {
    await using open = await startContainer(options)
    await open.up('gateway-default')
    await waitFor('the line in the file', async () => (await open.exec(['cat', LOG], NOBODY)).stdout.includes('a line'))
  }
  await using closed = await startContainer({ ...options, env: { HERMES_HOME_MODE: '0700' } })
  await closed.up('gateway-default')
  expect((await closed.exec(['cat', LOG], NOBODY)).stderr).toContain('Permission denied')
  expect(await closed.ok('hermes', 'logs')).toContain('a line')
  expect(statSync(home.path).mode & 0o7777).toBe(0o700)
})

test.each(['0500', 'rwx', '4755', '77'])(
  'a mode of %s is refused with a line, and the volume keeps its own',
  async (mode) => {
    await using box = await startContainer({ command: ['true'], env: { HERMES_HOME_MODE: mode } })
    const before = statSync(box.home).mode
    expect(await box.exit()).toBe(0)
    expect((await box.logs()).stderr).toContain(
      `HERMES_HOME_MODE: expected an octal mode with everything for the owner`,
    )
    expect(statSync(box.home).mode).toBe(before)
  },
)

test('six capabilities, the seccomp filter of the engine, no-new-privileges, a read-only root and a limit of processes are enough', async () => {
  const show = 'grep -E "^(Seccomp|NoNewPrivs):" /proc/self/status; exec sleep 1000000'
  await using box = await startContainer({
    command: ['gateway', 'run'],
    capDrop: ['ALL'],
    capAdd: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'KILL', 'SETGID', 'SETUID'],
    securityOpt: ['no-new-privileges:true'],
    pidsLimit: 2048,
    readOnly: true,
    tmpfs: { '/run': '', '/tmp': '' },
    files: { 'config.yaml': gatewayOf('/bin/sh', '-c', show) },
  })
  await box.up('gateway-default')
  await box.saw(/^NoNewPrivs:\t1$/)
  await box.saw(/^Seccomp:\t2$/)
  await box.ok('hermes', 'healthcheck')
  expect((await box.stop()).code).toBe(0)
})

describe('a privileged container', () => {
  const SAYS = 'hermes: warning: this container is privileged'
  const saidIn = async (box: Box): Promise<readonly string[]> =>
    (await box.logs()).stderr.split('\n').filter((line) => line.includes('privileged'))

  test.each([
    // As the engine gives it; a user of its own, because root's set may be more than this machine has to give.
    ['by --privileged', { privileged: true, user: '10000:10000' }],
    ['by the capability that root needs to become root on the host', { capAdd: ['SYS_MODULE'] }],
  ])('%s says so once a boot: what it is, why that matters, what to do', async (_, options) => {
    using home = keptHome()
    chownSync(home.path, 10_000, 10_000)
    await using box = await startContainer({ command: ['true'], home: home.path, ...options })
    expect(await box.exit()).toBe(0)
    const [line, ...more] = await saidIn(box)
    expect(more).toEqual([])
    expect(line).toContain(SAYS)
    expect(line).toContain('(CAP_SYS_MODULE): a program that becomes root in it can become root on the host')
    expect(line).toMatch(/Start it without --privileged.*docs\/security\.md/)
    await box.docker('start')
    expect(await box.exit()).toBe(0)
    expect(await saidIn(box)).toEqual([line, line])
  })

  test.each([
    ['an ordinary one', {}],
    ['one that may mount', { capAdd: ['SYS_ADMIN'] }],
  ])('%s is not a privileged container, and logs no warning', async (_, options) => {
    await using box = await startContainer({ command: ['true'], ...options })
    expect(await box.exit()).toBe(0)
    expect(await saidIn(box)).toEqual([])
  })
})
