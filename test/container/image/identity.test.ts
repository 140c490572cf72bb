import { chmodSync, chownSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { gatewayOf, keptHome, lives, startContainer } from '../../support/container/container.ts'
import { scratchDir } from '../../support/scratch.ts'
import { stretchedMs } from '../../support/wait.ts'

const MINIMAL = ['CHOWN', 'SETUID', 'SETGID', 'DAC_OVERRIDE', 'KILL', 'FOWNER']
const whoami = ['sh', '-c', 'id -u; id -g; id -un; id -G']

test.each([
  { env: {}, uid: '10000', gid: '10000' },
  { env: { PUID: '1000', PGID: '1000' }, uid: '1000', gid: '1000' },
  { env: { PUID: '99', PGID: '100' }, uid: '99', gid: '100' },
  { env: { PUID: '1234' }, uid: '1234', gid: '10000' },
  { env: { HERMES_UID: '4321', PUID: '1234', PGID: '77' }, uid: '4321', gid: '77' },
  { env: { HERMES_UID: '', PUID: '1234' }, uid: '1234', gid: '10000' },
])('with $env the main program runs as $uid:$gid, and the id has a name', async ({ env, uid, gid }) => {
  await using box = await startContainer({ command: whoami, env: { ...env } })
  expect(await box.exit()).toBe(0)
  const [seenUid, seenGid, name] = (await box.logs()).stdout.split('\n')
  expect([seenUid, seenGid]).toEqual([uid, gid])
  expect(name).toMatch(/^[a-z]/)
  const { uid: owner, gid: group } = statSync(box.home)
  expect([String(owner), String(group)]).toEqual([uid, gid])
})

test.each([
  { HERMES_UID: 'root' },
  { PUID: '0' },
  { PUID: '-1' },
  { PUID: '65535' },
  { PGID: '1.5' },
  { HERMES_GID: '10 00' },
])('%o is refused with a line that names the variable and its value', async (env) => {
  await using box = await startContainer({ command: whoami, env: env as Record<string, string> })
  expect(await box.exit()).toBe(1)
  const [[name, value]] = Object.entries(env) as [[string, string]]
  const { stdout, stderr } = await box.logs()
  expect(stdout).toBe('')
  expect(stderr).toContain(name)
  expect(stderr).toContain(value)
})

test('--user 10000:10000 works without root', async () => {
  const home = scratchDir('hermes-home-')
  chownSync(home, 10_000, 10_000)
  await using box = await startContainer({
    command: ['gateway', 'run'],
    user: '10000:10000',
    home,
    files: { 'config.yaml': lives() },
  })
  await box.up('gateway-default')
  expect(await box.status()).toMatchObject({ identity: { uid: 10_000, gid: 10_000 } })
  expect((await box.stop()).code).toBe(0)
})

test('--user 1234 on a volume it cannot write is refused, with what to do instead', async () => {
  await using box = await startContainer({ command: whoami, user: '1234', files: { 'config.yaml': lives() } })
  expect(await box.exit()).toBe(1)
  const { stdout, stderr } = await box.logs()
  expect(stdout).toBe('')
  expect(stderr).toContain('1234')
  expect(stderr).toMatch(/HERMES_UID|PUID/)
})

test('--user 1234 on a volume it can write works', async () => {
  const home = scratchDir('hermes-home-')
  chownSync(home, 1234, 1234)
  await using box = await startContainer({
    command: ['gateway', 'run'],
    user: '1234:1234',
    home,
    files: { 'config.yaml': lives() },
  })
  await box.up('gateway-default')
})

test('a read-only root file system with a tmpfs on /run is enough', async () => {
  await using box = await startContainer({
    command: ['gateway', 'run'],
    readOnly: true,
    tmpfs: { '/run': '' },
    files: { 'config.yaml': lives() },
  })
  await box.up('gateway-default')
  await box.ok('hermes', 'profile', 'create', 'coder')
  expect((await box.stop()).code).toBe(0)
})

test('a read-only root file system without one ends at once, and says what is missing', async () => {
  await using box = await startContainer({ command: whoami, readOnly: true })
  expect(await box.exit()).toBe(1)
  const { stdout, stderr } = await box.logs()
  expect(stdout).toBe('')
  expect(stderr).toMatch(
    /the run directory cannot be made: \/run\/hermes is on a read-only file system\. .*--tmpfs \/run/,
  )
})

test('a remapped identity on a read-only root works, and the line names the file that stays as it was', async () => {
  await using box = await startContainer({
    command: ['id', '-u'],
    readOnly: true,
    tmpfs: { '/run': '' },
    env: { PUID: '1234' },
  })
  expect(await box.exit()).toBe(0)
  const { stdout, stderr } = await box.logs()
  expect(stdout).toBe('1234\n')
  expect(stderr).toContain('/etc/passwd cannot be changed (EROFS)')
})

test('the capabilities the manual names are enough, also for a remapped identity', async () => {
  await using box = await startContainer({
    command: ['gateway', 'run'],
    env: { PUID: '1000', PGID: '1000' },
    capDrop: ['ALL'],
    capAdd: MINIMAL,
    files: {
      'config.yaml': lives(),
      'profiles/coder/config.yaml': lives(),
      'profiles/coder/desired_state': 'running\n',
    },
  })
  await box.up('gateway-default')
  await box.up('gateway-coder')
  expect(statSync(join(box.home, 'profiles/coder/config.yaml')).uid).toBe(1000)
  expect((await box.stop()).code).toBe(0)
})

test.each(['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'KILL'])(
  'without CAP_%s a main program that ends is the end of the container, with its code',
  async (missing) => {
    using home = keptHome()
    chownSync(home.path, 10_000, 10_000)
    await using box = await startContainer({
      command: ['sh', '-c', 'exit 4'],
      capDrop: ['ALL'],
      capAdd: MINIMAL.filter((name) => name !== missing),
      home: home.path,
    })
    expect(await box.exit()).toBe(4)
  },
)

test.each([
  { missing: 'CHOWN', costs: [/CAP_CHOWN is missing, so init itself runs as 10000:10000/] },
  { missing: 'DAC_OVERRIDE', costs: [/the ownership of \/opt\/data cannot be examined/] },
  { missing: 'FOWNER', costs: [] },
  { missing: 'KILL', costs: [] },
])(
  'without CAP_$missing a volume of hermes works: gateways start and stop, so does the container; one line at most',
  async ({ missing, costs }) => {
    using home = keptHome()
    chownSync(home.path, 10_000, 10_000)
    chmodSync(home.path, 0o700)
    await using box = await startContainer({
      command: ['gateway', 'run'],
      capDrop: ['ALL'],
      capAdd: MINIMAL.filter((name) => name !== missing),
      home: home.path,
    })
    await box.up('gateway-default')
    await box.ok('hermes', 'gateway', 'stop')
    await box.slot('gateway-default', (slot) => slot.state === 'down')
    await box.ok('hermes', 'gateway', 'start')
    const { ms, code } = await box.stop()
    expect(code).toBe(0)
    // The stop waited for no process: all of it may take 8 s.
    expect(ms).toBeLessThan(stretchedMs(6_000))
    const warnings = (await box.logs()).stderr.split('\n').filter((line) => /warning|error/.test(line))
    expect(warnings).toEqual(costs.map((cost) => expect.stringMatching(cost)))
  },
)

test.each(['/', '/etc', '/opt', '/run', '/etc/cont-init.d/x'])(
  'HERMES_HOME=%s is refused: what root runs would be given away with it',
  async (home) => {
    await using box = await startContainer({ command: ['stat', '-c', '%u', '/', '/etc'], env: { HERMES_HOME: home } })
    expect(await box.exit()).toBe(1)
    const { stdout, stderr } = await box.logs()
    expect(stdout).toBe('')
    expect(stderr).toContain(`${home} cannot be the volume`)
  },
)

test('without CAP_SETUID nothing runs as root in its place', async () => {
  await using box = await startContainer({ command: whoami, capDrop: ['SETUID', 'SETGID'] })
  expect(await box.exit()).toBe(126)
  const { stdout, stderr } = await box.logs()
  expect(stdout).toBe('')
  expect(stderr).toContain('refusing to run as root')
})

test("the main program, gateways and hermes have the groups of --group-add and of docker.sock, and none of root's", async () => {
  // A socket as an engine has it: for root and a group.
  const socket = join(scratchDir('hermes-socket-'), 'docker.sock')
  const engine = createServer()
  await new Promise<void>((resolve) => engine.listen(socket, resolve))
  chownSync(socket, 0, 4321)
  chmodSync(socket, 0o660)
  const look = 'echo "$0: $(id -G) $(test -w /var/run/docker.sock && echo writable)"; exec sleep 1000000'
  try {
    await using box = await startContainer({
      command: ['sh', '-c', look, 'main'],
      groupAdd: ['4567', '123'],
      mounts: [[socket, '/var/run/docker.sock']],
      files: { 'config.yaml': gatewayOf('/bin/sh', '-c', look, 'gateway') },
    })
    await box.ok('hermes', 'gateway', 'start')
    for (const who of ['main', 'gateway'])
      expect(await box.saw(`${who}: `)).toBe(`${who}: 10000 123 4321 4567 writable`)
    expect((await box.hermes('doctor')).stdout).toContain('uid 10000, gid 10000, groups 123 4321 4567')
  } finally {
    engine.close()
  }
})
