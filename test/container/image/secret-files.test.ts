// Secrets as Docker and Swarm mount them: files of root's that only root may read.
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Box, keptHome, startContainer } from '../../support/container/container.ts'
import { askHttp } from '../../support/dashboard/dashboard.ts'
import { waitFor } from '../../support/wait.ts'

const PASSWORD = 'correct horse battery staple'
const TOKEN = 'scrape-me-0123456789'
const KEY = 'key-of-the-api-server'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'hermes-secrets-'))
  for (const [name, text] of [
    ['password', PASSWORD],
    ['token', TOKEN],
    ['key', KEY],
    ['node', 'of-all-nodes-0123456789'],
  ] as const) {
    writeFileSync(join(dir, name), `${text}\n`)
    chmodSync(join(dir, name), 0o400)
  }
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const secrets = (...names: readonly string[]) =>
  names.map((name) => [join(dir, name), `/run/secrets/${name}`, 'ro'] as const)

const BOOT = {
  HERMES_DASHBOARD: '1',
  HERMES_DASHBOARD_BASIC_AUTH_USERNAME: 'me',
  HERMES_DASHBOARD_BASIC_AUTH_PASSWORD_FILE: '/run/secrets/password',
  HERMES_METRICS_TOKEN_FILE: '/run/secrets/token',
  API_SERVER_ENABLED: '1',
  API_SERVER_KEY_FILE: '/run/secrets/key',
}

const listens = async (box: Box): Promise<number> => {
  const port = await box.port(9119)
  await waitFor('the dashboard to answer', async () => (await askHttp(port, '/api/status')).code === 200)
  return port
}

test('password, token and key in root’s files work, and no process of the runtime user can read the first two', async () => {
  await using box = await startContainer({
    env: BOOT,
    mounts: secrets('password', 'token', 'key'),
    publish: 9119,
    files: { desired_state: 'running\n', 'config.yaml': 'agent:\n  command: [cat]\n' },
  })
  const port = await listens(box)
  const metrics = (token: string) => askHttp(port, '/api/metrics', { headers: { Authorization: `Bearer ${token}` } })
  expect([(await metrics(TOKEN)).code, (await metrics(TOKEN.slice(1))).code]).toEqual([200, 401])
  const logIn = (password: string) =>
    askHttp(port, '/auth/password-login', {
      method: 'POST',
      headers: { Origin: `http://127.0.0.1:${port}` },
      json: { username: 'me', password },
    })
  expect([(await logIn(PASSWORD)).code, (await logIn('wrong')).code]).toEqual([200, 401])

  await box.up('gateway-default')
  const script = `for key in ${KEY} wrong; do node -e 'fetch("http://127.0.0.1:8642/v1/models", { headers: { Authorization: "Bearer " + process.argv[1] } }).then((answer) => console.log(answer.status))' $key; done`
  expect(await box.ok('sh', '-c', script)).toBe('200\n401\n')

  const look = `cat /run/secrets/password /run/secrets/token
cat /run/s6/container_environment/* /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'
grep -r -e '[h]orse' -e '[s]crape-me' /opt/data /run/hermes /run/service 2>/dev/null`
  const { stdout } = await box.exec(['sh', '-c', look], { user: 'hermes' })
  expect(stdout).toContain('API_SERVER_ENABLED')
  expect(stdout).not.toMatch(/horse|scrape-me/)

  // A service of another user gets neither, whichever way it asks.
  const other = await box.exec(['/command/with-contenv', 'env'], { user: '33' })
  expect([other.code, other.stderr]).toEqual([0, ''])
  expect(other.stdout).toContain('API_SERVER_ENABLED=1')
  expect(other.stdout).not.toMatch(/horse|scrape-me|key-of-the/)
})

test('the secret of a profile is in the environment of its gateway, and neither in the volume, in /run, in arguments, in `docker inspect` nor in `docker logs`', async () => {
  // Readable for the runtime user, as an engine mounts it with `uid` or `mode`.
  const shared = mkdtempSync(join(tmpdir(), 'hermes-profile-secrets-'))
  try {
    chmodSync(shared, 0o755)
    for (const [name, text] of [
      ['login', 'login-of-the-vault'],
      ['item', 'item-in-the-vault'],
    ] as const) {
      writeFileSync(join(shared, name), `${text}\n`)
      chownSync(join(shared, name), 10_000, 10_000)
      chmodSync(join(shared, name), 0o400)
    }
    const vault = 'test "$LOGIN" = login-of-"the-vault" && test "$(id -u)" = 10000 && cat /run/secrets/item'
    const config = {
      gateway: { command: ['sh', '-c', 'echo alive; exec sleep 1000000'] },
      secrets: { LOGIN: { file: '/run/secrets/login' }, ITEM: { command: ['sh', '-c', vault], refresh: '1h' } },
    }
    await using box = await startContainer({
      mounts: ['login', 'item'].map((name) => [join(shared, name), `/run/secrets/${name}`, 'ro'] as const),
      files: {
        'profiles/coder/config.yaml': JSON.stringify(config),
        'profiles/coder/desired_state': 'running\n',
      },
    })
    const { pid } = await box.up('gateway-coder')
    const readEnvironment = ['sh', '-c', `tr '\\0' '\\n' </proc/${pid}/environ`]
    const { stdout: environment } = await box.exec(readEnvironment, { user: 'hermes' })
    expect(environment).toContain('LOGIN=login-of-the-vault\n')
    expect(environment).toContain('ITEM=item-in-the-vault\n')

    const look = `tr '\\0' '\\n' </proc/1/environ; cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'
ls /run/service/gateway-coder
grep -r -l -e '[l]ogin-of-the-vault' -e '[i]tem-in-the-vault' /opt/data /run/hermes /run/service /run/s6 /var /tmp 2>/dev/null
hermes -p coder env; hermes -p coder config get; hermes status --json; hermes why coder`
    const { stdout } = await box.exec(['sh', '-c', look])
    await box.saw('alive')
    const { stdout: lines, stderr } = await box.logs()
    const seen = [stdout, lines, stderr, await box.inspect('{{json .}}')].join('\n')
    // Where it would be, other things are.
    expect(seen).toContain('ITEM=****  # config.yaml secrets: command sh -c ')
    expect(stdout).toMatch(/^secrets$/m)
    expect(seen).not.toMatch(/login-of-the-vault|item-in-the-vault/)
  } finally {
    rmSync(shared, { recursive: true, force: true })
  }
})

test('a container of another user reads what that user may read, and ends with 1 and a line without it', async () => {
  using home = keptHome()
  chownSync(home.path, 10_000, 10_000)
  const start = () =>
    startContainer({
      home: home.path,
      user: '10000:10000',
      env: { ...BOOT, API_SERVER_KEY_FILE: '' },
      mounts: secrets('password', 'token'),
      publish: 9119,
    })
  {
    await using box = await start()
    expect(await box.exit()).toBe(1)
    const { stderr } = await box.logs()
    expect(stderr.split('\n').filter((line) => line.includes('error:'))).toEqual([
      'hermes: error: HERMES_DASHBOARD_BASIC_AUTH_PASSWORD_FILE=/run/secrets/password: may not be read by uid 10000 (EACCES); let that user read the file and enter its directories',
      'hermes: error: HERMES_METRICS_TOKEN_FILE=/run/secrets/token: may not be read by uid 10000 (EACCES); let that user read the file and enter its directories',
    ])
  }
  chmodSync(dir, 0o755)
  for (const name of ['password', 'token']) chmodSync(join(dir, name), 0o444)
  await using box = await start()
  const port = await listens(box)
  expect((await askHttp(port, '/api/metrics', { headers: { Authorization: `Bearer ${TOKEN}` } })).code).toBe(200)
})

test('profile move reads root’s file of the node token before it gives root up; for another user it names both ways', async () => {
  await using box = await startContainer({
    env: { HERMES_NODE_TOKEN_FILE: '/run/secrets/node' },
    mounts: secrets('node'),
    files: {},
  })
  const move = ['hermes', 'profile', 'move', 'coder', '--to', 'h2']
  const byRoot = await box.exec(move)
  expect([byRoot.code, byRoot.stderr]).toEqual([1, expect.stringMatching(/^hermes: there is one container: /)])
  const byUser = await box.exec(move, { user: 'hermes' })
  expect(byUser.code).toBe(1)
  expect(byUser.stderr).toMatch(
    /^hermes: HERMES_NODE_TOKEN_FILE=\/run\/secrets\/node: may not be read by uid \d+ \(EACCES\)\n.*as root, as docker exec does/,
  )
  expect(byUser.stderr).toContain('docker exec -e HERMES_NODE_TOKEN=')
})
