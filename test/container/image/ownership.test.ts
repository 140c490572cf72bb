import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { freshHome, keptHome, lives, startContainer } from '../../support/container/container.ts'
import { scratchDir } from '../../support/scratch.ts'
import { stretchedMs } from '../../support/wait.ts'

const owner = (path: string): string => `${lstatSync(path).uid}:${lstatSync(path).gid}`

test('root-made files in known places are given back; unknown ones keep their owner', async () => {
  await using box = await startContainer({
    files: {
      'config.yaml': lives(),
      '.env': 'A=1\n',
      'auth.json': '{}',
      'profiles/coder/sessions/one.json': '{}',
      'logs/gateways/default/current': '',
      'workspace/deep/er/file': '',
      'somebody-elses': 'x',
      'their-dir/file': 'x',
    },
  })
  await box.slot('gateway-coder', () => true)
  for (const path of [
    'config.yaml',
    '.env',
    'auth.json',
    'profiles/coder/sessions/one.json',
    'logs/gateways/default/current',
    'workspace/deep/er/file',
    'workspace/deep',
  ]) {
    expect([path, owner(join(box.home, path))]).toEqual([path, '10000:10000'])
  }
  for (const path of ['.env', 'auth.json']) expect(statSync(join(box.home, path)).mode & 0o777).toBe(0o600)
  for (const path of ['somebody-elses', 'their-dir', 'their-dir/file'])
    expect([path, owner(join(box.home, path))]).toEqual([path, '0:0'])
})

test.each([
  { top: 'an ordinary one', mode: 0o755, group: 100 },
  { top: 'a setgid one, which is shared on purpose', mode: 0o2775, group: 10_000 },
])(
  'with another PGID alone the files of the former group follow, and no others; the top directory is $top',
  async ({ mode, group }) => {
    using home = keptHome()
    const [ours, shared] = [join(home.path, 'workspace/ours'), join(home.path, 'workspace/shared')]
    mkdirSync(join(home.path, 'workspace'))
    for (const file of [ours, shared]) writeFileSync(file, '')
    chownSync(shared, 10_000, 4242)
    for (const path of [ours, join(home.path, 'workspace'), home.path]) chownSync(path, 10_000, 10_000)
    chmodSync(home.path, mode)
    await using box = await startContainer({ home: home.path, env: { PGID: '100' }, command: ['true'] })
    expect(await box.exit()).toBe(0)
    const owners = [home.path, ours, shared].map(owner)
    expect(owners).toEqual([`10000:${group}`, `10000:${group}`, '10000:4242'])
  },
)

test('a mounted directory of another user is given away with a line that says whose it was and how to keep it', async () => {
  using home = keptHome()
  writeFileSync(join(home.path, 'config.yaml'), '')
  for (const path of ['', 'config.yaml']) chownSync(join(home.path, path), 2000, 2001)
  chmodSync(home.path, 0o700)
  await using box = await startContainer({ command: ['true'], home: home.path })
  await box.saw(
    'changed the owner of /opt/data and of 1 file in it from 2000:2001 to 10000:10000. To keep yours, set HERMES_UID=2000 and HERMES_GID=2001',
  )
  expect(await box.exit()).toBe(0)
})

test('a name that is not UTF-8 is given back like any other', async () => {
  using home = keptHome()
  mkdirSync(join(home.path, 'workspace'))
  // As an old Samba share writes "grün".
  const name = Buffer.concat([Buffer.from(join(home.path, 'workspace/gr')), Buffer.from([0xfc]), Buffer.from('n')])
  mkdirSync(name)
  writeFileSync(Buffer.concat([name, Buffer.from('/inside')]), '')
  await using box = await startContainer({ home: home.path, command: ['sh', '-c', 'exit 0'] })
  expect(await box.exit()).toBe(0)
  expect(lstatSync(name).uid).toBe(10_000)
  expect(lstatSync(Buffer.concat([name, Buffer.from('/inside')])).uid).toBe(10_000)
})

test('symlinks, second links and mounts are left alone, and that is logged', async () => {
  const home = freshHome()
  const outside = scratchDir('hermes-outside-')
  try {
    writeFileSync(join(outside, 'secret'), 'root only')
    chmodSync(join(outside, 'secret'), 0o600)
    mkdirSync(join(outside, 'mounted'))
    writeFileSync(join(outside, 'mounted', 'theirs'), '')
    mkdirSync(join(home, 'workspace'))
    mkdirSync(join(home, 'memories'))
    // A second link to a root file: the volume and the place outside are one file system.
    linkSync(join(outside, 'secret'), join(home, 'memories', 'linked'))
    linkSync(join(outside, 'secret'), join(home, 'auth.json'))
    symlinkSync('/etc/shadow', join(home, 'state.db'))
    symlinkSync('/etc', join(home, 'sessions'))
    symlinkSync('/etc/shadow', join(home, 'memories', 'pointer'))
    await using box = await startContainer({ home, mounts: [[join(outside, 'mounted'), '/opt/data/workspace']] })
    await box.slot('gateway-default', () => true)
    expect(owner(join(outside, 'secret'))).toBe('0:0')
    expect(statSync(join(outside, 'secret')).mode & 0o777).toBe(0o600)
    expect(owner(join(outside, 'mounted'))).toBe('0:0')
    expect(owner(join(outside, 'mounted', 'theirs'))).toBe('0:0')
    expect(await box.ok('stat', '-c', '%u %a', '/etc/shadow')).toMatch(/^0 6[04]0\n$/)
    expect(await box.ok('stat', '-c', '%u', '/etc', '/etc/passwd')).toBe('0\n0\n')
    // Files that the volume has by name are named, the rest is counted.
    const { stderr } = await box.logs()
    expect(stderr).toMatch(
      /refusing to follow auth\.json \(a file with several names\), sessions \(a symbolic link\), state\.db \(a symbolic link\)/,
    )
    expect(stderr).toMatch(/left alone: 1 symbolic link, 1 file with several names/)
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
})

test('auth.json and gateway_state.json that are links are refused by name', async () => {
  const home = freshHome()
  try {
    for (const name of ['auth.json', 'gateway_state.json']) symlinkSync('/etc/shadow', join(home, name))
    await using box = await startContainer({ home })
    await box.slot('gateway-default', () => true)
    const { stderr } = await box.logs()
    for (const name of ['auth.json', 'gateway_state.json'])
      expect(stderr.split('\n')).toContainEqual(
        expect.stringMatching(new RegExp(`refusing.*${name}|${name}.*refusing`)),
      )
    expect(await box.ok('stat', '-c', '%u', '/etc/shadow')).toBe('0\n')
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
})

test.each(['profiles', 'logs'])('a linked %s/ is not followed', async (name) => {
  const home = freshHome()
  const outside = scratchDir('hermes-outside-')
  try {
    writeFileSync(join(outside, 'theirs'), '')
    symlinkSync('/outside', join(home, name))
    await using box = await startContainer({
      home,
      mounts: [[outside, '/outside']],
      command: ['sh', '-c', 'echo main'],
    })
    await box.exit()
    expect(owner(join(outside, 'theirs'))).toBe('0:0')
    expect(owner(outside)).toBe('0:0')
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
})

/**
 * Swaps, as fast as it can, a directory of its own and the file that root is about to give it for links to what is
 * root's, and back. It follows root through `hot/`: what root has dealt with is no longer root's.
 */
const SWAPS = `
const { lstatSync, readdirSync, renameSync, symlinkSync, unlinkSync } = require('node:fs')
const swap = (path, target) => {
  renameSync(path, 'aside')
  symlinkSync(target, path)
  unlinkSync(path)
  renameSync('aside', path)
}
process.chdir('/opt/data/workspace')
for (;;) {
  swap('dir', '/etc')
  const next = readdirSync('hot').find((name) => lstatSync('hot/' + name).uid === 0)
  if (next !== undefined) for (let i = 0; i < 10; i++) swap('hot/' + next, '/etc/shadow')
}`

test('a tree that is being swapped for links while root repairs it leads root nowhere', {
  timeout: 400_000,
}, async () => {
  using home = keptHome()
  const workspace = join(home.path, 'workspace')
  for (const dir of [home.path, workspace, join(workspace, 'dir'), join(workspace, 'hot')]) {
    mkdirSync(dir, { recursive: true })
    chownSync(dir, 10_000, 10_000)
  }
  await using attacker = await startContainer({
    home: home.path,
    user: '10000:10000',
    entrypoint: ['node', '-e', SWAPS],
  })
  const look = 'stat -c "%n %u:%g %a" /etc /etc/passwd /etc/shadow; find /etc -uid 10000'
  const before = await attacker.ok('sh', '-c', look)
  let given = 0
  for (let round = 0; round < 5; round++) {
    // Work for root: one path that only root can change, and one that the attacker can change.
    const mine = join(workspace, `root${round}`)
    mkdirSync(mine)
    for (let i = 0; i < 200; i++) writeFileSync(join(mine, String(i)), '')
    for (let i = 0; i < 50; i++) writeFileSync(join(workspace, 'hot', `${round}-${i}`), '')
    await using box = await startContainer({ home: home.path, command: ['sh', '-c', look] })
    expect(await box.exit()).toBe(0)
    const { stdout, stderr } = await box.logs()
    expect(stdout).toBe(before)
    given += Number(/changed the owner of (\d+) files/.exec(stderr)?.[1] ?? 0)
    expect(owner(join(mine, '7'))).toBe('10000:10000')
  }
  expect(given).toBeGreaterThanOrEqual(1_000) // a control: root was at work there
  expect(await attacker.inspect('{{.State.Running}}')).toBe('true')
})

test('100,000 files are given back, and looking at them again costs next to nothing', async () => {
  const home = freshHome()
  try {
    execFileSync('sh', [
      '-c',
      'mkdir -p "$0/sessions" && cd "$0/sessions" && for d in $(seq 100); do mkdir $d; (cd $d && seq 1000 | xargs touch); done',
      home,
    ])
    const command = ['sh', '-c', 'echo main']
    const boot = async (): Promise<number> => {
      await using box = await startContainer({ home, command })
      await box.exit({ deadlineMs: 60_000 })
      const [started, ended] = (await box.inspect('{{.State.StartedAt}} {{.State.FinishedAt}}'))
        .split(' ')
        .map((at) => Date.parse(at))
      return (ended ?? Number.NaN) - (started ?? 0)
    }
    const repairing = await boot()
    expect(owner(join(home, 'sessions', '100', '1000'))).toBe('10000:10000')
    const clean = await boot()
    // The whole life of a container that does nothing else. How long on a quiet machine: npm run figures.
    expect(repairing).toBeLessThan(stretchedMs(30_000))
    expect(clean).toBeLessThan(stretchedMs(repairing / 2))
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
})

test('directories of the volume that the runtime user has closed to itself are opened at the next boot', async () => {
  const files = {
    'config.yaml': lives(),
    desired_state: 'running\n',
    'profiles/other/config.yaml': lives(),
    'profiles/other/desired_state': 'running\n',
  }
  await using box = await startContainer({ files })
  await box.up('gateway-other')
  const { code } = await box.exec(['chmod', '0', '/opt/data/profiles', '/opt/data/logs', '/opt/data'], {
    user: 'hermes',
  })
  expect(code).toBe(0)
  await box.docker('restart')
  await box.saw('opened 3 directories to uid 10000')
  await box.up('gateway-default')
  await box.up('gateway-other')
  expect(await box.ok('stat', '-c', '%a', '/opt/data', '/opt/data/logs')).toBe('700\n700\n')
})

test('an unwritable volume: exit 1 before the main program, with what to do', async () => {
  const home = freshHome()
  try {
    chownSync(home, 4242, 4242)
    chmodSync(home, 0o755)
    await using box = await startContainer({ home, user: '10000:10000', command: ['sh', '-c', 'echo main'] })
    expect(await box.exit()).toBe(1)
    const { stdout, stderr } = await box.logs()
    expect(stdout).toBe('')
    for (const part of ['/opt/data', '4242', '10000', 'chown']) expect(stderr).toContain(part)
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
})

test('a full volume: gateways keep running, it is reported once, and logging resumes', async () => {
  await using box = await startContainer({
    files: { 'config.yaml': lives('x') },
    tmpfs: { '/opt/data/logs': 'size=1m,mode=777' },
  })
  await box.slot('gateway-default', (slot) => slot.state === 'down')
  await box.ok('sh', '-c', 'cat /dev/zero >/opt/data/logs/filler 2>/dev/null; true')
  await box.ok('hermes', 'gateway', 'start')
  const { pid } = await box.up('gateway-default')
  await box.saw(/no space|ENOSPC|full/i)
  await box.ok('rm', '/opt/data/logs/filler')
  await box.ok('hermes', 'gateway', 'restart')
  await box.slot('gateway-default', (slot) => slot.state === 'up' && slot.pid !== pid)
  expect(
    await box.ok(
      'sh',
      '-c',
      'until grep -q " x$" /opt/data/logs/gateways/default/current 2>/dev/null; do sleep 0.05; done; echo yes',
    ),
  ).toBe('yes\n')
})

test('a volume that is full at boot: its gateways start all the same, and failed writes are reported', async () => {
  await using box = await startContainer({
    command: ['gateway', 'run'],
    entrypoint: ['sh', '-c', 'cat /dev/zero >/full/filler 2>/dev/null; exec /init "$@"', 'sh'],
    env: { HERMES_HOME: '/full' },
    tmpfs: { '/full': 'size=128k,mode=755' },
  })
  await box.up('gateway-default')
  expect(await box.ok('sh', '-c', 'df --output=avail /full | tail -1')).toMatch(/^ *0\n$/)
  const { restarts } = await box.up('gateway-default')
  expect(restarts).toBe(0)
  const create = await box.hermes('profile', 'create', 'coder')
  expect(create.code).toBe(1)
  expect(create.stderr).toMatch(/\/full\/profiles.*ENOSPC.*\n.*free some space/)
  await box.saw(/no room for .*gateway\.pid \(ENOSPC\)/)
  expect(await box.ok('sh', '-c', 'ls -A /full | grep -c "gateway.pid" || true')).toBe('0\n')
  expect((await box.stop()).code).toBe(0)
})
