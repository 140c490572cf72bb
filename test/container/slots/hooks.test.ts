import { chmodSync, chownSync, lchownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { BoxOptions } from '../../support/container/blueprint.ts'
import { type Box, gatewayOf, keptHome, startContainer } from '../../support/container/container.ts'
import { scratchDir } from '../../support/scratch.ts'
import { waitFor } from '../../support/wait.ts'

interface Hooks {
  readonly init?: Readonly<Record<string, string>>
  readonly finish?: Readonly<Record<string, string>>
  /** Names that lack the executable bit. */
  readonly plain?: readonly string[]
}

/** A container whose hook directories hold these files. */
async function withHooks(
  { init = {}, finish = {}, plain = [] }: Hooks,
  options: BoxOptions = {},
): Promise<Box & AsyncDisposable> {
  const dir = mkdtempSync(join(tmpdir(), 'hermes-hooks-'))
  chmodSync(dir, 0o755)
  const mounts = [init, finish].map((scripts, index) => {
    const name = index === 0 ? 'cont-init.d' : 'cont-finish.d'
    const host = mkdtempSync(join(dir, `${name}-`))
    chmodSync(host, 0o755)
    for (const [script, text] of Object.entries(scripts)) {
      writeFileSync(join(host, script), text)
      chmodSync(join(host, script), plain.includes(script) ? 0o644 : 0o755)
    }
    return [host, `/etc/${name}`, 'ro'] as const
  })
  const box = await startContainer({ ...options, mounts })
  const dispose = box[Symbol.asyncDispose].bind(box)
  return Object.assign(box, {
    [Symbol.asyncDispose]: async () => {
      await dispose()
      rmSync(dir, { recursive: true, force: true })
    },
  })
}

test('boot hooks run as root, in order, with the container’s environment, before the main program', async () => {
  const hook = (name: string): string => `#!/bin/sh\necho "${name} $(id -u) $MINE"\n`
  await using box = await withHooks(
    { init: { '20-b': hook('b'), '10-a': hook('a') } },
    { command: ['sh', '-c', 'echo main'], env: { MINE: 'seen' } },
  )
  expect(await box.exit()).toBe(0)
  const { stdout, stderr } = await box.logs()
  expect(`${stdout}${stderr}`).toMatch(/a 0 seen\n(.*\n)*b 0 seen/)
  expect(stdout).toMatch(/main\n$/)
})

test('a question about a slot that is asked while a hook runs is answered when the boot is over', async () => {
  await using box = await withHooks(
    { init: { slow: '#!/bin/sh\nuntil [ -e /run/go ]; do sleep 0.05; done\n' } },
    { command: ['gateway', 'run'], env: { HERMES_DASHBOARD: '1' } },
  )
  await waitFor('the supervisor to answer', async () =>
    (await box.exec(['hermes', 'status'])).stdout.includes('Phase: booting'),
  )
  const asked = [
    ['hermes', 'gateway', 'status'],
    ['hermes', 'dashboard', 'status'],
  ].map((argv) => box.exec(argv))
  // An answer that does not wait comes long before this.
  await box.exec(['sh', '-c', 'sleep 0.5; touch /run/go'], { user: 'root' })
  for (const { code, stdout, stderr } of await Promise.all(asked)) {
    expect(code, stderr).toBeLessThan(3)
    expect(stdout).toMatch(/^(gateway-default|dashboard)$/m)
  }
})

test('a command that writes, or that is about every slot, waits for the end of the boot', async () => {
  await using box = await withHooks(
    { init: { slow: '#!/bin/sh\nuntil [ -e /run/go ]; do sleep 0.05; done\n' } },
    { command: ['gateway', 'run'] },
  )
  await waitFor('the supervisor to answer', async () =>
    (await box.exec(['hermes', 'status'])).stdout.includes('Phase: booting'),
  )
  let isOver = false
  const asked = [
    ['hermes', 'profile', 'create', 'coder'],
    ['hermes', 'service', 'list'],
    ['hermes', 'gateway', 'start', '--all'],
  ].map(async (argv) => ({ ...(await box.exec(argv)), isEarly: !isOver }))
  await box.exec(['sleep', '0.5'])
  isOver = true
  await box.exec(['touch', '/run/go'], { user: 'root' })
  const [created, listed, started] = await Promise.all(asked)
  expect(created).toMatchObject({ code: 0, isEarly: false })
  expect(listed).toMatchObject({ code: 0, isEarly: false, stdout: 'this image defines no services\n' })
  expect(started).toMatchObject({ code: 0, isEarly: false, stdout: expect.stringContaining('gateway-default: ') })
})

test('a failing hook stops the container with its code and a line that names it', async () => {
  await using box = await withHooks(
    { init: { '10-bad': '#!/bin/sh\nexit 7\n', '20-next': '#!/bin/sh\necho next\n' } },
    { command: ['sh', '-c', 'echo main'] },
  )
  expect(await box.exit()).toBe(7)
  const { stdout, stderr } = await box.logs()
  expect(stderr).toContain('10-bad')
  expect(`${stdout}${stderr}`).not.toContain('next')
  expect(stdout).not.toContain('main')
})

test.each(['0', '1'])('with S6_BEHAVIOUR_IF_STAGE2_FAILS=%s the container goes on', async (behaviour) => {
  await using box = await withHooks(
    { init: { '10-bad': '#!/bin/sh\nexit 7\n', '20-next': '#!/bin/sh\necho next\n' } },
    { command: ['sh', '-c', 'echo main'], env: { S6_BEHAVIOUR_IF_STAGE2_FAILS: behaviour } },
  )
  expect(await box.exit()).toBe(0)
  const { stdout, stderr } = await box.logs()
  expect(`${stdout}${stderr}`).toContain('next')
  expect(stdout).toContain('main')
})

test('a hook that is not executable is named, and does not stop the boot unnoticed', async () => {
  await using box = await withHooks(
    { init: { '10-plain': '#!/bin/sh\necho ran\n' }, plain: ['10-plain'] },
    { command: ['sh', '-c', 'echo main'] },
  )
  await box.exit()
  const { stdout, stderr } = await box.logs()
  expect(stderr).toContain('10-plain')
  expect(`${stdout}${stderr}`).not.toContain('ran\n')
})

test('a hook that hangs is named, and docker stop still works', async () => {
  await using box = await withHooks({ init: { '10-hangs': '#!/bin/sh\nexec sleep 1000\n' } })
  await box.saw('10-hangs', { deadlineMs: 20_000 })
  // 137: the engine had to kill it, after ten seconds.
  expect((await box.stop()).code).not.toBe(137)
})

/** A program that shows who has run it. */
const EVIL = '#!/bin/sh\necho "evil ran as $(/usr/bin/id -u)"\n'
/** An image's PATH that begins with a directory of the runtime user's. */
const THEIR_PATH =
  '/opt/data/.local/bin:/opt/hermes/bin:/command:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** A volume in which the runtime user has put programs: one of its own, and some that scripts of root's call. */
function planted(): ReturnType<typeof keptHome> {
  const home = keptHome()
  const bin = join(home.path, '.local/bin')
  mkdirSync(bin, { recursive: true })
  for (const name of ['mytool', 'cat', 'env', 'getent', 'id', 'sh', 'setpriv', 'readlink'])
    writeFileSync(join(bin, name), EVIL, { mode: 0o755 })
  for (const path of [home.path, join(home.path, '.local'), bin]) chownSync(path, 10_000, 10_000)
  return home
}

test('root finds no program in a directory of the runtime user’s that PATH names: no hook does, nor with-contenv', async () => {
  using home = planted()
  const tries = 'mytool 2>/dev/null || echo "$1: no mytool for $(id -u)"'
  const hook = (name: string, interpreter: string): string => `#!${interpreter} sh\nset ${name}\n${tries}\n`
  await using box = await withHooks(
    {
      init: {
        '10-env': hook('10', '/usr/bin/env'),
        '20-contenv': hook('20', '/command/with-contenv'),
        // A hook may change PATH for all that follow, and root is still not fooled.
        '30-path': '#!/bin/sh\necho /opt/data/.local/bin:/usr/bin >/run/s6/container_environment/PATH\n',
        '40-contenv': hook('40', '/command/with-contenv'),
      },
      finish: { '10-bye': hook('bye', '/command/with-contenv') },
    },
    {
      home: home.path,
      entrypoint: ['/init'],
      command: ['/bin/sh', '-c', 'mytool; exec /bin/sleep 1000'],
      env: { PATH: THEIR_PATH },
    },
  )
  // The attack would be seen: the main program, the runtime user's, finds it.
  await box.saw('evil ran as 10000')
  const said = async (user: string, ...argv: string[]): Promise<string> => {
    const { stdout, stderr } = await box.exec(argv, { user })
    return `${stdout}${stderr}`
  }
  expect(await said('hermes', '/command/with-contenv', 'mytool')).toBe('evil ran as 10000\n')
  expect(await said('root', '/command/with-contenv', 'mytool')).toContain('No such file')
  expect(await said('root', '/command/with-contenv', 'id', '-u')).toBe('0\n')
  expect(await said('root', '/command/printcontenv', 'HERMES_HOME')).toBe('/opt/data\n')
  expect(await said('root', '/command/s6-setuidgid', 'hermes', '/usr/bin/id', '-u')).toBe('10000\n')
  expect(await said('root', '/opt/hermes/bin/hermes', 'status')).not.toContain('evil')
  await box.stop()
  const { stdout, stderr } = await box.logs()
  expect(`${stdout}${stderr}`).not.toContain('evil ran as 0')
  for (const name of ['10', '20', '40', 'bye']) expect(stdout).toContain(`${name}: no mytool for 0\n`)
})

test('with-contenv keeps the PATH it is called with; for root only what is root’s alone in it', async () => {
  await using box = await startContainer({ command: ['sleep', '1000'], env: { COLOUR: 'green' } })
  await waitFor('the boot', async () => (await box.exec(['test', '-s', '/run/hermes/root-path'])).code === 0)
  const tool = (dir: string, label: string) =>
    `mkdir -p ${dir} && printf '#!/bin/sh\\necho "${label} $COLOUR"\\n' >${dir}/h-tool && chmod 755 ${dir} ${dir}/h-tool`
  const lay = [
    tool('/opt/tools', 'good'),
    tool('/opt/open/bin', 'evil'),
    'chmod 777 /opt/open',
    'ln -s /opt/open/bin /opt/link',
  ]
  expect(await box.exec(['sh', '-c', lay.join(' && ')], { user: 'root' })).toMatchObject({ code: 0 })
  const said = async (user: string, path: string) =>
    (
      await box.exec(['sh', '-c', `PATH=${path}; export PATH; exec /command/with-contenv h-tool`], { user })
    ).stdout.trim()
  for (const user of ['root', 'hermes']) {
    expect(await said(user, '/opt/tools:/usr/bin:/bin')).toBe('good green')
    // Programs on the container's PATH that are not on the caller's are not found.
    expect(
      (await box.exec(['sh', '-c', 'PATH=/usr/bin; exec /command/with-contenv /usr/bin/printenv PATH'], { user }))
        .stdout,
    ).toBe('/usr/bin\n')
  }
  expect(await said('hermes', '/opt/open/bin:/usr/bin')).toBe('evil green')
  for (const path of ['/opt/open/bin', '/opt/link', 'opt/tools', '.'])
    expect(await said('root', `${path}:/usr/bin:/opt/tools`)).toBe('good green')
  expect(
    await box.exec(['sh', '-c', 'echo /opt/tools:/usr/bin:/bin >/run/s6/container_environment/PATH'], { user: 'root' }),
  ).toMatchObject({ code: 0 })
  expect(await said('hermes', '/usr/bin')).toBe('good green')
})

test('the container’s LD_PRELOAD is not obeyed by hooks and with-contenv of root', async () => {
  const hook = '#!/command/with-contenv sh\necho "preload [$LD_PRELOAD] mine [$MINE]"\n'
  await using box = await withHooks(
    { init: { '10-shows': hook, '20-plain': '#!/bin/sh\necho "plain [$LD_PRELOAD] mine [$MINE]"\n' } },
    { command: ['sh', '-c', 'echo "main [$LD_PRELOAD]"'], env: { LD_PRELOAD: '/opt/data/none.so', MINE: 'seen' } },
  )
  expect(await box.exit()).toBe(0)
  const { stdout } = await box.logs()
  expect(stdout).toContain('preload [] mine [seen]\n')
  expect(stdout).toContain('plain [] mine [seen]\n')
  expect(stdout).toContain('main [/opt/data/none.so]\n')
})

test.each([
  [
    'the hook',
    '#!/bin/sh\necho "evil ran as $(id -u)"\n',
    10_000,
    '/etc/cont-init.d/10-bad: it belongs to the runtime user',
  ],
  ['its interpreter', '#!/opt/data/.local/bin/mytool\n', 0, '/opt/data: it belongs to the runtime user'],
  ['what it is a link to', '', 0, '/opt/data: it belongs to the runtime user'],
])('a hook is not run as root when the runtime user can change %s', async (_, text, owner, why) => {
  using home = planted()
  const hooks = scratchDir('hermes-hooks-')
  chmodSync(hooks, 0o755)
  const file = join(hooks, '10-bad')
  if (text === '') symlinkSync('/opt/data/.local/bin/mytool', file)
  else writeFileSync(file, text, { mode: 0o755 })
  lchownSync(file, owner, 0)
  await using box = await startContainer({
    home: home.path,
    mounts: [[hooks, '/etc/cont-init.d']],
    command: ['sh', '-c', 'echo main'],
  })
  expect(await box.exit()).toBe(126)
  const { stdout, stderr } = await box.logs()
  expect(stderr).toContain(`/etc/cont-init.d/10-bad is not run as root: ${why} (uid 10000); chown root:root`)
  expect(stdout).not.toMatch(/evil|main/)
})

test('no user can change a read-only mount, whatever its modes are; a writable mount of the same files is another way in', async () => {
  // As kubelet lays out a ConfigMap.
  const map = scratchDir('hermes-map-')
  mkdirSync(join(map, '..1'), { mode: 0o755 })
  symlinkSync('..1', join(map, '..data'))
  symlinkSync('..data/10-hook', join(map, '10-hook'))
  writeFileSync(join(map, '..1', '10-hook'), '#!/bin/sh\necho "hook ran"\n', { mode: 0o755 })
  for (const dir of [map, join(map, '..1')]) chownSync(dir, 10_000, 10_000)
  chmodSync(map, 0o777)
  const boot = async (...more: readonly (readonly [string, string, ('ro' | 'rw')?])[]) => {
    await using box = await startContainer({ command: ['true'], mounts: [[map, '/etc/cont-init.d', 'ro'], ...more] })
    return { code: await box.exit(), ...(await box.logs()) }
  }
  expect(await boot()).toMatchObject({ code: 0, stdout: 'hook ran\n' })
  const other = await boot([map, '/elsewhere'])
  expect(other).toMatchObject({ code: 126, stdout: '' })
  expect(other.stderr).toContain('/etc/cont-init.d/10-hook is not run as root')
})

test('finish hooks run at the end, when everything else is gone', async () => {
  await using box = await withHooks(
    { finish: { '10-bye': '#!/bin/sh\necho "bye as $(id -u)"\n' } },
    { command: ['sh', '-c', 'echo main'] },
  )
  expect(await box.exit()).toBe(0)
  await box.saw('bye as 0')
})

test('hermes in a finish hook does not wait for the supervisor, which has ended', async () => {
  const asks = '#!/bin/sh\nhermes status; echo "status: $?"; hermes config set description bye; echo "config set: $?"\n'
  await using box = await withHooks({ finish: { '10-asks': asks } }, { command: ['sh', '-c', 'echo main'] })
  expect(await box.exit()).toBe(0)
  const { stdout, stderr } = await box.logs()
  expect(stdout).toContain('status: 4\n')
  expect(stdout).toContain('config set: 0\n')
  expect(stderr).toContain('hermes: Hermes is not running here (/opt/data)\n')
  expect(box.file('config.yaml')).toContain('description: bye')
})

test('hermes in a boot hook does not wait for the boot, which waits for the hook', async () => {
  const line = (name: string): string => `; echo "${name}: $?"; `
  const seeds = [
    '#!/command/with-contenv sh\nexec 2>&1; ',
    `hermes config set description seeded${line('config set')}`,
    `su - hermes -c "hermes profile create down"${line('create')}`,
    `hermes profile create coder --start${line('create and start')}`,
    `hermes gateway start${line('start')}`,
    `hermes gateway status${line('status')}`,
    `hermes service list${line('services')}`,
    `hermes status${line('all')}`,
  ].join('')
  await using box = await withHooks(
    // A wait of a command, the shortest of which is five seconds, would be named.
    { init: { '10-seeds': seeds } },
    { command: ['gateway', 'run'] },
  )
  await box.up('gateway-coder')
  await box.slot('gateway-down', (slot) => slot.state === 'down')
  const { stdout, stderr } = await box.logs()
  const said = `${stdout}${stderr}`
  expect(said).toContain('description is set')
  expect(said).toContain('config set: 0\n')
  expect(said).toContain('  the boot waits for this command; the slot appears when the boot is over\n')
  for (const name of ['create', 'create and start', 'all']) expect(said).toContain(`${name}: 0\n`)
  for (const name of ['start', 'status', 'services']) expect(said).toContain(`\n${name}: 5\n`)
  expect(said).toContain('hermes: the container is still booting, and its boot waits for this program\n  next: ')
  expect(said).not.toContain('has been running for')
})

test("the container's environment is there for hooks, slots and with-contenv, also what a hook dropped into the store", async () => {
  const hook = '#!/command/with-contenv sh\necho "hook $MINE"\nprintf "added\\n" >/run/s6/container_environment/ADDED\n'
  const gateway = gatewayOf('/bin/sh', '-c', 'echo "slot $MINE $ADDED"; exec sleep 1000')
  await using box = await withHooks(
    { init: { '10-env': hook } },
    { env: { MINE: 'two\nlines' }, files: { 'config.yaml': gateway, desired_state: 'running\n' } },
  )
  await box.saw('slot two')
  expect((await box.logs()).stdout).toContain('slot two\nlines added\n')
  expect(await box.ok('env', '-i', '/command/with-contenv', 'sh', '-c', 'echo "$MINE $ADDED"')).toBe(
    'two\nlines added\n',
  )
  expect(await box.ok('/command/printcontenv', 'ADDED')).toBe('added\n')
  for (const name of ['ABSENT', '../../passwd', '/etc/passwd', '../container_environment/ADDED'])
    expect(await box.exec(['/command/printcontenv', name])).toMatchObject({ code: 1, stdout: '' })
  expect(await box.ok('stat', '-c', '%a %u', '/run/s6/container_environment')).toBe('755 0\n')
})

test.each([['root'], ['hermes']])(
  '%s writes an exit code and calls halt, as for s6-overlay: the container ends with it',
  async (user) => {
    await using box = await startContainer({ command: ['sh', '-c', 'echo here I am; exec sleep 1000'] })
    await box.saw('here I am')
    await box.exec(['sh', '-c', 'echo 9 >/run/s6-linux-init-container-results/exitcode'], { user })
    await box.exec(['/run/s6/basedir/bin/halt'], { user })
    expect(await box.exit()).toBe(9)
  },
)

test('halt works from the first instruction of the main program on, also where the supervisor comes later', async () => {
  const says = 'echo 42 >/run/s6-linux-init-container-results/exitcode; /run/s6/basedir/bin/halt; exec sleep 1000'
  await using box = await startContainer({ command: ['sh', '-c', says] })
  expect(await box.exit()).toBe(42)
  // A hook that has become the runtime user halts the container before there is a supervisor.
  const early = '#!/bin/sh\ns6-setuidgid hermes /run/s6/basedir/bin/halt\n'
  await using other = await withHooks({ init: { '10-early': early } }, { command: ['sh', '-c', 'exec sleep 1000'] })
  expect(await other.exit()).toBe(0)
})

test.each([
  ['an interpreter that is not there', '#!/no/such/sh\n', 'the interpreter its first line names is not there'],
  ['CRLF', '#!/bin/sh\r\necho hello\r\n', 'its lines end in CRLF; save it with LF line ends: sed -i'],
  ['CRLF behind with-contenv', '#!/command/with-contenv sh\r\necho hello\r\n', 'its lines end in CRLF'],
])('a hook with %s says so', async (_, text, message) => {
  await using box = await withHooks({ init: { '10-bad': text } }, { command: ['true'] })
  expect(await box.exit()).toBe(126)
  expect((await box.logs()).stderr).toContain(`10-bad cannot be run: ${message}`)
})
