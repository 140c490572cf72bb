import { execFileSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { type Box, lives, startContainer } from '../../support/container/container.ts'

const rootOwned = (box: Box): string[] =>
  // A file that is written anew is gone under its first name in the middle of the search.
  execFileSync('find', [box.home, '-ignore_readdir_race', '-uid', '0', '-o', '-gid', '0'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line !== '')

const effectiveUid = async (box: Box, options: Parameters<Box['exec']>[1] = {}): Promise<string> => {
  // The shim's own program reports who it has become.
  const { stdout } = await box.exec(['hermes', '--json', 'env'], options)
  return stdout
}

test('a root docker exec never leaves a root-owned file', async () => {
  await using box = await startContainer({ command: ['gateway', 'run'], files: { 'config.yaml': lives() } })
  await box.up('gateway-default')
  // Everything the careless host made beforehand has been given back by now; a control that the search would see
  // something.
  expect(rootOwned(box)).toEqual([])
  await box.ok('touch', '/opt/data/made-by-root')
  expect(rootOwned(box)).toEqual([`${box.home}/made-by-root`])
  await box.ok('rm', '/opt/data/made-by-root')

  await box.ok('hermes', 'profile', 'create', 'coder', '--start')
  await box.ok('hermes', 'config', 'set', 'description', 'mine')
  await box.ok('hermes', '-p', 'coder', 'gateway', 'restart')
  await box.ok('bash', '-lc', 'hermes profile create writer')
  await box.ok('hermes', 'profile', 'rename', 'writer', 'author')
  expect(rootOwned(box)).toEqual([])
})

test.each(['1', 'true', 'yes', 'TRUE', 'Yes'])('HERMES_DOCKER_EXEC_AS_ROOT=%s keeps root', async (value) => {
  await using box = await startContainer()
  await box.slot('gateway-default', () => true)
  await box.exec(['hermes', 'profile', 'create', 'coder'], { env: { HERMES_DOCKER_EXEC_AS_ROOT: value } })
  expect(await box.ok('stat', '-c', '%u', '/opt/data/profiles/coder')).toBe('0\n')
})

test.each(['0', 'no', 'false', 'ture', 'on', ' ', '', '1 ', ' yes'])(
  'HERMES_DOCKER_EXEC_AS_ROOT=%o does not',
  async (value) => {
    await using box = await startContainer()
    await box.slot('gateway-default', () => true)
    await box.exec(['hermes', 'profile', 'create', 'coder'], { env: { HERMES_DOCKER_EXEC_AS_ROOT: value } })
    expect(await box.ok('stat', '-c', '%u', '/opt/data/profiles/coder')).toBe('10000\n')
  },
)

test('without CAP_SETUID the shim refuses with 126 and says both ways out', async () => {
  await using box = await startContainer({
    entrypoint: ['sleep', '1000'],
    capDrop: ['SETUID', 'SETGID'],
  })
  const { code, stderr } = await box.exec(['hermes', 'version'])
  expect(code).toBe(126)
  expect(stderr).toContain('refusing to run as root')
  expect(stderr).toContain('--user hermes')
  expect(stderr).toContain('HERMES_DOCKER_EXEC_AS_ROOT=1')
})

test('a caller who is not root stays who he is', async () => {
  await using box = await startContainer()
  await box.slot('gateway-default', () => true)
  for (const user of ['hermes', '10000:10000', '1234:1234']) {
    expect(await box.exec(['hermes', 'version'], { user })).toMatchObject({ code: 0, stderr: '' })
  }
  expect(await effectiveUid(box, { user: 'hermes' })).toContain('/opt/data')
  // The volume is not that user's to have: advice to give it away would take it from the gateways.
  const { code, stdout } = await box.exec(['hermes', 'doctor'], { user: '1234' })
  expect(code).toBe(1)
  expect(stdout).toMatch(/^fail identity: uid 1234, .*; Hermes runs as uid 10000 here, .*\n {7}next: .* -u 10000$/m)
  expect(stdout).not.toContain('chown')
})

test('a missing install is 127', async () => {
  await using box = await startContainer({ entrypoint: ['sleep', '1000'] })
  await box.ok('mv', '/opt/hermes/lib', '/opt/hermes/away')
  expect(await box.exec(['hermes', 'version'])).toMatchObject({ code: 127 })
})

test('a program that runs after the drop has no capability, and cannot get root back', async () => {
  const script = [
    'grep -E "^Cap(Eff|Prm|Amb)" /proc/self/status',
    'setpriv --reuid 0 true 2>/dev/null && echo became root',
    'cat /etc/shadow 2>/dev/null && echo read shadow',
    'touch /opt/hermes/x /opt/hermes/bin/x /opt/hermes/lib/x /init /command/x /run/hermes/x 2>/dev/null && echo wrote',
    'find /opt/hermes /command /init /etc/cont-init.d -writable ! -type l',
    'echo done',
  ].join('; ')
  await using box = await startContainer({
    files: {
      'config.yaml': `gateway:\n  command: ${JSON.stringify(['sh', '-c', `${script}; exec sleep 1000`])}\n`,
      desired_state: 'running\n',
    },
  })
  await box.saw('done')
  const none = '0000000000000000'
  expect((await box.logs()).stdout.replaceAll('\t', ' ')).toBe(
    `CapPrm: ${none}\nCapEff: ${none}\nCapAmb: ${none}\ndone\n`,
  )
})

test('NODE_OPTIONS of a root docker exec runs no code of other users', async () => {
  await using box = await startContainer({
    files: { 'evil.js': 'require("fs").writeFileSync("/opt/data/ran-as", String(process.getuid()))' },
  })
  await box.slot('gateway-default', () => true)
  await box.exec(['hermes', 'version'], { env: { NODE_OPTIONS: '--require /opt/data/evil.js' } })
  expect(box.file('ran-as')).toBeUndefined()
})

test('root becomes hermes by name, too: su, with a login shell that has everything', async () => {
  await using box = await startContainer()
  await box.slot('gateway-default', () => true)
  expect(await box.ok('su', '-', 'hermes', '-c', 'id -un; hermes version')).toMatch(/^hermes\nhermes \d/)
  // A log-in shell has no HERMES_HOME.
  await box.ok('su', '-', 'hermes', '-c', 'hermes profile create coder')
  await box.slot('gateway-coder', (slot) => slot.state === 'down')
  // No other user does: no password would be right.
  expect(await box.exec(['su', 'hermes', '-c', 'id -un'], { user: 'nobody' })).toMatchObject({ code: 1, stdout: '' })
})
