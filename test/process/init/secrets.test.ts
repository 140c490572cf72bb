// Secrets in files: NAME_FILE instead of NAME. Root reads a file that the runtime user cannot read, but never one that
// the runtime user has chosen.
import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { askHttp } from '../../support/dashboard/dashboard.ts'
import { startHermes } from '../../support/hermes.ts'
import { freePort } from '../../support/port.ts'
import { startInit } from '../../support/supervisor/init-box.ts'
import { whyNoNamespace } from '../../support/supervisor/namespace.ts'
import { waitFor } from '../../support/wait.ts'

const isRoot = process.getuid?.() === 0
const why = whyNoNamespace() ?? (isRoot ? undefined : 'needs root')
const RUNTIME = 10_000

let dir: string
const at = (...names: string[]): string => join(dir, ...names)
const write = (name: string, content: string | Buffer, mode = 0o400): string => {
  writeFileSync(at(name), content)
  chmodSync(at(name), mode)
  return at(name)
}
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'hermes-secrets-'))
  chmodSync(dir, 0o755)
  mkdirSync(at('directory'))
  spawnSync('mkfifo', [at('fifo')])
  write('key', 'root’s alone\n')
  write('lines', 'one\n\n')
  write('windows', 'one\r\n')
  write('bare', 'no newline')
  write('empty', '')
  write('newline', '\n')
  write('large', 'x'.repeat(65_537))
  write('binary', Buffer.from([0x6b, 0xff, 0xfe, 0x79]))
  write('nul', 'a\0b')
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** Files that hold no secret, and what a line reports about each. */
const USELESS: readonly (readonly [name: string, says: string])[] = [
  ['missing', 'does not exist; mount the secret there, or correct the variable'],
  ['key/below', 'does not exist; mount the secret there, or correct the variable'],
  ['directory', 'is a directory; name a file; Docker makes a directory where the source of a mount is missing'],
  ['fifo', 'is not a regular file; name a file that contains only the secret'],
  ['empty', 'is empty; write the secret into it'],
  ['newline', 'is empty; write the secret into it'],
  ['large', 'is larger than 65536 bytes; name a file that contains only the secret'],
  ['binary', 'is binary, not text in UTF-8; write the secret into it as text'],
  ['nul', 'is binary, not text in UTF-8; write the secret into it as text'],
]

describe.skipIf(why !== undefined)(`a container (${why ?? 'as root, PID 1 of a namespace'})`, () => {
  const boots = async (env: Readonly<Record<string, string>>, prepare = '') => {
    const args = ['sh', '-c', 'printf %s "$API_SERVER_KEY|"; env']
    // The fake supervisor never says that it has written the last lines: init need not wait for it for long.
    await using box = await startInit({ args, env: { HERMES_STOP_TIMEOUT: '1', ...env }, prepare })
    const ended = await box.exit()
    return { code: 'code' in ended ? ended.code : undefined, out: box.pid1.stdout(), err: box.pid1.stderr() }
  }

  test.each([
    ['key', 'root’s alone'],
    ['lines', 'one\n'],
    ['windows', 'one'],
    ['bare', 'no newline'],
  ])('takes API_SERVER_KEY from a file of root’s (%s), without one newline at its end', async (name, key) => {
    const { code, out, err } = await boots({ API_SERVER_KEY_FILE: at(name) })
    expect([code, err]).toEqual([0, ''])
    expect(out.split('|')[0]).toBe(key)
    expect(out).not.toContain('API_SERVER_KEY_FILE')
  })

  test('stores the key for root and the runtime user, and the secrets of the dashboard nowhere', async () => {
    const env = { API_SERVER_KEY_FILE: at('key'), HERMES_METRICS_TOKEN_FILE: at('bare') }
    await using box = await startInit({ env })
    const store = '/run/s6/container_environment'
    const first = await box.supervisor()
    if (!(await first.got('welcome')).begun) await first.got('begin')
    expect(await box.ok('stat', '-c', '%U %g %a', `${store}/API_SERVER_KEY`)).toBe(`root ${RUNTIME} 640\n`)
    expect(await box.ok('ls', store)).not.toMatch(/_FILE|METRICS/)
  })

  test.each(USELESS)('ends with 1 and one line if the file is not a secret: %s', async (name, says) => {
    const { code, out, err } = await boots({ HERMES_METRICS_TOKEN_FILE: at(name) })
    expect([code, out]).toEqual([1, ''])
    expect(err).toBe(`hermes: error: HERMES_METRICS_TOKEN_FILE=${at(name)}: ${says}\n`)
  })

  test('ends with 1 and one line for an address of a database that has another form, wherever it is from', async () => {
    const form = 'is not an address of PostgreSQL such as postgres://USER:PASSWORD@HOST/DATABASE'
    const given = await boots({ HERMES_KANBAN_DATABASE: 'mysql://me:hush@db/board' })
    expect([given.code, given.out]).toEqual([1, ''])
    expect(given.err).toBe(
      `hermes: error: HERMES_KANBAN_DATABASE ${form}. correct it, or leave it unset to keep the board in the volume\n`,
    )
    const file = write('no-address', 'me:hush@db/board\n')
    const read = await boots({ HERMES_KANBAN_DATABASE_FILE: file })
    expect([read.code, read.err]).toEqual([1, `hermes: error: HERMES_KANBAN_DATABASE_FILE=${file}: ${form}\n`])
  })

  test('ends with 1 and one line for a node token that can be guessed, and for an address that would show it', async () => {
    const form = 'is not a token: it needs 16 or more ASCII characters without blanks, as "openssl rand -hex 32" prints'
    expect(await boots({ HERMES_NODE_TOKEN: 'hush-15-letters' })).toEqual({
      code: 1,
      out: '',
      err: `hermes: error: HERMES_NODE_TOKEN ${form}. correct it, or leave it unset\n`,
    })
    const file = write('no-token', 'sixteen letters and a blank\n')
    const read = await boots({ HERMES_NODE_TOKEN_FILE: file })
    expect([read.code, read.err]).toEqual([1, `hermes: error: HERMES_NODE_TOKEN_FILE=${file}: ${form}\n`])
    const clear = await boots({ HERMES_NODE_URL: 'http://h1.example:9119' })
    expect([clear.code, clear.err]).toEqual([
      1,
      'hermes: error: HERMES_NODE_URL: the node token would cross the network in clear on the way to http://h1.example:9119. use an https address, or set HERMES_NODE_INSECURE=1 on every node if the network between them is trusted\n',
    ])
    for (const env of [
      { HERMES_NODE_URL: 'https://h1.example' },
      { HERMES_NODE_URL: 'http://127.0.0.1:9119' },
      { HERMES_NODE_URL: 'http://h1:9119', HERMES_NODE_INSECURE: '1' },
    ])
      expect(await boots(env)).toMatchObject({ code: 0, err: '' })
  })

  test('keeps the node token from the main program and the store', async () => {
    const token = 'hush-of-all-nodes'
    const file = write('node-token', `${token}\n`)
    for (const env of [{ HERMES_NODE_TOKEN_FILE: file }, { HERMES_NODE_TOKEN: token }]) {
      const { code, out, err } = await boots(env)
      expect([code, err]).toEqual([0, ''])
      expect(out).not.toMatch(/HERMES_NODE_TOKEN|hush/)
    }
    await using box = await startInit({ env: { HERMES_NODE_TOKEN_FILE: file } })
    const first = await box.supervisor()
    if (!(await first.got('welcome')).begun) await first.got('begin')
    expect(await box.ok('ls', '/run/s6/container_environment')).not.toMatch(/NODE_TOKEN/)
  })

  test('keeps the address of the database from the main program, the store and everything else', async () => {
    const file = write('address', 'postgres://me:hush@db/board\n')
    for (const env of [
      { HERMES_KANBAN_DATABASE_FILE: file },
      { HERMES_KANBAN_DATABASE: 'postgres://me:hush@db/board' },
    ]) {
      const { code, out, err } = await boots(env)
      expect([code, err]).toEqual([0, ''])
      expect(out).not.toMatch(/HERMES_KANBAN_DATABASE|hush/)
    }
    await using box = await startInit({ env: { HERMES_KANBAN_DATABASE_FILE: file } })
    const first = await box.supervisor()
    if (!(await first.got('welcome')).begun) await first.got('begin')
    expect(await box.ok('ls', '/run/s6/container_environment')).not.toMatch(/KANBAN/)
    expect(await box.ok('stat', '-c', '%u %a', '/run/hermes/board')).toBe(`${RUNTIME} 700\n`)
  })

  test('names every file that is not a secret', async () => {
    const { code, err } = await boots({ HERMES_METRICS_TOKEN_FILE: 'token', API_SERVER_KEY_FILE: at('missing') })
    expect(code).toBe(1)
    expect(err.trim().split('\n')).toEqual([
      'hermes: error: HERMES_METRICS_TOKEN_FILE=token: is not an absolute path; name the file from / on',
      expect.stringContaining(`API_SERVER_KEY_FILE=${at('missing')}: does not exist`),
    ])
  })

  test.each([
    'HERMES_METRICS_TOKEN',
    'HERMES_DASHBOARD_BASIC_AUTH_PASSWORD',
    'HERMES_DASHBOARD_BASIC_AUTH_PASSWORD_HASH',
    'HERMES_DASHBOARD_OAUTH_CLIENT_SECRET',
    'API_SERVER_KEY',
    'HERMES_KANBAN_DATABASE',
    'HERMES_NODE_TOKEN',
  ])('refuses %s beside its file, and takes an empty one for unset', async (name) => {
    const value = 'postgres://one/which-fits-all-of-them'
    const { code, err } = await boots({ [name]: value, [`${name}_FILE`]: at('missing') })
    expect(code).toBe(1)
    expect(err).toBe(
      `hermes: error: ${name} and ${name}_FILE are both set. keep one: ${name}_FILE for a secret in a file, ${name} for its value\n`,
    )
    const file = write(`${name}.file`, value)
    expect(await boots({ [name]: '', [`${name}_FILE`]: file })).toMatchObject({ code: 0, err: '' })
    expect(await boots({ [name]: value, [`${name}_FILE`]: '' })).toMatchObject({ code: 0, err: '' })
  })

  test('does not read for the runtime user what that user has put at the path', async () => {
    mkdirSync(at('ground'))
    chownSync(at('ground'), RUNTIME, RUNTIME)
    symlinkSync(at('key'), at('ground', 'token'))
    const { code, out, err } = await boots({ API_SERVER_KEY_FILE: at('ground', 'token') })
    expect([code, out]).toEqual([1, ''])
    expect(err).toBe(
      `hermes: error: API_SERVER_KEY_FILE=${at('ground', 'token')}: root does not read it, because of ${at('ground')}: it belongs to the runtime user (uid ${RUNTIME}); chown root:root ${at('ground')}, or let uid ${RUNTIME} read the secret\n`,
    )
    const own = join(at('ground'), 'own')
    writeFileSync(own, 'its own')
    expect((await boots({ API_SERVER_KEY_FILE: own })).out).toMatch(/^its own\|/)
  })

  test('with --user reads what that user can read, and names what it cannot', async () => {
    const asUser = ['setpriv', '--reuid', '4321', '--regid', '4321', '--clear-groups', '--']
    const start = async (file: string) => {
      await using box = await startInit({
        before: asUser,
        args: ['sh', '-c', 'echo "$API_SERVER_KEY"'],
        env: { API_SERVER_KEY_FILE: file },
        prepare: 'chown 4321:4321 "$home"',
      })
      const ended = await box.exit()
      return { code: 'code' in ended ? ended.code : undefined, out: box.pid1.stdout(), err: box.pid1.stderr() }
    }
    expect(await start(write('open', 'for all\n', 0o444))).toMatchObject({ code: 0, out: 'for all\n' })
    const { code, err } = await start(at('key'))
    expect(code).toBe(1)
    expect(err).toContain(
      `API_SERVER_KEY_FILE=${at('key')}: may not be read by uid 4321 (EACCES); let that user read the file and enter its directories\n`,
    )
  })
})

test('npm start takes the secrets of the dashboard from files, and ends with 1 without them', async () => {
  const port = await freePort()
  const dashboard = { HERMES_DASHBOARD: '1', HERMES_DASHBOARD_PORT: String(port), HERMES_DASHBOARD_HOST: '127.0.0.1' }
  const env = { ...dashboard, HERMES_METRICS_TOKEN_FILE: write('token', 'scrape-me\n') }
  const ask = (token: string) =>
    askHttp(port, '/api/metrics', { headers: { Authorization: `Bearer ${token}` } }).then(
      ({ code }) => code,
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ECONNREFUSED') throw error
        return undefined
      },
    )
  {
    await using _ = await startHermes({ profiles: [], env })
    await waitFor('the dashboard to take the token', async () => (await ask('scrape-me')) === 200)
    expect(await ask('scrape-m')).toBe(401)
  }
  await using hermes = await startHermes({
    profiles: [],
    untilRunning: false,
    env: { ...dashboard, HERMES_METRICS_TOKEN_FILE: at('missing') },
  })
  expect(await hermes.exit()).toBe(1)
  expect(hermes.stderr()).toContain(
    `HERMES_METRICS_TOKEN_FILE=${at('missing')}: does not exist; mount the secret there`,
  )
})
