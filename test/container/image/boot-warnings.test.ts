// Warnings of a boot about its surroundings, each where it applies.
// test/container/engines/short-lives.test.ts shows that an ordinary boot says nothing.
import { chmodSync, chownSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Box, gatewayOf, keptHome, lives, startContainer } from '../../support/container/container.ts'

const running = { 'config.yaml': lives(), desired_state: 'running\n' }

/** The filter of an engine or a sandbox that refuses one command of a system call. Numbers: errno(3). */
const refuses = (call: string, argument: number, command: number, errno: number): string =>
  `seccomp=${JSON.stringify({
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [
      {
        names: [call],
        action: 'SCMP_ACT_ERRNO',
        errnoRet: errno,
        args: [{ index: argument, value: command, op: 'SCMP_CMP_EQ' }],
      },
    ],
  })}`
const PR_SET_CHILD_SUBREAPER = 36
const F_OFD_SETLK = 37
const [ENOSYS, ENOLCK] = [38, 37]

/** Lines with this text in stderr of `docker logs`. */
const said = async (box: Box, text: string): Promise<readonly string[]> => {
  await box.saw(text)
  return (await box.logs()).stderr.split('\n').filter((line) => line.includes(text))
}

test('root that starts hermes as npm start does is warned once: gateways run as root', async () => {
  await using box = await startContainer({
    entrypoint: ['/opt/hermes/bin/init', '--foreground'],
    files: { ...running, 'config.yaml': gatewayOf('/bin/sh', '-c', 'echo "uid $(id -u)"; exec sleep 1000000') },
  })
  await box.saw(/^uid 0$/)
  expect(await said(box, 'started as root')).toEqual(['hermes: warning: started as root: everything runs as root'])
})

test('behind another init, where the kernel gives no orphans to hermes, a boot says so once and works', async () => {
  await using box = await startContainer({
    init: true,
    securityOpt: [refuses('prctl', 0, PR_SET_CHILD_SUBREAPER, ENOSYS)],
    files: running,
  })
  await box.up('gateway-default')
  expect(await said(box, 'orphans')).toEqual([
    'hermes: warning: orphans of the slots go to another process: prctl: ENOSYS',
  ])
  expect((await box.stop()).code).toBe(0)
})

/** Without file locks, the counter in run.lease has to be the runtime user's before it can decide. */
test.each([
  ['that root alone may enter, as a share’s first directory', { mode: 0o700, uid: 0, files: {} }],
  [
    'of another user, released by a container that ran as that one',
    { mode: 0o755, uid: 2000, files: { 'run.lease': '' } },
  ],
])('a volume %s is repaired without file locks too, and its gateways start', async (_, { mode, uid, files }) => {
  using home = keptHome()
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(home.path, name), text)
    chownSync(join(home.path, name), uid, uid)
  }
  chmodSync(home.path, mode)
  chownSync(home.path, uid, uid)
  await using box = await startContainer({
    home: home.path,
    securityOpt: [refuses('fcntl', 1, F_OFD_SETLK, ENOLCK)],
    files: running,
  })
  await box.up('gateway-default')
})

test('on a volume without file locks a boot says once what takes their place, and it does', async () => {
  using home = keptHome()
  chownSync(home.path, 10_000, 10_000)
  await using box = await startContainer({
    home: home.path,
    securityOpt: [refuses('fcntl', 1, F_OFD_SETLK, ENOLCK)],
    files: running,
  })
  await box.up('gateway-default')
  expect(await said(box, 'no file locks')).toEqual([
    'hermes: warning: /opt/data/run.lease: no file locks here; a counter in it takes their place',
  ])
  expect(box.file('run.lease')).toMatch(/^hermes lease: instance=\w+ host=\w+ counter=\d+ *\n$/)
})
