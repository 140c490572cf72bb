// A container that is not root: `--user`, and root without CAP_CHOWN, which init treats alike.
import { chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { BoxOptions } from '../../support/container/blueprint.ts'
import { keptHome, lives, startContainer } from '../../support/container/container.ts'

const SECRET = 'a-neutral-secret-0123'
const DASHBOARD = {
  HERMES_DASHBOARD: '1',
  HERMES_DASHBOARD_BASIC_AUTH_USERNAME: 'me',
  HERMES_DASHBOARD_BASIC_AUTH_PASSWORD: 'a long neutral one',
}

/** A volume that belongs to `uid`, with a gateway that lives. */
function homeOf(uid: number) {
  const home = keptHome()
  writeFileSync(join(home.path, 'config.yaml'), lives())
  for (const path of [home.path, join(home.path, 'config.yaml')]) chownSync(path, uid, uid)
  return home
}

/** Every file of the volume that holds `text`. */
const filesWith = (home: string, text: string): string[] =>
  readdirSync(home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((path) => readFileSync(path, 'latin1').includes(text))

const WAYS: readonly (readonly [string, number, BoxOptions, string])[] = [
  ['--user 10000:10000', 10_000, { user: '10000:10000' }, '/run/hermes'],
  ['any uid with group 0', 4321, { user: '4321:0' }, '/run/hermes'],
  ['--cap-drop CHOWN', 10_000, { capDrop: ['CHOWN'] }, '/run/hermes'],
  [
    'a read-only root with a tmpfs on /run',
    10_000,
    { user: '10000:10000', readOnly: true, tmpfs: { '/run': 'uid=10000,gid=10000' } },
    '/run/hermes',
  ],
  ['--user 1234:1234, which may not write /run', 1234, { user: '1234:1234' }, '/dev/shm/'],
]

describe.each(WAYS)('%s', (_, uid, options, runDir) => {
  test('no file of the volume gets the environment of the container', async () => {
    using home = homeOf(uid)
    await using box = await startContainer({
      ...options,
      home: home.path,
      env: { MY_TOKEN: SECRET },
      command: ['gateway', 'run'],
    })
    await box.up('gateway-default')
    const dir = /HERMES_RUN_DIR=(.*)/.exec(await box.ok('hermes', 'env'))?.[1] ?? ''
    expect(dir).toContain(runDir)
    // By this every command sees that it need not wait for the boot.
    const [, startedAt] = /^(?:\S+ ){21}(\d+) /.exec(await box.ok('cat', '/proc/1/stat')) ?? []
    expect(await box.ok('cat', `${dir.split(' ')[0]}/begun`)).toBe(`${startedAt}\n`)
    // A control: there is an environment, and it is found where it lies.
    const store = runDir === '/run/hermes' ? '/run/s6/container_environment' : `${dir.split(' ')[0]}/environment`
    expect(await box.ok('cat', `${store}/MY_TOKEN`)).toBe(`${SECRET}\n`)
    expect(filesWith(home.path, SECRET)).toEqual([])
    expect((await box.stop()).code).toBe(0)
  })

  test('the dashboard listens on all addresses, as in every container', async () => {
    using home = homeOf(uid)
    await using box = await startContainer({ ...options, home: home.path, env: DASHBOARD })
    await box.up('dashboard')
    await box.saw('dashboard on http://0.0.0.0:9119')
  })

  test.skipIf(runDir !== '/run/hermes')("s6's tools find the slots in /run/service", async () => {
    using home = homeOf(uid)
    await using box = await startContainer({ ...options, home: home.path, command: ['gateway', 'run'] })
    await box.up('gateway-default')
    expect(await box.ok('/command/s6-svstat', '/run/service/gateway-default')).toMatch(/^up \(pid \d+/)
  })
})

test('the container environment that an earlier version left in the volume is removed at the next boot, and that is logged', async () => {
  using home = homeOf(10_000)
  const old = join(home.path, 'run')
  mkdirSync(join(old, 'environment'), { recursive: true })
  for (const [name, text] of [
    ['lock', ''],
    ['environment/MY_TOKEN', `${SECRET}\n`],
    ['main', `export MY_TOKEN='${SECRET}'\n`],
  ])
    writeFileSync(join(old, name as string), text as string)
  for (const path of ['', 'environment', 'lock', 'main']) chownSync(join(old, path), 10_000, 10_000)
  await using box = await startContainer({ home: home.path, user: '10000:10000' })
  await box.slot('gateway-default', () => true)
  expect(filesWith(home.path, SECRET)).toEqual([])
  await box.saw(
    "hermes: removed /opt/data/run: an earlier version kept the container's environment, secrets included, there",
  )
})

test("a directory run of the user's own stays", async () => {
  using home = homeOf(10_000)
  mkdirSync(join(home.path, 'run'))
  writeFileSync(join(home.path, 'run', 'mine'), 'mine\n')
  await using box = await startContainer({ home: home.path })
  await box.slot('gateway-default', () => true)
  expect(await box.ok('cat', '/opt/data/run/mine')).toBe('mine\n')
})
