// Service trees as authors of s6-overlay images write them, unchanged, in images built on ours.
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { BoxOptions } from '../../support/container/blueprint.ts'
import {
  type Box,
  dockerCommand,
  freshHome,
  keptHome,
  lives,
  startContainer,
} from '../../support/container/container.ts'
import { testImage } from '../../support/container/image.ts'
import { type Etc, layEtc } from '../../support/supervisor/service-box.ts'
import {
  CRON,
  CRON_YAML,
  FAILING,
  FAILING_YAML,
  NGINX,
  NGINX_YAML,
  REDIS,
  REDIS_YAML,
  STAND_INS,
} from '../../support/supervisor/service-trees.ts'
import { waitFor } from '../../support/wait.ts'

/** Programs that root runs while PATH names a directory of the runtime user, in every form a service can have. */
const ROOTS: Etc = {
  'services.d/contenv/run': '#!/command/with-contenv sh\nmytool || echo no mytool for "$(id -u)"\nexec sleep 1000\n',
  'services.d/contenv/finish': '#!/command/with-contenv sh\nmytool || echo no mytool at the end\n',
  'services.d/plain/run': '#!/bin/sh\nmytool || echo no mytool for "$(id -u)"\nexec sleep 1000\n',
  'services.d/theirs/run': '#!/usr/bin/env mytool\n',
  's6-overlay/s6-rc.d/up/type': 'oneshot\n',
  's6-overlay/s6-rc.d/up/up': '/bin/sh /opt/data/.local/bin/mytool\n',
  'hermes/services.yaml': `services:
  yaml: {command: [/bin/sh, -c, 'mytool || echo no mytool for "$(id -u)"; exec sleep 1000']}
  named: {command: [mytool]}
  script:
    command: [/bin/sh, /opt/data/.local/bin/mytool]
  relative:
    command: [env, A=b, sh, mytool]
    directory: /opt/data/.local/bin
  not-there: {command: [sh, -e, /opt/data/comes-later.sh]}
  mine: {command: [sh, /opt/data/.local/bin/mytool], user: hermes}
`,
}
/** Loggers as log/run scripts start them, and a directory for them as cont-init scripts make it. */
const LOGGERS: Etc = {
  'cont-init.d/10-logs': '#!/bin/sh\nmkdir -p /var/log/web && chown nobody /var/log/web\n',
  'services.d/web/run': '#!/bin/sh\nexec 2>&1\necho "web: listening"\nexec sleep 1000\n',
  'services.d/web/log/run': '#!/bin/sh\nexec logutil-service /var/log/web\n',
  'services.d/own/run': '#!/bin/sh\necho "own: listening"\nexec sleep 1000\n',
  'services.d/own/log/run': '#!/bin/sh\nexec s6-setuidgid hermes s6-log -b n5 s100000 T 1 T /tmp/own-log\n',
  'services.d/shut/run': '#!/bin/sh\nexec sleep 1000\n',
  'services.d/shut/log/run': '#!/bin/sh\nexec logutil-service /var/log/shut\n',
}
const trees = {
  nginx: NGINX,
  'nginx-yaml': NGINX_YAML,
  redis: REDIS,
  'redis-yaml': REDIS_YAML,
  cron: CRON,
  'cron-yaml': CRON_YAML,
  failing: FAILING,
  'failing-yaml': FAILING_YAML,
  roots: ROOTS,
  loggers: LOGGERS,
}
type Tree = keyof typeof trees
const tagOf = (tree: Tree): string => `hermes-test-services-${tree}`

beforeAll(async () => {
  const base = await testImage()
  for (const tree of Object.keys(trees) as Tree[]) {
    const dir = mkdtempSync(join(tmpdir(), 'hermes-tree-'))
    try {
      layEtc(join(dir, 'etc'), trees[tree])
      layEtc(join(dir, 'bin'), STAND_INS)
      mkdirSync(join(dir, 'etc'), { recursive: true })
      chmodSync(dir, 0o755)
      writeFileSync(
        join(dir, 'Dockerfile'),
        `FROM ${base}\nCOPY --chown=root:root etc/ /etc/\nCOPY --chown=root:root bin/ /usr/local/bin/\n`,
      )
      const { code, stderr } = await dockerCommand(['build', '--tag', tagOf(tree), dir])
      if (code !== 0) throw new Error(`docker build: ${stderr}`)
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  }
}, 300_000)
afterAll(async () => {
  await dockerCommand(['image', 'rm', '--force', ...(Object.keys(trees) as Tree[]).map(tagOf)])
}, 400_000)

const start = (tree: Tree, options: BoxOptions = {}): Promise<Box> =>
  startContainer({
    image: tagOf(tree),
    files: { 'config.yaml': lives(), desired_state: 'running\n' },
    env: { APP: 'mine' },
    ...options,
  })
const order = async (box: Box, file = '/run/order'): Promise<string[]> =>
  (await box.exec(['cat', file])).stdout.split('\n').slice(0, -1)
/** A service without a readiness of its own is up before its program does anything: waits until it has noted these. */
const noted = (box: Box, lines: readonly string[], file?: string): Promise<true> =>
  waitFor('the notes', async () => {
    expect(await order(box, file)).toEqual(lines)
    return true as const
  })
/** Notes are in the container's own file system, which `docker cp` reads after its end. */
const orderAfterStop = async (box: Box, file = '/run/order'): Promise<string[]> => {
  const { stdout } = await dockerCommand(['cp', `${box.id}:${file}`, '-'])
  // A tar of one small file: its text stands between the header and the padding.
  return stdout.slice(512).replaceAll('\0', '').split('\n').slice(0, -1)
}

test.each<Tree>(['nginx', 'nginx-yaml'])(
  '%s: the oneshot runs before it, the logger gets its lines, and both stop in their order by the right signal',
  async (tree) => {
    const withLogger = tree === 'nginx'
    await using box = await start(tree)
    await box.up('service-svc-nginx')
    await box.slot('service-init-nginx', ({ state }) => state === 'done')
    if (withLogger) {
      await waitFor('the logger', async () => (await box.ok('cat', '/run/nginx-log/current')) === 'nginx: listening\n')
      // The logger's own lines are logged as those of any service.
      await box.saw('logged: nginx: listening')
      await waitFor('its file', () =>
        /^\S+Z logged: nginx: listening\n$/.test(box.file('logs/services/svc-nginx-log/current') ?? ''),
      )
    } else {
      await box.saw('nginx: listening')
      await waitFor('its file', () =>
        /^\S+Z nginx: listening\n$/.test(box.file('logs/services/svc-nginx/current') ?? ''),
      )
    }
    const once = ['init done', 'nginx starts as 0, APP=mine']
    await noted(box, once)
    const { pid } = await box.up('service-svc-nginx')
    expect((await box.hermes('service', 'restart', 'svc-nginx')).code).toBe(0)
    expect((await box.up('service-svc-nginx')).pid).not.toBe(pid)
    // Before that it has no handler for the signal that stops it.
    await noted(box, [...once, 'nginx stops', 'nginx starts as 0, APP=mine'])
    const { code } = await box.stop()
    expect(code).toBe(0)
    expect((await orderAfterStop(box)).slice(2)).toEqual([
      'nginx stops',
      'nginx starts as 0, APP=mine',
      'nginx stops',
      ...(withLogger ? ['logger saw the end'] : []),
    ])
    expect(box.file(`logs/services/svc-nginx${withLogger ? '-log' : ''}/current`)).toContain('nginx: bye\n')
  },
)

test.each<Tree>(['redis', 'redis-yaml'])(
  '%s: the worker starts when it is ready, and stops before it',
  async (tree) => {
    const file = tree === 'redis' ? '/run/order' : '/tmp/order'
    await using box = await start(tree, { command: ['sh', '-c', 'echo main >>/tmp/main; exec sleep 1000'] })
    await box.up('service-worker')
    const first = ['redis starts', 'redis is ready', 'worker starts']
    await noted(box, first, file)
    expect((await box.ok('stat', '-c', '%U', file)).trim()).toBe(tree === 'redis' ? 'root' : 'hermes')
    expect((await box.hermes('service', 'status', 'redis')).stdout).toContain('state      up')
    expect((await box.hermes('service', 'list')).stdout.split('\n').map((line) => line.split(/ +/)[0])).toEqual([
      'SLOT',
      'service-redis',
      'service-worker',
      '',
    ])
    // s6's own way, by the name s6 knows.
    expect((await box.exec(['/command/s6-svstat', '/run/service/redis'])).stdout).toMatch(/^up \(pid \d+/)
    expect((await box.hermes('service', 'stop', 'redis')).code).toBe(0)
    const stopped = [...first, 'worker stops', 'redis stops']
    await noted(box, stopped, file)
    expect((await box.hermes('service', 'start', 'worker')).code).toBe(0)
    // Before that it has no handler for the signal that stops it.
    await noted(box, [...stopped, ...first], file)
    expect((await box.hermes('service', 'restart', 'worker')).code).toBe(0)
    await noted(box, [...stopped, ...first, 'worker stops', 'worker starts'], file)
    await waitFor('its line', async () =>
      (await box.hermes('service', 'logs', 'worker')).stdout.includes('worker: connected'),
    )
    expect((await box.stop()).code).toBe(0)
    expect((await orderAfterStop(box, file)).slice(-2)).toEqual(['worker stops', 'redis stops'])
  },
)

test.each<Tree>(['cron', 'cron-yaml'])(
  '%s: a loop runs on, is started again when it is killed, and its lines are kept and shown',
  async (tree) => {
    await using box = await start(tree)
    const { pid } = await box.up('service-cron')
    await box.saw('tick')
    await box.kill(pid)
    await box.slot('service-cron', (slot) => slot.state === 'up' && slot.pid !== pid && slot.restarts === 1)
    await noted(box, ['cron starts with 1 argument: cron', 'cron starts with 1 argument: cron'])
    await waitFor('its line', async () =>
      /tick\n$/.test((await box.hermes('service', 'logs', 'cron', '-n', '1')).stdout),
    )
    expect((await box.stop()).code).toBe(0)
    expect((await orderAfterStop(box)).at(-1)).toBe('cron stops')
  },
)

test.each<Tree>(['failing', 'failing-yaml'])(
  '%s: a service whose finish exits 125 is parked and named; the rest goes on, and start tries it again',
  async (tree) => {
    const withLogger = tree === 'failing'
    await using box = await start(tree)
    const parked = await box.slot('service-failing', ({ state }) => state === 'parked')
    expect(parked.reason).toContain('125')
    if (withLogger) await box.up('service-failing-log')
    await box.up('gateway-default')
    expect((await box.status()).warnings.join('\n')).toContain('service-failing is parked')
    if (withLogger) await waitFor('its line', async () => (await order(box)).includes('logged failing: giving up'))
    else await waitFor('its line', () => box.file('logs/services/failing/current')?.includes('failing: giving up'))
    // Without a readiness of its own it counts as up while it runs, so what it was started for is seen afterwards.
    await box.hermes('service', 'start', 'failing')
    await waitFor(
      'a second end',
      async () => (await order(box)).filter((line) => line === 'failing finishes with 3 0 failing').length === 2,
    )
    await box.slot('service-failing', ({ state }) => state === 'parked')
    expect((await box.hermes('service', 'status', 'failing')).code).toBe(1)
    expect((await box.hermes('service', 'status', 'nothing')).code).toBe(3)
    const { code } = await box.stop()
    expect(code).toBe(0)
    expect((await orderAfterStop(box)).at(-1)).toBe(
      withLogger ? 'failing-log saw the end' : 'failing finishes with 3 0 failing',
    )
  },
)

test('root’s services run no program and no script of the runtime user’s, wherever PATH and arguments lead', async () => {
  using home = keptHome()
  const bin = join(home.path, '.local/bin')
  mkdirSync(bin, { recursive: true })
  writeFileSync(join(bin, 'mytool'), '#!/bin/sh\necho "evil ran as $(id -u)"\nexec sleep 1000\n', { mode: 0o755 })
  for (const path of [home.path, join(home.path, '.local'), bin]) chownSync(path, 10_000, 10_000)
  await using box = await start('roots', {
    home: home.path,
    files: {},
    env: { PATH: '/opt/data/.local/bin:/opt/hermes/bin:/command:/usr/local/bin:/usr/bin:/bin' },
  })
  // The attack would be seen: as the runtime user it runs.
  await box.saw('evil ran as 10000')
  for (const name of ['contenv', 'plain', 'yaml'])
    await waitFor(name, () => box.file(`logs/services/${name}/current`)?.includes('no mytool for 0'))
  const { slots, warnings } = await box.status()
  const services = slots.map(({ slot }) => slot).filter((slot) => slot.startsWith('service-'))
  expect(services).toEqual(['contenv', 'mine', 'plain', 'yaml'].map((name) => `service-${name}`))
  for (const name of ['script', 'relative', 'not-there'])
    expect(warnings.find((one) => one.startsWith(`service ${name} is left out`))).toMatch(
      /command: \/opt\/data\/.*: \/opt\/data: it belongs to uid 10000.*; let root run a script that only root can change/,
    )
  expect(warnings.join('\n')).toContain(
    'service named is left out: /etc/hermes/services.yaml, line 3, command: there is no program mytool',
  )
  expect(warnings.join('\n')).toMatch(/service theirs is left out: .*its interpreter mytool is not on PATH/)
  // A restart looks PATH up anew.
  await box.hermes('service', 'restart', 'contenv')
  await waitFor('its finish', () => box.file('logs/services/contenv/current')?.includes('no mytool at the end'))
  expect((await box.stop()).code).toBe(0)
  const { stdout, stderr } = await box.logs()
  expect(`${stdout}${stderr}`).not.toContain('evil ran as 0')
})

test('logutil-service and s6-log keep what a service writes, as s6-overlay’s log/run scripts call them', async () => {
  await using box = await start('loggers', { env: { S6_LOGGING_SCRIPT: 'n2 s5000 T' } })
  await waitFor('logutil-service', async () =>
    /^\S+Z web: listening\n$/.test((await box.exec(['cat', '/var/log/web/current'])).stdout),
  )
  expect(await box.ok('stat', '-c', '%U %a', '/var/log/web/current')).toBe('nobody 644\n')
  const { pid } = await box.up('service-web-log')
  const proc = `grep ^Groups: /proc/${pid}/status; tr '\\0' '\\n' </proc/${pid}/environ; tr '\\0' ' ' </proc/${pid}/cmdline`
  const { stdout } = await box.exec(['sh', '-c', proc], { user: '65534:65534' })
  // Nothing of the container's environment; the script is the container's.
  expect(stdout).toMatch(
    /^Groups:\t65534 \n(?:(?:PATH=\/usr\/bin:\/bin|PWD=\S*)\n)+\S+ .*s6-log\.cjs -b -- n2 s5000 T \/var\/log\/web $/,
  )
  await box.saw('own: listening')
  await waitFor('its file', async () => /^\S+Z own: listening\n$/.test(await box.ok('cat', '/tmp/own-log/current')))
  expect(await box.ok('stat', '-c', '%U', '/tmp/own-log/current')).toBe('hermes\n')
  await box.saw('s6-log: fatal: cannot write in /var/log/shut as uid 65534 (make it, and give it to that user')
  // It sees the end of its input, and the last line is kept.
  expect((await box.hermes('service', 'restart', 'web')).code).toBe(0)
  await waitFor('the second line', async () => (await box.ok('cat', '/var/log/web/current')).split('\n').length === 3)
  for (const args of [[], ['-f', 'x'], ['-x'], ['']])
    expect((await box.exec(['logutil-service', ...args])).code).toBe(100)
  // Debian's own goes first, where there is one.
  await box.ok('sh', '-c', 'printf "#!/bin/sh\\necho real \\$*\\n" >/usr/bin/s6-log && chmod 755 /usr/bin/s6-log')
  expect(await box.ok('s6-log', '!gzip', '/x')).toBe('real !gzip /x\n')
  expect(await box.ok('logutil-service', '/x')).toBe('real -b -- n2 s5000 T /x\n')
  expect((await box.stop()).code).toBe(0)
})

test('they run on a read-only root, and after docker restart', async () => {
  await using box = await start('nginx', { readOnly: true, tmpfs: { '/run': 'exec', '/tmp': '' } })
  await box.up('service-svc-nginx')
  await box.docker('restart')
  await box.up('service-svc-nginx')
  await waitFor('the second life', async () => (await order(box)).length === 2)
})

test('with --user they run as that user', async () => {
  const home = freshHome()
  chownSync(home, 10_000, 10_000)
  try {
    await using box = await start('redis-yaml', { user: '10000:10000', home, files: {} })
    await box.up('service-worker')
    await noted(box, ['redis starts', 'redis is ready', 'worker starts'], '/tmp/order')
    expect((await box.ok('stat', '-c', '%u', '/tmp/order')).trim()).toBe('10000')
    expect((await box.stop()).code).toBe(0)
    expect((await orderAfterStop(box, '/tmp/order')).slice(-2)).toEqual(['worker stops', 'redis stops'])
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
})
