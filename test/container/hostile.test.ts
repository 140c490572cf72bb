// The runtime user as an attacker: it can write everything in the volume, in /run/service and in what it owns under /run/hermes.
import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { type Box, gatewayOf, lives, startContainer } from '../support/container.ts'

const asHermes = (box: Box, script: string) => box.exec(['sh', '-c', script], { user: 'hermes' })

/** What in the volume is root's; links are not followed. */
const rootOwned = (dir: string): string[] =>
  execFileSync('find', [dir, '-uid', '0', '-printf', '%P\\n'], { encoding: 'utf8' }).split('\n').slice(0, -1)

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

test('log directories swapped for links lead no root write anywhere', async () => {
  await using box = await startContainer({ files: { 'config.yaml': lives(), desired_state: 'running\n' } })
  await box.up('gateway-default')
  await asHermes(box, 'cd /opt/data && rm -rf logs && ln -s /etc logs')
  await box.docker('restart')
  await box.ok('sh', '-c', 'until hermes healthcheck >/dev/null; do sleep 0.1; done')
  expect(
    await box.ok(
      'sh',
      '-c',
      'find /etc -newer /proc/1/cmdline -name "*gateway*" -o -newer /proc/1/cmdline -name "*.log"',
    ),
  ).toBe('')
  await stillRoot(box)
})

test('the slot directory: run, control and finish of the attacker run as the attacker', async () => {
  await using box = await startContainer({ files: { 'config.yaml': lives() } })
  await box.slot('gateway-default', (slot) => slot.state === 'down')
  const evil = '#!/bin/sh\\nid -u >>/opt/data/ran-as\\ntouch /etc/owned\\nexec sleep 1000\\n'
  await asHermes(
    box,
    `cd /run/service/gateway-default && rm -f run finish; printf '${evil}' >run; chmod 4777 run; cp run finish; rm -f notification-fd; ln -s /etc/shadow notification-fd`,
  )
  await box.hermes('gateway', 'start')
  await box.slot('gateway-default', (slot) => slot.state === 'up')
  expect(new Set((box.file('ran-as') ?? '10000').trim().split('\n'))).toEqual(new Set(['10000']))
  await stillRoot(box)
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
  await using box = await startContainer({ files: { 'config.yaml': lives(), desired_state: 'running\n' } })
  await box.up('gateway-default')
  // The supervisor's own descriptor of the protocol, taken by another process of the same user.
  const script = [
    'sup=$(for p in /proc/[0-9]*; do tr "\\0" " " <$p/cmdline 2>/dev/null | grep -q supervisor.cjs && basename $p; done | head -1)',
    '[ -n "$sup" ] || exit 9',
    'for fd in /proc/$sup/fd/*; do for m in \'{"type":"spawn","request":1,"slot":"../../etc","stopSignal":"TERM","stopTimeoutMs":1,"notificationFd":null,"killLeftovers":true}\' \'{"type":"signal","child":1,"signal":"KILL","target":"group"}\' \'{"type":"spawn","slot":"x","uid":0,"command":["touch","/etc/owned"]}\'; do echo "$m" >$fd; done; done',
  ].join('\n')
  await asHermes(box, script)
  await box.ok('sh', '-c', 'until hermes healthcheck >/dev/null; do sleep 0.1; done')
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
