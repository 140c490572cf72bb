// Walls between profiles: one container with two walled profiles and one that is not, in which one of the walled ones
// is hostile. Each line is one thing that it tries; each is tried from another user first, for whom it works.
import { expect, test } from 'vitest'
import { type Box, keptHome, startContainer } from '../../support/container/container.ts'
import { waitFor } from '../../support/wait.ts'

const RANGE = '20000-20009'
const config = (more = ''): string =>
  `gateway:\n${more}  command: [/bin/sh, -c, "echo alive; echo $TOKEN >sessions/seen; exec sleep 1000000"]\n`
const own = '  user: own\n'
const HOSTILE = '/opt/data/profiles/hostile'

/** The profile's files besides its settings. */
const files = (name: string): Readonly<Record<string, string>> => ({
  [`profiles/${name}/.env`]: `TOKEN=of-${name}\n`,
  [`profiles/${name}/auth.json`]: '{"api_keys":{}}\n',
  [`profiles/${name}/sessions/talk`]: `talk of ${name}\n`,
  [`profiles/${name}/desired_state`]: 'running\n',
})

/**
 * Attempts of a hostile profile against the victim and the files that it trusts: names, and sh texts that succeed if
 * they work.
 */
const attempts = (victim: string, pid: number, supervisor: number): Readonly<Record<string, string>> => {
  const dir = `/opt/data/profiles/${victim}`
  return {
    'read .env': `cat ${dir}/.env`,
    'read auth.json': `cat ${dir}/auth.json`,
    'read a session': `cat ${dir}/sessions/talk`,
    'list its directory': `ls ${dir}/`,
    'read config.yaml': `cat ${dir}/config.yaml`,
    'read its log': `cat /opt/data/logs/gateways/${victim}/current`,
    'list its logs': `ls /opt/data/logs/gateways/${victim}/`,
    'read its log as it is written': `dd if=/run/hermes/log/gateway-${victim} iflag=nonblock count=0`,
    'write into its log': `dd of=/run/hermes/log/gateway-${victim} oflag=nonblock count=0 if=/dev/null conv=notrunc`,
    'read its script': `cat /run/service/gateway-${victim}/run`,
    'read its environment': `cat /proc/${pid}/environ`,
    'look at its open files': `ls /proc/${pid}/fd/`,
    'enter its working directory': `cd /proc/${pid}/cwd/`,
    'read its memory': `dd if=/proc/${pid}/mem count=0`,
    'look at its limits': `prlimit --pid ${pid} --nofile`,
    'change its priority': `renice -n 0 -p ${pid}`,
    'signal it': `kill -0 ${pid}`,
    'signal the supervisor': `kill -0 ${supervisor}`,
    'signal init': 'kill -0 1',
    'write its config.yaml': `: >>${dir}/config.yaml`,
    'write its desired state': `: >>${dir}/desired_state`,
    'make a file in its directory': `: >${dir}/new-by-other && rm ${dir}/new-by-other`,
    'put a link in its directory': `ln -s /etc/passwd ${dir}/link-by-other && rm ${dir}/link-by-other`,
    'keep its config.yaml under a second name': `ln ${dir}/config.yaml ${HOSTILE}/second && rm ${HOSTILE}/second`,
    'get the group of hermes from a program': `cp /usr/bin/id ${HOSTILE}/id && chmod 2755 ${HOSTILE}/id && ${HOSTILE}/id -g | grep -x 10000`,
    'make a profile': 'mkdir /opt/data/profiles/made-by-other && rmdir /opt/data/profiles/made-by-other',
    'make a file at the top of the volume': ': >/opt/data/made-by-other && rm /opt/data/made-by-other',
    'read the record of the walls': 'cat /opt/data/walls.json',
    'write the record of the walls': ': >>/opt/data/walls.json',
    'write what root trusts': ': >>/run/hermes/walls',
    'read the prompt of the default profile': 'cat /opt/data/SOUL.md',
    'read the logs of the supervisor': 'cat /opt/data/logs/supervisor.log',
    'read a secret of the container': 'cat /run/s6/container_environment/API_SERVER_KEY',
    'read the board': 'hermes kanban list',
    'command the slots': `: >>/run/service/gateway-${victim}/supervise/control`,
    'ask the supervisor': 'hermes status',
    'change the slots': `: >/run/service/gateway-${victim}/by-other && rm /run/service/gateway-${victim}/by-other`,
  }
}

/** Runs as this user, with no rights besides, as init starts a walled gateway. */
const asUid = (box: Box, uid: number, script: string) =>
  box.exec([
    'setpriv',
    '--reuid',
    `${uid}`,
    '--regid',
    `${uid}`,
    '--clear-groups',
    '--no-new-privs',
    '--bounding-set=-all',
    'sh',
    '-c',
    script,
  ])

const uidsOf = async (box: Box): Promise<Readonly<Record<string, number>>> =>
  JSON.parse(await box.ok('cat', '/run/hermes/walls')) as Record<string, number>

/** @param uid undefined: root with all rights of the container */
async function succeeding(
  box: Box,
  uid: number | undefined,
  tried: Readonly<Record<string, string>>,
): Promise<string[]> {
  const script = Object.entries(tried).map(([name, text]) => `(${text}) >/dev/null 2>&1 && echo '${name}'`)
  const text = `${script.join('\n')}\nexit 0`
  const { code, stdout } = await (uid === undefined ? box.exec(['sh', '-c', text]) : asUid(box, uid, text))
  expect(code).toBe(0)
  return stdout.split('\n').slice(0, -1)
}

const ownerOf = async (box: Box, ...paths: readonly string[]): Promise<string[]> =>
  (await box.ok('sh', '-c', `cd /opt/data/profiles && stat -c '%n %u:%g %a' ${paths.join(' ')}`))
    .split('\n')
    .slice(0, -1)

/** A start that must not happen: the supervisor has tried, and its status has the reason. */
const refusedStart = (box: Box, name: string, why: string) =>
  box.slot(
    `gateway-${name}`,
    ({ state, reason }) => state !== 'up' && state !== 'starting' && reason?.includes(why) === true,
  )

test('a hostile profile behind a wall gets at nothing of others, and its wall stays', {
  timeout: 600_000,
}, async () => {
  using home = keptHome()
  await using box = await startContainer({
    home: home.path,
    env: { HERMES_PROFILE_UIDS: RANGE, API_SERVER_KEY: 'k'.repeat(40) },
    files: {
      ...files('hostile'),
      'profiles/hostile/config.yaml': config(own),
      ...files('victim'),
      'profiles/victim/config.yaml': config(own),
      ...files('plain'),
      'profiles/plain/config.yaml': config(),
    },
  })
  const names = ['victim', 'plain', 'hostile']
  const [victim, plain, hostile] = await Promise.all(names.map((name) => box.up(`gateway-${name}`)))
  const { hostile: enemy = 0, victim: other = 0, ...more } = await uidsOf(box)
  expect(more).toEqual({})
  expect([enemy, other].sort()).toEqual([20_000, 20_001])

  // Its own user, no other group, nothing to gain; and it has the content of its .env.
  const status = await box.ok('cat', `/proc/${hostile?.pid}/status`)
  const field = (name: string): string => new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*$`, 'm').exec(status)?.[1] ?? ''
  expect(field('Uid').split('\t')).toEqual(Array(4).fill(`${enemy}`))
  expect(field('Gid').split('\t')).toEqual(Array(4).fill(`${enemy}`))
  expect(['Groups', 'NoNewPrivs', 'CapBnd', 'CapEff'].map(field)).toEqual(['', '1', '0'.repeat(16), '0'.repeat(16)])
  const environment = await asUid(box, enemy, `tr '\\0' '\\n' </proc/${hostile?.pid}/environ`)
  expect(environment.stdout).toContain('HERMES_PROFILE=hostile')
  expect(environment.stdout).not.toContain('kkkk')
  const seen = `${HOSTILE}/sessions/seen`
  await waitFor('the gateway to have read its .env', async () => expect(await box.ok('cat', seen)).toBe('of-hostile\n'))
  expect(await ownerOf(box, 'victim', 'victim/.env', 'victim/auth.json', 'victim/sessions', 'plain')).toEqual([
    `victim ${other}:10000 2770`,
    `victim/.env ${other}:10000 600`,
    `victim/auth.json ${other}:10000 600`,
    `victim/sessions ${other}:10000 700`,
    'plain 10000:10000 750',
  ])

  const supervisor = Number(/pid (\d+)/.exec(await box.ok('cat', '/run/hermes/health'))?.[1])
  for (const [name, pid, uid] of [
    ['victim', victim?.pid, other],
    ['plain', plain?.pid, 10_000],
  ] as const) {
    const tried = attempts(name, pid ?? 0, supervisor)
    // Each of them works for those who may: root, or the user of the process.
    const may = new Set([...(await succeeding(box, undefined, tried)), ...(await succeeding(box, uid, tried))])
    expect(Object.keys(tried).filter((one) => !may.has(one))).toEqual([])
    expect({ name, done: await succeeding(box, enemy, tried) }).toEqual({ name, done: [] })
  }

  // It works on its own files itself.
  for (const command of ['config get gateway.user', 'config set agent.command "[echo, hi]"', 'env', 'env unset NONE'])
    expect(await asUid(box, enemy, `HERMES_PROFILE=hostile hermes ${command}`)).toMatchObject({ code: 0, stderr: '' })

  // Root becomes the profile's user; the runtime user is refused, also what would change its files.
  expect(await box.ok('hermes', '-p', 'hostile', 'env')).toContain('TOKEN=****')
  const asHermes = await box.exec(['hermes', '-p', 'hostile', 'env', 'unset', 'TOKEN'], { user: 'hermes' })
  expect(asHermes).toMatchObject({ code: 1, stderr: expect.stringContaining(`only its own user (uid ${enemy})`) })
  expect(await box.hermes('profile', 'rename', 'hostile', 'friend')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('is walled'),
  })
  expect((await box.hermes('doctor')).stdout).toMatch(/profile plain is not walled/)

  // Its settings become those of another, or name less of a wall: neither counts.
  await asUid(box, enemy, `cd ${HOSTILE} && rm config.yaml && ln -s ../victim/config.yaml config.yaml`)
  await box.hermes('-p', 'hostile', 'gateway', 'restart')
  expect(await box.ok('cat', '/run/service/gateway-hostile/run')).not.toContain('of-victim')
  expect(await box.ok('cat', '/run/service/gateway-hostile/run')).not.toContain('echo alive')
  const lesser = 'gateway: {essential: true, command: [/bin/sh, -c, exec sleep 1000000]}'
  await asUid(box, enemy, `cd ${HOSTILE} && rm config.yaml && echo '${lesser}' >config.yaml && chmod 644 config.yaml`)
  await box.ok('hermes', '-p', 'hostile', 'gateway', 'restart')
  const again = await box.up('gateway-hostile')
  expect(await box.ok('stat', '-c', '%u', `/proc/${again.pid}`)).toBe(`${enemy}\n`)

  // A record that others could have written counts for nothing, and still none of them starts as another user.
  await box.ok('chmod', '644', '/opt/data/walls.json')
  await box.docker('restart')
  await box.up('gateway-plain')
  await refusedStart(box, 'hostile', 'it is open to others')
  expect(await ownerOf(box, 'hostile', 'hostile/.env')).toEqual([
    `hostile ${enemy}:10000 2770`,
    `hostile/.env ${enemy}:10000 600`,
  ])

  await box.ok('chmod', '600', '/opt/data/walls.json')
  await box.docker('restart')
  await box.up('gateway-hostile')
  expect(await uidsOf(box)).toEqual({ hostile: enemy, victim: other })

  expect(
    await box.exec(['hermes', 'profile', 'wall', 'victim', '--off'], { env: { HERMES_SUPERVISED: '1' } }),
  ).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('this is a program in a slot'),
  })
  expect(await box.ok('hermes', 'profile', 'wall', 'victim', '--off')).toContain('is not walled any more')
  expect(await ownerOf(box, 'victim', 'victim/.env')).toEqual(['victim 10000:10000 750', 'victim/.env 10000:10000 600'])
  expect(await uidsOf(box)).toEqual({ hostile: enemy })
  await box.ok('hermes', '-p', 'victim', 'gateway', 'start')
  const free = await box.up('gateway-victim')
  expect(await box.ok('stat', '-c', '%u', `/proc/${free.pid}`)).toBe('10000\n')
})
