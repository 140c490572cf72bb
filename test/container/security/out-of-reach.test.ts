// Out of the runtime user's reach, although it has the same uid: memory and descriptors of the supervisor and the
// dashboard, the supervisor's stored state, and the dashboard's secrets.
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Box, gatewayOf, lives, startContainer } from '../../support/container/container.ts'
import { askHttp, cookieHeader, pageToken } from '../../support/dashboard/dashboard.ts'
import { scratchDir } from '../../support/scratch.ts'
import { waitFor } from '../../support/wait.ts'

const asHermes = (box: Box, script: string) => box.exec(['sh', '-c', script], { user: 'hermes' })

/** The pid of a program of ours, by a word of its command line: a glob that does not match itself. */
const pidOf = async (box: Box, part: string, program = 'node'): Promise<number> => {
  const script = `for dir in /proc/[0-9]*; do case "$(tr '\\0' ' ' <$dir/cmdline 2>/dev/null)" in *${program}*${part}*) echo "\${dir#/proc/}";; esac; done`
  return Number((await box.ok('sh', '-c', script)).trim().split('\n')[0])
}
const pidOfMain = (box: Box): Promise<number> => pidOf(box, '100000[0]', 'sleep')
const supervisorOf = (box: Box): Promise<number> => pidOf(box, 'lib/supervisor[.]cjs')

/** Tries what a process may do to another one of its uid. One line for each: `NAME yes` or `NAME no`. */
const PROBE = `
const { openSync, readSync, readdirSync, readFileSync, closeSync, readlinkSync } = require('node:fs')
const pid = Number(process.argv[1])
const binding = { exports: {} }
process.dlopen(binding, '/opt/hermes/lib/koffi.node')
const libc = binding.exports.load(null)
const ptrace = libc.func('ptrace', 'long', ['long', 'int', 'long', 'long'])
const attempts = {
  environ: () => readFileSync('/proc/' + pid + '/environ').length > 0,
  mem: () => {
    const [range] = readFileSync('/proc/' + pid + '/maps', 'latin1').split(' ')
    const fd = openSync('/proc/' + pid + '/mem', 'r')
    return readSync(fd, Buffer.alloc(4), 0, 4, parseInt(range.split('-')[0], 16)) === 4
  },
  fd: () => readdirSync('/proc/' + pid + '/fd').length > 0,
  cwd: () => readlinkSync('/proc/' + pid + '/cwd') !== '',
  root: () => readdirSync('/proc/' + pid + '/root').length > 0,
  // PTRACE_SEIZE, which leaves it running; we end a moment later, and that detaches.
  trace: () => Number(ptrace(0x4206, pid, 0, 0)) === 0,
}
for (const [name, attempt] of Object.entries(attempts)) {
  let done = false
  try { done = attempt() } catch {}
  console.log(name, done ? 'yes' : 'no')
}
`
const probe = async (box: Box, pid: number): Promise<Readonly<Record<string, string>>> => {
  const { stdout, stderr } = await box.exec(['/usr/local/bin/node', '-e', PROBE, String(pid)], { user: 'hermes' })
  const found = Object.fromEntries(
    stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ') as [string, string]),
  )
  if (Object.keys(found).length !== 6) throw new Error(`${stdout}${stderr}`)
  return found
}
const NOTHING = { environ: 'no', mem: 'no', fd: 'no', cwd: 'no', root: 'no', trace: 'no' }
const EVERYTHING = { environ: 'yes', mem: 'yes', fd: 'yes', cwd: 'yes', root: 'yes', trace: 'yes' }

test('a process of the runtime user can look into another gateway but not into the supervisor, though both have its uid', async () => {
  await using box = await startContainer({ files: { 'config.yaml': lives(), desired_state: 'running\n' } })
  const { pid = 0 } = await box.up('gateway-default')
  expect(await probe(box, pid)).toEqual(EVERYTHING)
  const supervisor = await supervisorOf(box)
  expect(await box.ok('sed', '-n', 's/^Uid:\\t//p', `/proc/${supervisor}/status`)).toMatch(/^(10000\s){4}/)
  expect(await probe(box, supervisor)).toEqual(NOTHING)
  // Killed, it is replaced by one that is no more open, and the gateway has not noticed.
  await asHermes(box, `kill -KILL ${supervisor}`)
  const next = await waitFor('the next supervisor', async () => {
    const found = await supervisorOf(box)
    return found !== supervisor && found !== 0 && found
  })
  expect(await probe(box, next)).toEqual(NOTHING)
  expect(await box.up('gateway-default')).toMatchObject({ pid })
})

test('only root can read and write what the next supervisor believes about a slot', async () => {
  const dies = gatewayOf('/bin/sh', '-c', 'exit 78')
  await using box = await startContainer({ files: { 'config.yaml': dies, desired_state: 'running\n' } })
  await box.slot('gateway-default', (slot) => slot.state === 'parked')
  const { stdout } = await asHermes(
    box,
    'cd /run/hermes; cat slots/gateway-default; ls slots; echo {} >slots/gateway-default; rm -f slots/gateway-default; mv slots old; mkdir slots; ln -s /tmp slots; echo tried',
  )
  expect(stdout).toBe('tried\n')
  expect(await box.ok('stat', '-c', '%U %a', '/run/hermes/slots', '/run/hermes/slots/gateway-default')).toBe(
    'root 700\nroot 600\n',
  )
  const supervisor = await supervisorOf(box)
  await box.kill(supervisor)
  await waitFor('the next supervisor', async () => ![0, supervisor].includes(await supervisorOf(box)))
  expect(await box.slot('gateway-default', () => true)).toMatchObject({ state: 'parked' })
})

/** Ways to damage a state file: sh, with `$file`. */
const SPOILED: Readonly<Record<string, string>> = {
  fifo: 'rm $file; mkfifo $file',
  directory: 'rm $file; mkdir $file',
  link: 'ln -sf /proc/self/pagemap $file',
  empty: ': >$file',
  torn: 'head -c 100 $file >/tmp/torn; cat /tmp/torn >$file',
  'no-text': 'head -c 100000 /dev/zero >$file',
  'ten-gigabytes': 'truncate -s 10G $file',
  'no-policy': 'sed -i \'s/"policy":{[^}]*}/"policy":null/\' $file',
  'no-child': 'sed -i \'s/"child":{[^}]*}/"child":7/\' $file',
}

test('state files that are spoiled cost the other slots nothing, and are made anew', async () => {
  const names = Object.keys(SPOILED)
  const profiles = names.flatMap((name) => [
    [`profiles/${name}/config.yaml`, lives()],
    [`profiles/${name}/desired_state`, 'running\n'],
  ])
  await using box = await startContainer({
    files: { 'config.yaml': lives(), desired_state: 'running\n', ...Object.fromEntries(profiles) },
  })
  const pids = () =>
    waitFor(
      'all of them to be up',
      async () => {
        const { slots } = await box.status()
        const up = slots.filter(({ slot, state }) => slot.startsWith('gateway-') && state === 'up')
        if (up.length !== names.length + 1) throw new Error(JSON.stringify(slots))
        return up.map(({ slot, pid }) => `${slot} ${pid}`).sort()
      },
      { deadlineMs: 60_000 },
    )
  const before = await pids()
  const supervisor = await supervisorOf(box)
  const spoil = Object.entries(SPOILED).map(([name, script]) => `file=/run/hermes/slots/gateway-${name}; ${script}`)
  await box.ok('sh', '-c', [`kill -STOP ${supervisor}`, ...spoil, `kill -KILL ${supervisor}`].join('; '))
  for (const name of names) await box.saw(`cannot use the stored state of gateway-${name}: `)
  expect(await pids()).toEqual(before)
  for (const name of names) {
    await waitFor(`the state of ${name} to be written again`, async () => {
      const { stdout } = await box.exec(['cat', `/run/hermes/slots/gateway-${name}`])
      return stdout.includes('"state":"up"')
    })
  }
})

test('a supervisor that a gateway stops by a signal goes on within ten seconds', async () => {
  await using box = await startContainer({ files: { 'config.yaml': lives(), desired_state: 'running\n' } })
  await box.up('gateway-default')
  const supervisor = await supervisorOf(box)
  await asHermes(box, `kill -STOP ${supervisor}`)
  await box.saw(`the supervisor (pid ${supervisor}) was stopped by a signal; it is continued`, { deadlineMs: 10_000 })
  await box.up('gateway-default')
  expect(await supervisorOf(box)).toBe(supervisor)
})

test('no process of the runtime user can cripple what supervises it: neither by limits, nor by the modes of what both use', async () => {
  const files = {
    'config.yaml': `${lives()}  restart_delay: {first: 1ms, max: 10ms}\n`,
    desired_state: 'running\n',
  }
  const env = { ...DASHBOARD, HERMES_DASHBOARD_HOST: '127.0.0.1' }
  await using box = await startContainer({ files, env })
  const [{ pid = 0 }, dashboard] = [await box.up('gateway-default'), await box.up('dashboard')]
  const limits = (of: number | undefined) => asHermes(box, `prlimit --pid ${of} --nofile=0:0 && echo done`)
  for (const closed of [await supervisorOf(box), dashboard.pid])
    expect(await limits(closed)).toMatchObject({ stdout: '', stderr: expect.stringContaining('not permitted') })
  // It would be seen: of another gateway they can.
  expect((await limits(pid)).stdout).toBe('done\n')
  await asHermes(box, 'chmod 0 /run/hermes/control.sock /run/service/gateway-default /run/service')
  await asHermes(box, `kill -KILL ${pid}`)
  await box.slot('gateway-default', (slot) => slot.state === 'up' && slot.pid !== pid)
  // The log of a slot: the next supervisor reads it all the same.
  const supervisor = await supervisorOf(box)
  await asHermes(box, `chmod 0 /run/hermes/log/gateway-default; kill -KILL ${supervisor}`)
  await waitFor('the next supervisor', async () => ![0, supervisor].includes(await supervisorOf(box)))
  await box.up('gateway-default')
  expect((await box.logs()).stderr).not.toContain('the log of gateway-default cannot be read')
})

const SECRETS = {
  HERMES_DASHBOARD_BASIC_AUTH_PASSWORD: 'secret-password-1b7',
  HERMES_DASHBOARD_OAUTH_CLIENT_SECRET: 'secret-client-1b7',
  HERMES_METRICS_TOKEN: 'secret-token-1b7',
  HERMES_NODE_TOKEN: 'secret-of-nodes-1b7',
}
const DASHBOARD = {
  HERMES_DASHBOARD: '1',
  HERMES_DASHBOARD_BASIC_AUTH_USERNAME: 'me',
  ...SECRETS,
}
/** `docker exec` gives its own process the container's variables. */
const CLEAN = Object.fromEntries(Object.keys(SECRETS).map((name) => [name, '']))

/**
 * Files with one of the secrets, of those that this user may read: all of /run and the volume, what /proc says of every
 * process.
 */
async function findSecrets(box: Box, user: string): Promise<readonly string[]> {
  const script = [
    'for file in /proc/[0-9]*/environ /proc/[0-9]*/cmdline; do grep -qs "[s]ecret-.*-1b7" $file && echo $file; done',
    'grep -rslD skip "[s]ecret-.*-1b7" /run /opt/data /tmp /var/lib /etc 2>/dev/null',
    'true',
  ].join('; ')
  const { stdout } = await box.exec(['sh', '-c', script], { user, env: CLEAN })
  return stdout.split('\n').filter(Boolean).sort()
}

const logIn = async (port: number, given: string = SECRETS.HERMES_DASHBOARD_BASIC_AUTH_PASSWORD) =>
  askHttp(port, '/auth/password-login', {
    method: 'POST',
    json: { username: 'me', password: given },
    headers: { Origin: `http://127.0.0.1:${port}` },
  })
const isSignedIn = async (port: number, cookie: string): Promise<boolean> =>
  (await askHttp(port, '/api/auth/me', { headers: { cookie } })).code === 200
async function logOut(port: number, cookie: string): Promise<void> {
  const html = (await askHttp(port, '/', { headers: { cookie } })).body
  const headers = { cookie, Origin: `http://127.0.0.1:${port}`, 'X-Hermes-Token': pageToken(html) }
  expect((await askHttp(port, '/auth/logout', { method: 'POST', json: {}, headers })).code).toBeLessThan(400)
}

test('the secrets of the dashboard are in its memory, which no process of the runtime user can read, and nowhere else', async () => {
  await using box = await startContainer({
    files: { 'config.yaml': lives(), desired_state: 'running\n' },
    env: DASHBOARD,
    command: ['sleep', '1000000'],
    publish: 9119,
  })
  const { pid = 0 } = await box.up('dashboard')
  const gateway = await box.up('gateway-default')
  await waitFor('the main program', () => pidOfMain(box))
  for (const user of ['10000', '65534']) expect(await findSecrets(box, user)).toEqual([])
  const { stdout: environment } = await asHermes(box, `tr '\\0' '\\n' </proc/${gateway.pid}/environ`)
  expect(environment).toContain('HERMES_PROFILE=')
  expect(environment).not.toMatch(/HERMES_DASHBOARD_|HERMES_METRICS|HERMES_NODE_TOKEN/)
  // They would be found: PID 1 was given them, and root may see that.
  // The engine gives its health check the variables, too, for the moment that it takes.
  await waitFor('PID 1 alone to have them', async () => (await findSecrets(box, '0')).join() === '/proc/1/environ')
  expect(await probe(box, pid)).toEqual(NOTHING)
  expect(await box.ok('sed', '-n', 's/^Uid:\\t//p', `/proc/${pid}/status`)).toMatch(/^(10000\s){4}/)
  // It has them all the same.
  const port = await box.port(9119)
  expect((await logIn(port)).code).toBe(200)
  const scrape = { headers: { authorization: `Bearer ${SECRETS.HERMES_METRICS_TOKEN}` } }
  expect((await askHttp(port, '/api/metrics', scrape)).code).toBe(200)
  const node = { headers: { authorization: `Bearer ${SECRETS.HERMES_NODE_TOKEN}` } }
  expect((await askHttp(port, '/api/node/gateways', node)).code).toBe(200)
})

test('sessions outlive a restart of the container, log-outs too, and what they hang on is root’s alone', async () => {
  await using box = await startContainer({ env: DASHBOARD, publish: 9119 })
  await box.up('dashboard')
  let port = await box.port(9119)
  const [stays, leaves] = [cookieHeader((await logIn(port)).cookies()), cookieHeader((await logIn(port)).cookies())]
  await logOut(port, leaves)
  await box.docker('restart')
  await box.up('dashboard')
  port = await box.port(9119)
  expect([await isSignedIn(port, stays), await isSignedIn(port, leaves)]).toEqual([true, false])
  const dir = '/var/lib/hermes-dashboard'
  expect(await box.ok('stat', '-c', '%U %a', dir, `${dir}/key`, `${dir}/ended`)).toBe('root 700\nroot 600\nroot 600\n')
  expect((await asHermes(box, `cat ${dir}/key; ls ${dir}; rm -rf ${dir}; mv ${dir} /tmp/x`)).stdout).toBe('')
  expect(await box.ok('ls', '/opt/data')).not.toContain('dashboard.')
})

test('an ended session stays ended over restarts of the container, behind twenty thousand others that were ended', async () => {
  await using box = await startContainer({ env: DASHBOARD, publish: 9119 })
  const restarted = async (): Promise<number> => {
    await box.docker('restart')
    await box.up('dashboard')
    return box.port(9119)
  }
  await box.up('dashboard')
  let port = await box.port(9119)
  const signIn = async (): Promise<string> => cookieHeader((await logIn(port)).cookies())
  const [first, last, stays] = [await signIn(), await signIn(), await signIn()]
  await logOut(port, first)
  // As so many log-outs would leave them: these sessions are over in an hour, before ours.
  const others = `seq -f "other-session-%010.0f ${Date.now() + 3_600_000}" 19999 >>/var/lib/hermes-dashboard/ended`
  await box.ok('sh', '-ec', others)
  port = await restarted()
  expect([await isSignedIn(port, first), await isSignedIn(port, last)]).toEqual([false, true])
  await logOut(port, last)
  await box.saw('more than 20000 sessions were ended')
  port = await restarted()
  const signedIn = await Promise.all([first, last, stays].map((cookie) => isSignedIn(port, cookie)))
  expect(signedIn).toEqual([false, false, true])
})

test('a dashboard that is the main program gets its secrets the same way', async () => {
  await using box = await startContainer({
    env: DASHBOARD,
    command: ['dashboard', '--host', '0.0.0.0'],
    publish: 9119,
  })
  await box.saw('dashboard on http://0.0.0.0:9119')
  const port = await box.port(9119)
  expect((await logIn(port)).code).toBe(200)
  for (const user of ['10000', '65534']) expect(await findSecrets(box, user)).toEqual([])
  expect(await probe(box, await pidOf(box, 'lib/hermes[.]cjs*dashboard'))).toEqual(NOTHING)
})

test('a secret in config.yaml or .env, which gateways can write, grants no access, and is named with the variable to set', async () => {
  await using box = await startContainer({
    files: {
      'config.yaml': `${lives()}dashboard:\n  basic_auth_username: me\n  basic_auth_password: planted\n  allowed_users: me, you\n`,
      '.env': 'HERMES_DASHBOARD_INSECURE=1\nHERMES_METRICS_TOKEN=planted\n',
    },
    env: { HERMES_DASHBOARD: '1', HERMES_DASHBOARD_OAUTH_CLIENT_ID: 'x' },
    publish: 9119,
  })
  await box.up('dashboard')
  await box.saw(
    /dashboard\.basic_auth_password is refused, every gateway can write it; set HERMES_DASHBOARD_BASIC_AUTH_PASSWORD/,
  )
  await box.saw(/HERMES_DASHBOARD_INSECURE, HERMES_METRICS_TOKEN is refused/)
  await box.saw(/config\.yaml decides dashboard\.basic_auth_username, dashboard\.allowed_users/)
  const port = await box.port(9119)
  expect((await logIn(port, 'planted')).code).toBeGreaterThanOrEqual(400)
  const scrape = { headers: { authorization: 'Bearer planted' } }
  expect((await askHttp(port, '/api/metrics', scrape)).code).toBe(401)
})

test('hermes writes no secret of the dashboard into the volume: each command refuses it, with the variable to set', async () => {
  await using box = await startContainer()
  await box.slot('gateway-default', ({ state }) => state === 'down')
  const before = { config: box.file('config.yaml'), env: box.file('.env') }
  const run = (script: string) => box.exec(['sh', '-c', script])
  const refused = (variable: string) => ({
    code: 2,
    stdout: '',
    stderr: expect.stringMatching(
      new RegExp(`^hermes: .* is refused in .*nothing was changed\n.*set ${variable} in the container's environment`),
    ),
  })
  for (const name of ['basic_auth_password', 'basic_auth_password_hash', 'oauth_client_secret']) {
    const variable = `HERMES_DASHBOARD_${name.toUpperCase()}`
    expect(await run(`hermes config set dashboard.${name} planted`)).toEqual(refused(variable))
    expect(await run(`hermes config set dashboard '{${name}: planted}'`)).toEqual(refused(variable))
    expect(await run(`echo 'dashboard: {${name}: planted}' | hermes config edit`)).toEqual(refused(variable))
    expect(await run(`echo planted | hermes env set ${variable}`)).toEqual(refused(variable))
  }
  expect(await run('echo planted | hermes env set HERMES_METRICS_TOKEN')).toEqual(refused('HERMES_METRICS_TOKEN'))
  expect({ config: box.file('config.yaml'), env: box.file('.env') }).toEqual(before)
  // An existing entry can be found and removed.
  await box.ok('sh', '-c', 'echo "dashboard: {basic_auth_password: planted}" >/opt/data/config.yaml')
  expect(await box.hermes('config', 'check')).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('dashboard.basic_auth_password is refused'),
  })
  await box.ok('hermes', 'config', 'set', 'dashboard.basic_auth_password', 'null')
  expect((await box.hermes('config', 'check')).code).toBe(0)
})

test('HERMES_DASHBOARD_KEY_FILE gives the key from outside: sessions are good in the next container, too', async () => {
  const dir = scratchDir('hermes-key-')
  const file = join(dir, 'key')
  writeFileSync(file, `${randomBytes(32).toString('base64')}\n`, { mode: 0o400 })
  const options = {
    env: { ...DASHBOARD, HERMES_DASHBOARD_KEY_FILE: '/run/secrets/key' },
    mounts: [[file, '/run/secrets/key', 'ro']] as const,
    publish: 9119,
  }
  let cookie = ''
  {
    await using first = await startContainer(options)
    await first.up('dashboard')
    cookie = cookieHeader((await logIn(await first.port(9119))).cookies())
  }
  {
    await using second = await startContainer(options)
    await second.up('dashboard')
    expect(await isSignedIn(await second.port(9119), cookie)).toBe(true)
  }
  writeFileSync(`${file}2`, 'too short')
  await using third = await startContainer({ ...options, mounts: [[`${file}2`, '/run/secrets/key', 'ro']] })
  const { reason } = await third.slot('dashboard', (slot) => slot.state === 'parked')
  expect(reason).toContain('HERMES_DASHBOARD_KEY_FILE=/run/secrets/key: expected 32 bytes in base64')
})

const PRIVILEGES = 'grep -E "^(NoNewPrivs|CapBnd)" /proc/self/status'
const SUID = 'cp /usr/bin/id /usr/local/bin/suid-id && chmod 4755 /usr/local/bin/suid-id'
const RESTRICTED = 'CapBnd:\t0000000000000000\nNoNewPrivs:\t1\n'

test.each([
  ['nothing, and the bounding set is empty', {}, { privileges: RESTRICTED, euid: '10000' }],
  [
    'root, where HERMES_ALLOW_NEW_PRIVS=1 says so',
    { HERMES_ALLOW_NEW_PRIVS: '1' },
    { privileges: expect.stringMatching(/CapBnd:\t0*[1-9a-f]\S*\nNoNewPrivs:\t0\n/), euid: '0' },
  ],
])('a setuid program of the image gives gateways and the main program %s', async (_, env, expected) => {
  const script = `${PRIVILEGES} >/opt/data/$WHO.status; suid-id -u >/opt/data/$WHO.euid; exec sleep 1000000`
  const files = {
    'config.yaml': gatewayOf('/bin/sh', '-c', `WHO=gateway; ${script}`),
    desired_state: 'running\n',
  }
  await using box = await startContainer({
    files,
    env,
    // Before init drops anything: an image that has such a program.
    entrypoint: ['sh', '-c', `${SUID}; exec /init "$@"`, 'sh'],
    command: ['sh', '-c', `WHO=main; ${script}`],
  })
  for (const who of ['gateway', 'main']) {
    await waitFor(`${who} to have tried`, () => (box.file(`${who}.euid`) ?? '') !== '')
    expect({ privileges: box.file(`${who}.status`), euid: box.file(`${who}.euid`)?.trim() }).toEqual(expected)
  }
  const supervisor = await supervisorOf(box)
  expect(await box.ok('grep', '-E', '^(NoNewPrivs|CapBnd)', `/proc/${supervisor}/status`)).toBe(RESTRICTED)
  // Also threads that it had before it gave root up.
  const ofThreads = await box.ok('sh', '-c', `grep -h ^NoNewPrivs /proc/${supervisor}/task/*/status | sort -u`)
  expect(ofThreads).toBe('NoNewPrivs:\t1\n')
})

test('without CAP_SETPCAP the bounding set stays as the container has it, which a line says once', async () => {
  await using box = await startContainer({
    files: {
      'config.yaml': gatewayOf('/bin/sh', '-c', `${PRIVILEGES}; exec sleep 1000000`),
      desired_state: 'running\n',
    },
    capDrop: ['SETPCAP'],
  })
  await box.saw('NoNewPrivs:\t1')
  const { stdout, stderr } = await box.logs()
  expect(stdout).not.toContain('CapBnd:\t0000000000000000')
  expect(stderr.split('CAP_SETPCAP is missing')).toHaveLength(2)
})
