import { expect, test } from 'vitest'
import { gatewayOf, lives, startContainer } from '../../support/container/container.ts'
import { waitFor } from '../../support/wait.ts'

const dir = '/run/service/gateway-coder'
const files = { 'config.yaml': lives(), 'profiles/coder/config.yaml': lives() }

test('a slot directory is what users of s6 inspect', async () => {
  await using box = await startContainer({ files })
  await box.slot('gateway-coder', (slot) => slot.state === 'down')
  expect(await box.ok('cat', `${dir}/type`)).toBe('longrun\n')
  await waitFor('run and down', async () => (await box.exec(['test', '-e', `${dir}/down`])).code === 0)
  await box.ok('hermes', '-p', 'coder', 'gateway', 'start')
  expect(await box.ok('stat', '-c', '%U %a', `${dir}/run`)).toBe('hermes 700\n')
  await waitFor('down to go', async () => (await box.exec(['test', '-e', `${dir}/down`])).code === 1)
})

test('s6-svstat and s6-svc -u, -d, -t work, as root and as hermes', async () => {
  await using box = await startContainer({ files })
  await box.slot('gateway-coder', (slot) => slot.state === 'down')
  const svstat = async (user: string): Promise<string> => (await box.exec(['/command/s6-svstat', dir], { user })).stdout
  for (const user of ['root', 'hermes']) {
    await waitFor('svstat to say down', async () => /^down /.test(await svstat(user)))
    expect((await box.exec(['/command/s6-svc', '-u', dir], { user })).code).toBe(0)
    const { pid } = await box.up('gateway-coder')
    await waitFor('svstat to say up', async () => (await svstat(user)).startsWith(`up (pid ${pid})`))
    expect((await box.exec(['/command/s6-svc', '-t', dir], { user })).code).toBe(0)
    await box.slot('gateway-coder', (slot) => slot.state === 'up' && slot.pid !== pid)
    expect((await box.exec(['/command/s6-svc', '-wD', '-T', '5000', '-d', dir], { user })).code).toBe(0)
    await box.slot('gateway-coder', (slot) => slot.state === 'down')
  }
  // For this boot only: an operator's word is another thing.
  expect(box.file('profiles/coder/desired_state')).not.toBe('running\n')
})

test('they say what is wrong, with exit codes of s6', async () => {
  await using box = await startContainer({ files })
  await box.slot('gateway-coder', (slot) => slot.state === 'down')
  expect(await box.exec(['/command/s6-svstat', '/run/service/nothing'])).toMatchObject({ code: 1 })
  expect(await box.exec(['/command/s6-svstat'])).toMatchObject({ code: 100 })
  // s6-svc of s6 2.11 itself: "supervisor not listening".
  expect(await box.exec(['/command/s6-svc', '-d', '/etc'])).toMatchObject({ code: 100 })
  expect(await box.exec(['/command/s6-svc', '-X', dir])).toMatchObject({ code: 100 })
})

test('as root they follow no links of other users: they have dropped root before they look', async () => {
  const trap =
    'mkdir -p /tmp/t/supervise; ln -sf /etc/shadow /tmp/t/supervise/status; mkfifo /tmp/t/supervise/control; echo laid; exec sleep 1000'
  await using box = await startContainer({
    files: { 'config.yaml': gatewayOf('/bin/sh', '-c', trap), desired_state: 'running\n' },
  })
  await box.saw('laid')
  await box.ok('sh', '-c', 'exec 3<>/tmp/t/supervise/control; exec sleep 0.01')
  const { code, stderr } = await box.exec([
    'sh',
    '-c',
    'sleep 5 <>/tmp/t/supervise/control & /command/s6-svstat /tmp/t',
  ])
  expect(code).toBe(111)
  expect(stderr).toMatch(/EACCES|permission/i)
})

test('s6-setuidgid becomes a user by name or by ids, and leaves the environment alone', async () => {
  await using box = await startContainer({ files })
  await box.slot('gateway-coder', () => true)
  const ids = 'id -u; id -g; id -G; echo $HOME'
  expect(await box.ok('/command/s6-setuidgid', 'hermes', 'sh', '-c', ids)).toBe('10000\n10000\n10000\n/root\n')
  expect(await box.ok('/command/s6-setuidgid', '12:34', 'sh', '-c', ids)).toBe('12\n34\n34\n/root\n')
  expect(await box.ok('/command/s6-setuidgid', '', 'id', '-u')).toBe('0\n')
  expect(await box.exec(['/command/s6-setuidgid', 'nobody-here', 'true'])).toMatchObject({ code: 1 })
  expect(await box.exec(['/command/s6-setuidgid', '10000', 'true'])).toMatchObject({ code: 1 })
  expect(await box.exec(['/command/s6-setuidgid', 'a:b', 'true'])).toMatchObject({ code: 100 })
  expect(await box.exec(['/command/s6-setuidgid', 'hermes'])).toMatchObject({ code: 100 })
  expect(await box.exec(['/command/s6-setuidgid', 'hermes', 'no-such-program'])).toMatchObject({ code: 127 })
  expect(await box.exec(['/command/s6-setuidgid', 'hermes', 'true'], { user: 'hermes' })).toMatchObject({ code: 111 })
})
