// Single files of the volume that are mounts of their own, and profiles that cannot be written.
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { keptHome, startContainer } from '../../support/container/container.ts'
import { scratchDir } from '../../support/scratch.ts'
import { waitFor } from '../../support/wait.ts'

let dir: string
beforeEach(() => {
  dir = scratchDir('hermes-mounted-')
  chmodSync(dir, 0o755)
})

/** A file of the host that the runtime user may write, to be mounted. */
function hostFile(name: string, text: string): string {
  const file = join(dir, name)
  writeFileSync(file, text)
  chownSync(file, 10_000, 10_000)
  return file
}

test('a file that is mounted by itself is written in place by everything that writes it', async () => {
  const config = hostFile('config.yaml', '# mine\ngateway:\n  restart: always\n')
  const auth = hostFile('auth.json', '{}')
  const desired = hostFile('desired_state', 'stopped\n')
  const state = hostFile('gateway_state.json', '{"kind":"x"}')
  const active = hostFile('active_profile', 'default\n')
  const files = { config, auth, desired, state, active }
  await using box = await startContainer({
    mounts: Object.values(files).map((file) => [file, `/opt/data/${file.slice(dir.length + 1)}`] as const),
  })
  await box.slot('gateway-default', ({ state: now }) => now === 'down')
  const read = (file: string): string => readFileSync(file, 'utf8')
  await box.ok('hermes', 'config', 'set', 'gateway.restart', 'never')
  expect(read(config)).toBe('# mine\ngateway:\n  restart: never\n')
  await box.ok('hermes', 'profile', 'create', 'coder')
  await box.ok('hermes', 'profile', 'use', 'coder')
  expect(read(active)).toBe('coder\n')
  await box.ok('hermes', '-p', 'default', 'gateway', 'start')
  expect(read(desired)).toBe('running\n')
  // In place: it may be read while it is written.
  const seen = await waitFor('the state to say running', () => {
    const now = JSON.parse(read(state))
    return now.gateway_state === 'running' && now
  })
  expect(seen).toMatchObject({ kind: 'x' })
  await box.ok('sh', '-c', 'echo sk-secret | hermes -p default login --name NEW_KEY')
  expect(JSON.parse(read(auth))).toMatchObject({ api_keys: { NEW_KEY: 'sk-secret' } })
  expect((await box.logs()).stderr).not.toMatch(/EBUSY|cannot write/)
})

test('a file that is mounted read-only is left alone, and one sentence says so', async () => {
  const config = hostFile('config.yaml', 'gateway:\n  restart: always\n')
  await using box = await startContainer({ mounts: [[config, '/opt/data/config.yaml', 'ro']] })
  await box.slot('gateway-default', ({ state }) => state === 'down')
  const { code, stderr } = await box.hermes('config', 'set', 'gateway.restart', 'never')
  expect(code).toBe(1)
  expect(stderr).toMatch(/^hermes: \/opt\/data\/config\.yaml cannot be written: .*read-only/)
  expect(stderr).not.toMatch(/bug|^\s+at /m)
  expect(readFileSync(config, 'utf8')).toBe('gateway:\n  restart: always\n')
})

test('a profile on a read-only mount is parked with the reason; missing files are not reported', async () => {
  const profile = join(dir, 'coder')
  mkdirSync(profile)
  chownSync(profile, 10_000, 10_000)
  writeFileSync(join(profile, 'desired_state'), 'running\n')
  await using box = await startContainer({ mounts: [[profile, '/opt/data/profiles/coder', 'ro']] })
  const { reason, restarts } = await box.slot('gateway-coder', ({ state }) => state === 'parked')
  expect(reason).toMatch(/\/opt\/data\/profiles\/coder cannot be written: .*read-only/)
  expect(restarts).toBe(0)
  const { stderr } = await box.logs()
  expect(stderr).not.toContain('cannot remove')
})

test('a profile that root makes while the container runs is given back when its gateway is started', async () => {
  await using box = await startContainer({ command: ['gateway', 'run'] })
  await box.up('gateway-default')
  // On the host, by sudo.
  mkdirSync(join(box.home, 'profiles', 'made'), { mode: 0o755 })
  writeFileSync(join(box.home, 'profiles', 'made', '.env'), 'A=1\n', { mode: 0o600 })
  await box.slot('gateway-made', ({ state }) => state === 'down')
  const { code, stdout, stderr } = await box.hermes('-p', 'made', 'gateway', 'start')
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: expect.stringContaining('gateway-made: up'), stderr: '' })
  expect(await box.ok('stat', '-c', '%U', '/opt/data/profiles/made', '/opt/data/profiles/made/.env')).toBe(
    'hermes\nhermes\n',
  )
})

test('where root cannot give it back, the slot is parked with the command that does', async () => {
  using home = keptHome()
  chownSync(home.path, 10_000, 10_000)
  await using box = await startContainer({ command: ['gateway', 'run'], user: '10000:10000', home: home.path })
  await box.slot('gateway-default', ({ state }) => state === 'up')
  mkdirSync(join(box.home, 'profiles', 'made'))
  await box.slot('gateway-made', ({ state }) => state === 'down')
  const { code, stderr } = await box.hermes('-p', 'made', 'gateway', 'start')
  expect(code).toBe(1)
  expect(stderr).toContain('/opt/data/profiles/made cannot be written: it belongs to 0:0')
  const { reason } = await box.slot('gateway-made', ({ state }) => state === 'parked')
  expect(reason).toContain('chown -R 10000:10000 /opt/data/profiles/made')
})

test('.env and auth.json that others may read are closed at boot and at each start, and that is logged', async () => {
  await using box = await startContainer({ command: ['gateway', 'run'] })
  await box.up('gateway-default')
  await box.ok('hermes', 'profile', 'create', 'coder')
  const files = ['.env', 'auth.json'].map((name) => `/opt/data/profiles/coder/${name}`)
  const open = (): Promise<string> =>
    box.ok('sh', '-c', 'cd /opt/data/profiles/coder && echo {} >auth.json && chmod -R 755 . && chown -R hermes: .')
  const modes = (): Promise<string> => box.ok('stat', '-c', '%a', ...files)
  await open()
  await box.ok('hermes', '-p', 'coder', 'gateway', 'start')
  expect(await modes()).toBe('600\n600\n')
  for (const file of files) await box.saw(`${file} was open to others (mode 0755); it is 0600 again`)
  await box.ok('hermes', '-p', 'coder', 'gateway', 'stop')
  await open()
  await box.docker('restart')
  await box.up('gateway-default')
  expect(await modes()).toBe('600\n600\n')
})
