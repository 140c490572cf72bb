import { expect, test } from 'vitest'
import { keptHome, lives, startContainer } from '../../support/container/container.ts'

const owners = ['sh', '-c', 'find "$0" ! -user hermes -o ! -group hermes'] as const

test('root saves and restores as the runtime user, who owns every file of it', async () => {
  using volume = keptHome()
  const files = { 'profiles/coder/config.yaml': lives(), 'profiles/coder/desired_state': 'running\n' }
  await using box = await startContainer({ home: volume.path, command: ['sleep', '100000'], files })
  await box.up('gateway-coder')
  await box.ok('hermes', 'kanban', 'create', 'a task', '--at', '+30d')
  await box.ok('hermes', 'backup', '--out', '/opt/data/saved.tar.gz')
  expect(await box.ok('stat', '-c', '%U %a', '/opt/data/saved.tar.gz')).toBe('hermes 600\n')
  expect((await box.exec(['hermes', 'restore', '/opt/data/saved.tar.gz'])).stderr).toMatch(
    /^hermes: hermes runs on \/opt\/data/,
  )

  await box.ok('hermes', 'restore', '/opt/data/saved.tar.gz', '--into', '/opt/data/workspace/copy')
  expect(await box.ok(...owners, '/opt/data/workspace/copy')).toBe('')
  expect(await box.ok('cat', '/opt/data/workspace/copy/profiles/coder/desired_state')).toBe('stopped\n')
  const inCopy = ['env', 'HERMES_HOME=/opt/data/workspace/copy', 'hermes'] as const
  expect(await box.ok(...inCopy, 'kanban', 'list')).toContain('a task')
  await box.slot('gateway-coder', ({ state, restarts }) => state === 'up' && restarts === 0)
})

test('a new volume is filled before anything boots on it, and its gateways stay down', async () => {
  using volume = keptHome()
  const files = { 'profiles/coder/config.yaml': lives(), 'profiles/coder/desired_state': 'running\n' }
  await using box = await startContainer({ command: ['sleep', '100000'], files })
  await box.up('gateway-coder')
  await box.ok('hermes', 'backup', '--out', '/tmp/saved.tar.gz')
  await box.ok('sh', '-c', 'base64 /tmp/saved.tar.gz >/opt/data/text')
  // Read by the runtime user through a pipe, as `docker run -i … restore - <FILE` does.
  const script = 'chown hermes:hermes /opt/data && base64 -d /text | hermes restore - && exec /init sleep 100000'
  const mounts = [[`${box.home}/text`, '/text', 'ro']] as const
  await using again = await startContainer({ home: volume.path, entrypoint: ['sh', '-c', script], mounts })
  await again.slot('gateway-coder', ({ state, wanted }) => state === 'down' && wanted === 'down')
  expect(await again.ok(...owners, '/opt/data/profiles')).toBe('')
})
