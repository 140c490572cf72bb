// The runtime user as an attacker: it can write everything in the volume, in /run/service and in what it owns under
// /run/hermes.
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  type Box,
  dockerCommand,
  gatewayOf,
  keptHome,
  lives,
  startContainer,
} from '../../support/container/container.ts'
import { scratchDir } from '../../support/scratch.ts'
import { waitFor } from '../../support/wait.ts'

const SUPERVISOR = '/opt/hermes/lib/supervisor.cjs'

/**
 * Says hello, waits for its word to begin, and then asks init for everything it should refuse, and for one start it may
 * have.
 */
const HOSTILE_SUPERVISOR = `
const { mkdirSync, readSync, writeFileSync } = require('node:fs')
// As ours does before it reads anything: from here on it is the attacker's.
const orders = Buffer.alloc(65536)
const { identity } = JSON.parse(orders.toString('utf8', 0, readSync(3, orders)))
process.setgroups(identity.groups)
process.setgid(identity.gid)
process.setuid(identity.uid)
const line = new (require('node:net').Socket)({ fd: 3 })
const say = (message) => line.write((typeof message === 'string' ? message : JSON.stringify(message)) + '\\n')
const start = (slot, more) => say({
  type: 'spawn', request: 1, slot, stopSignal: 'TERM', stopTimeoutMs: 1000, notificationFd: null, killLeftovers: true, ...more,
})
function attack() {
  mkdirSync('/run/service/pwn')
  writeFileSync('/run/service/pwn/run', 'echo "$(id -u)$SEEN" >>/opt/data/ran-as; touch /etc/owned /run/hermes/pwn; touch /opt/data/tried; exec sleep 1000')
  for (const slot of ['..', '.', '../identity', '../../etc', '/etc', 'pwn/../pwn', '', 'x'.repeat(300), 'a\\nb', 'a\\0b', ['pwn'], null]) {
    start(slot)
    say({ type: 'forget', slot })
  }
  for (const notificationFd of [-1, 1.5, 1e9, '3']) start('pwn', { notificationFd })
  for (const stopSignal of ['NONE', 9, '../9']) start('pwn', { stopSignal })
  for (const child of [-1, 0, 1.5, '1', 99999]) say({ type: 'signal', child, signal: 'KILL', target: 'group' })
  for (const text of ['', '{', 'null', '[]', '"spawn"', '{"type":"__proto__"}', '{"type":"exec","command":["touch","/etc/owned"]}']) say(text)
  start('pwn', { uid: 0, gid: 0, command: ['touch', '/etc/owned'], env: { LD_PRELOAD: '/opt/data/evil.so', SEEN: ' with an environment of its choice' }, cwd: '/root', prefix: [] })
  writeFileSync('/opt/data/said', '')
}
let heard = ''
line.on('data', (chunk) => {
  heard += chunk
  if (/"begin"|"begun":true/.test(heard)) attack(heard = '')
})
say({ type: 'hello', v: 1 })
`

const asHermes = (box: Box, script: string) => box.exec(['sh', '-c', script], { user: 'hermes' })

/**
 * Files in the volume that belong to root; links are not followed, and a file may be gone in the middle of the search.
 */
const rootOwned = (dir: string): string[] =>
  execFileSync('find', [dir, '-ignore_readdir_race', '-uid', '0', '-printf', '%P\\n'], { encoding: 'utf8' })
    .split('\n')
    .slice(0, -1)

async function stillRoot(box: Box): Promise<void> {
  expect(await box.ok('stat', '-c', '%u:%g %a', '/etc/passwd')).toBe('0:0 644\n')
  expect(await box.ok('stat', '-c', '%u:%g', '/etc/shadow')).toMatch(/^0:/)
  expect(await box.exec(['test', '-e', '/etc/owned'])).toMatchObject({ code: 1 })
  expect(rootOwned(box.home)).toEqual([])
}

test('the attacks would be seen: a root process can do what they try', async () => {
  await using box = await startContainer()
  await box.slot('gateway-default', () => true)
  await box.ok('touch', '/etc/owned', '/opt/data/by-root')
  expect(await box.exec(['test', '-e', '/etc/owned'])).toMatchObject({ code: 0 })
  expect(rootOwned(box.home)).toEqual(['by-root'])
})

test('log directories swapped for links lead no write of root’s anywhere', async () => {
  await using box = await startContainer({ files: { 'config.yaml': lives(), desired_state: 'running\n' } })
  await box.up('gateway-default')
  const news = 'find /etc /opt/hermes -newer /tmp/before -type f'
  // Not a minute ago: the image itself may be younger than that.
  await box.ok('sh', '-c', 'touch /tmp/before')
  await asHermes(box, 'cd /opt/data && rm -rf logs && ln -s /etc logs')
  await box.docker('restart')
  await box.up('gateway-default')
  // /etc/hosts and its like are the engine's, new at each start, and a control: what is new would be found.
  const found = (await box.ok('sh', '-c', news)).trim().split('\n').sort()
  expect(found.filter((file) => !/^\/etc\/(hosts|hostname|resolv\.conf|mtab)$/.test(file))).toEqual([])
  expect(found).toContain('/etc/hosts')
  await stillRoot(box)
})

test('the slot directory: run, control and finish of the attacker run as the attacker', async () => {
  await using box = await startContainer({ files: { 'config.yaml': lives() } })
  await box.slot('gateway-default', (slot) => slot.state === 'down')
  // Put in place again and again: the supervisor writes its own before each start, and has to lose the race once.
  const evil = [
    'cd /run/service/gateway-default',
    "printf '#!/bin/sh\\nid -u >>/opt/data/ran-as\\ntouch /etc/owned\\ntouch /opt/data/tried\\nexec sleep 1000\\n' >/tmp/evil",
    'chmod 4777 /tmp/evil',
    'rm -f notification-fd; ln -s /etc/shadow notification-fd',
    'while :; do cp /tmp/evil new && mv new run; cp /tmp/evil new && mv new finish; done',
  ].join('; ')
  const attack = asHermes(box, evil)
  await waitFor(
    "the attacker's run to be started",
    async () => {
      await box.hermes('gateway', 'restart', '--no-wait')
      return box.file('tried') !== undefined
    },
    { deadlineMs: 60_000 },
  )
  expect(new Set((box.file('ran-as') ?? '').trim().split('\n'))).toEqual(new Set(['10000']))
  await stillRoot(box)
  await box.docker('kill')
  await attack
})

test('FIFOs and sockets replaced in /run/hermes: nothing of root’s is opened through them', async () => {
  await using box = await startContainer({ files: { 'config.yaml': lives(), desired_state: 'running\n' } })
  await box.up('gateway-default')
  const { stderr } = await asHermes(
    box,
    'cd /run/hermes && { rm -f identity; echo x >identity; mv log log2; ln -s /etc log; rm -f log/gateway-default; ln -sf /etc/owned log/gateway-default; rm -f control.sock; ln -s /etc/owned control.sock; echo \'{"uid":0}\' >identity; }',
  )
  expect(stderr).toMatch(/denied|not permitted/i)
  await box.ok('hermes', 'gateway', 'restart')
  await box.up('gateway-default')
  await stillRoot(box)
})

test('messages to init: whatever the supervisor says, nothing runs as root', async () => {
  const dir = scratchDir('hermes-hostile-')
  chmodSync(dir, 0o755)
  // Taken over completely: the supervisor's own program is the attacker's, so its line to init is his as well.
  writeFileSync(join(dir, 'supervisor'), HOSTILE_SUPERVISOR)
  await using box = await startContainer({
    mounts: [[join(dir, 'supervisor'), SUPERVISOR, 'ro']],
    // A process of root's that must be left alone.
    entrypoint: ['sh', '-c', 'sleep 1000 & echo $! >/tmp/bystander; exec /init "$@"', 'sh'],
  })
  await waitFor('the attacker to have said everything', () => box.file('said') !== undefined)
  await waitFor("the attacker's slot to have tried everything", () => box.file('tried') !== undefined)
  expect(box.file('ran-as')).toBe('10000\n')
  await box.saw('the supervisor sent what init does not take')
  for (const pid of ['1', '$(cat /tmp/bystander)'])
    expect(await box.exec(['sh', '-c', `kill -0 ${pid}`]), `${pid} lives`).toMatchObject({ code: 0 })
  expect(await box.ok('find', '/run', '/etc', '-name', '*pwn*', '-user', 'root')).toBe('')
  // Everything that init makes or removes for a slot lies in one directory.
  const astray = ['find', '/', '-xdev', '-type', 'p', '!', '-path', '/run/hermes/log/*', '!', '-path', '/run/service/*']
  expect(await box.ok(...astray)).toBe('')
  expect(await box.ok('stat', '-c', '%U', '/run/hermes/identity')).toBe('root\n')
  await stillRoot(box)
})

test('.env, config.yaml and profile names change nothing about who runs what', async () => {
  await using box = await startContainer({
    files: {
      'config.yaml': `${gatewayOf('/bin/sh', '-c', 'echo "uid $(id -u) $HERMES_HOME $USER"; exec sleep 1000')}  env:\n    HERMES_UID: "0"\n    USER: root\n`,
      '.env':
        'LD_PRELOAD=/opt/data/evil.so\nPATH=/opt/data/bin\nHERMES_HOME=/etc\nHOME=/root\nHERMES_SLOT=x\nNODE_OPTIONS=--require=/opt/data/evil.js\nBASH_ENV=/opt/data/evil.sh\nENV=/opt/data/evil.sh\n',
      'evil.sh': 'id -u >>/opt/data/evil-ran-as; touch /etc/owned\n',
      'evil.js': 'require("fs").appendFileSync("/opt/data/evil-ran-as", process.getuid() + "\\n")',
      'bin/setpriv': '#!/bin/sh\nid -u >>/opt/data/evil-ran-as\ntouch /etc/owned\n',
      'bin/sh': '#!/bin/sh\nid -u >>/opt/data/evil-ran-as\n',
      'profiles/$(touch owned)/config.yaml': '',
      'profiles/a;id/config.yaml': '',
      'profiles/-rf/config.yaml': '',
      desired_state: 'running\n',
    },
  })
  await box.ok('chmod', '755', '/opt/data/bin/setpriv', '/opt/data/bin/sh')
  await box.ok('hermes', 'gateway', 'restart')
  await box.saw(/^uid 10000 \/opt\/data hermes$/)
  expect((box.file('evil-ran-as') ?? '').split('\n')).not.toContain('0')
  expect((await box.status()).slots.map((slot) => slot.slot).filter((name) => name.startsWith('gateway-'))).toEqual([
    'gateway-default',
  ])
  expect(await box.exec(['test', '-e', '/etc/owned'])).toMatchObject({ code: 1 })
})

test('with room for 24 files only, init says so in one line and ends with 1', async () => {
  await using box = await startContainer({ command: ['true'], openFiles: 24 })
  expect(await box.exit()).toBe(1)
  const { stderr } = await box.logs()
  expect(stderr).toMatch(
    /^hermes: error: init cannot start: it may not open enough files[^\n]*--ulimit nofile[^\n]*\n$/,
  )
})

test('HERMES_HOME on a share of the runtime user’s: neither a link in its place nor a file of root’s named run.lease gives anything away', async () => {
  using share = keptHome()
  chownSync(share.path, 10_000, 10_000)
  await using box = await startContainer({
    command: ['sh', '-c', 'exec sleep 1000'],
    mounts: [[share.path, '/nas']],
    env: { HERMES_HOME: '/nas/sub' },
  })
  await box.slot('gateway-default', () => true)
  await box.ok('sh', '-c', 'echo secret >/nas/sub/roots; chmod 600 /nas/sub/roots')
  await asHermes(box, 'cd /nas/sub && mv roots run.lease')
  await box.saw('run.lease is a file of uid 0')
  expect(await box.ok('stat', '-c', '%u %a', '/nas/sub/run.lease')).toBe('0 600\n')
  await asHermes(box, 'cd /nas && mv sub gone && ln -s /root sub')
  await box.docker('restart')
  expect(await box.exit()).toBe(1)
  await box.saw('/nas/sub cannot be the volume: /nas/sub is a link, and others than root can write in /nas')
  const { stdout } = await dockerCommand(['cp', `${box.id}:/root`, '-'])
  expect(stdout.slice(108, 123)).toBe('0000000\x000000000')
})

test('run.lease as a link, a FIFO or a second link of a root file is not written through', async () => {
  for (const lay of ['ln -s /etc/owned run.lease', 'mkfifo run.lease', 'mkdir run.lease']) {
    await using box = await startContainer({ command: ['sh', '-c', 'exec sleep 1000'] })
    await box.slot('gateway-default', () => true)
    await asHermes(box, `cd /opt/data && rm -rf run.lease && ${lay}`)
    await box.docker('restart')
    await box.ok('sh', '-c', 'until hermes healthcheck >/dev/null; do sleep 0.1; done')
    expect(await box.exec(['test', '-e', '/etc/owned'])).toMatchObject({ code: 1 })
  }
})

test('a tree too deep to be removed, in /run/service and in the volume, does not keep the container from booting', async () => {
  await using box = await startContainer({
    files: { 'config.yaml': lives(), desired_state: 'running\n' },
    openFiles: 1024,
  })
  await box.up('gateway-default')
  // Removing and repairing take a descriptor for each level.
  const dig = `for (const top of ['/run/service', '/opt/data/workspace']) {
    process.chdir(top)
    for (let i = 0; i < 1500; i++) { require('node:fs').mkdirSync('d'.repeat(50)); process.chdir('d'.repeat(50)) }
  }`
  expect(await box.exec(['node', '-e', dig], { user: 'hermes' })).toMatchObject({ code: 0 })
  await box.ok('touch', '/opt/data/workspace/by-root')
  await box.docker('restart')
  await box.up('gateway-default')
  await stillRoot(box)
  // The next boot has no more trouble with it.
  await box.docker('restart')
  await box.up('gateway-default')
})

test('a chain of 6,000 processes, each the parent of the next, does not keep the container from ending by itself', async () => {
  using tools = keptHome()
  const chain = join(tools.path, 'chain')
  // Each level executes anew: forked processes that share their memory take minutes for as many.
  writeFileSync(
    chain,
    `#!/bin/sh
trap '' TERM
if [ "$1" -gt 0 ]; then "$0" $(($1 - 1)); else touch /opt/data/deep; while :; do sleep 1000000; done; fi`,
  )
  for (const path of [tools.path, chain]) chmodSync(path, 0o755)
  await using box = await startContainer({
    // Its parent ends: then it is neither a slot's nor the main program's, and init has to find it.
    command: ['sh', '-c', '/tools/chain 6000 & until [ -e /opt/data/deep ]; do sleep 0.1; done; exit 7'],
    mounts: [[tools.path, '/tools', 'ro']],
    env: { HERMES_STOP_TIMEOUT: '3' },
  })
  expect(await box.exit({ deadlineMs: 60_000 })).toBe(7)
  expect((await box.logs()).stderr).toMatch(/so killed: .*chain \(pid \d+\).* and \d{4} more/)
})
