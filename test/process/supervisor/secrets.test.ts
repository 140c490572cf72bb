// Secrets of profiles, fetched by real commands. One Hermes for all of them.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { STAMP_BYTES } from '../../../src/log/stamp.ts'
import type { SlotStatus } from '../../../src/protocol/control.ts'
import { readProcessList } from '../../../src/system/programs/proc.ts'
import { hermes as cli } from '../../support/cli.ts'
import { gatewayThat, logLines, type RunningHermes, startHermes, type TestProfile } from '../../support/hermes.ts'
import { quickDir } from '../../support/quick-dir.ts'
import { waitFor } from '../../support/wait.ts'

const sh = (text: string): readonly string[] => ['sh', '-c', text]
const SLEEPS = sh('exec sleep 100000')
const soon = { ready_after: '20ms', restart_delay: { first: '20ms', max: '20ms' } }
const later = { ready_after: '20ms', restart_delay: { first: '1h', max: '1h' } }
/** Seconds that no command of another test run sleeps. */
const OURS = 1_000_000 + process.pid
const IN_FILE = `it's "a" $HOME \`x\`\\n\nsecond-line-0123`
const FROM_COMMAND = 'db-0123456789'

const home = quickDir('hermes-secrets-')
const at = (profile: string, file: string): string => join(home, 'profiles', profile, file)
let hermes: RunningHermes
beforeAll(async () => {
  const profiles: readonly TestProfile[] = [
    {
      name: 'gets',
      gateway: { command: SLEEPS, env: { FROM_ENV: 'plain' }, ...soon },
      secrets: {
        TEXT: { file: 'text' },
        DB_URL: { command: sh('test "$TEXT" = "$(cat text)" && test "$FROM_ENV" = plain && cat url && pwd >&2') },
      },
    },
    {
      name: 'fails',
      gateway: { command: sh('touch ran'), ...later },
      secrets: { TOKEN: { command: sh('echo half-0123; echo "no access: half-0123" >&2; exit 3') } },
    },
    {
      name: 'fails-twice',
      gateway: { command: SLEEPS, ...later },
      secrets: { A: { file: 'a' }, B: { command: ['no-such-program'] } },
    },
    {
      name: 'hangs',
      // So only the program that fetches the secret ends the command.
      gateway: { command: SLEEPS, kill_leftovers: false, ...later },
      secrets: { TOKEN: { command: sh(`sleep ${OURS}; echo late`), timeout: '300ms' } },
    },
    {
      name: 'waits',
      gateway: { command: SLEEPS, ...soon },
      secrets: { TOKEN: { command: sh('until [ -e go ]; do sleep 0.05; done; echo token-0123'), timeout: '1h' } },
    },
    {
      name: 'leaves-one',
      gateway: { command: SLEEPS, ...soon },
      secrets: { TOKEN: { command: sh('sleep 100000 & echo token-0123') } },
    },
    {
      name: 'stopped',
      gateway: { command: SLEEPS, ...soon },
      secrets: { TOKEN: { command: sh(`touch asks; exec sleep 2${OURS}`), timeout: '1h' } },
    },
    {
      name: 'rotates',
      gateway: { command: SLEEPS, ...soon },
      secrets: { TOKEN: { file: 'token', refresh: '1s' }, OTHER: { command: ['cat', 'other'], refresh: '1s' } },
    },
    {
      name: 'keeps',
      gateway: { command: SLEEPS, ...soon },
      secrets: { TOKEN: { command: sh('echo asked >>asked; cat token'), refresh: '1s' } },
    },
    { name: 'wrong', gateway: { command: sh('touch ran'), ...soon }, secrets: { TOKEN: { fil: 'token' } } },
    { name: 'both', gateway: { command: SLEEPS, ...soon }, secrets: { TOKEN: { file: 'token' } } },
    { name: 'none', gateway: { command: SLEEPS, ...soon } },
    {
      name: 'works',
      gateway: { command: SLEEPS, ...soon },
      secrets: { TOKEN: { file: 'token' } },
      agent: { command: sh(`cat >/dev/null; printf %s "$TOKEN" >'${at('works', 'seen')}'; echo done`) },
    },
    {
      name: 'works-not',
      gateway: { command: SLEEPS, ...later },
      secrets: { TOKEN: { file: 'missing' } },
      agent: { command: sh(`touch '${at('works-not', 'seen')}'`) },
    },
  ]
  for (const { name } of profiles) mkdirSync(join(home, 'profiles', name), { recursive: true })
  writeFileSync(join(home, 'config.yaml'), 'kanban: {dispatch_interval_seconds: 1, failure_limit: 1}\n')
  writeFileSync(at('gets', 'text'), `${IN_FILE}\n`)
  writeFileSync(at('gets', 'url'), FROM_COMMAND)
  for (const profile of ['rotates', 'keeps', 'both', 'works']) writeFileSync(at(profile, 'token'), 'first-0123\n')
  writeFileSync(at('rotates', 'other'), 'other-0123\n')
  writeFileSync(at('both', '.env'), 'TOKEN=from-dot-env\n', { mode: 0o600 })
  hermes = await startHermes({ home, profiles, env: { TOKEN: 'of-the-container' } })
})
afterAll(() => hermes[Symbol.asyncDispose]())

const slot = (name: string, is: (slot: SlotStatus) => boolean): Promise<SlotStatus> => gatewayThat(hermes, name, is)
const printed = (name: string): readonly string[] => logLines(hermes.home, name).map((line) => line.slice(STAMP_BYTES))
const isUp = ({ state }: SlotStatus): boolean => state === 'up'
const inBackoff = ({ state }: SlotStatus): boolean => state === 'backoff'
const saw = (text: string): Promise<unknown> =>
  waitFor(text, () => hermes.stderr().includes(text), { deadlineMs: 60_000 })
const environmentOf = (pid: number | undefined): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readProcessList(pid ?? 0, 'environ').map((one) => [one.split('=')[0], one.slice(one.indexOf('=') + 1)]),
  )
/** Waits for the program of a slot: it is up as soon as the process is there that becomes the program. */
const runsWith = (pid: number | undefined, environment: Readonly<Record<string, string>>): Promise<unknown> =>
  waitFor(`a program with ${Object.keys(environment)}`, () => {
    expect(environmentOf(pid)).toMatchObject(environment)
    return true
  })
/** Arguments of every process. */
const commandLines = (): readonly string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => readProcessList(Number(pid), 'cmdline').join(' '))
/** Files below a directory that contain a text; they may come and go. */
const filesWith = (dir: string, text: string): readonly string[] =>
  spawnSync('grep', ['-rlsaF', '-D', 'skip', '-e', text, dir], { encoding: 'utf8' }).stdout.split('\n').filter(Boolean)

test('a gateway gets a secret as the file or the command has it, without one newline at its end', async () => {
  const { pid } = await slot('gets', isUp)
  await runsWith(pid, { TEXT: IN_FILE, DB_URL: FROM_COMMAND, HERMES_SECRETS: 'TEXT DB_URL' })
})

test('the value is in no argument, in no file of Hermes, and in no output of its commands', async () => {
  const { pid } = await slot('gets', isUp)
  // Where it is, it is found.
  await waitFor('its program', () => readFileSync(`/proc/${pid}/environ`, 'latin1').includes(FROM_COMMAND))
  expect(filesWith(home, FROM_COMMAND)).toEqual([at('gets', 'url')])
  expect(filesWith(home, 'second-line-0123')).toEqual([at('gets', 'text')])
  expect(commandLines().filter((line) => line.includes(FROM_COMMAND) && !line.includes('vitest'))).toEqual([])
  const commands = [['env'], ['config', 'get'], ['gateway', 'status'], ['status', '--json'], ['why', 'gets']]
  for (const args of commands) {
    const { stdout, stderr } = await cli(['-p', 'gets', ...args], { home })
    expect(stdout + stderr).not.toMatch(/db-0123456789|second-line/)
  }
  expect(hermes.stderr()).not.toMatch(/db-0123456789|second-line/)
  const { stdout } = await cli(['-p', 'gets', 'env'], { home })
  expect(stdout).toContain('TEXT=****  # config.yaml secrets: file text\n')
  expect(stdout).toMatch(/^DB_URL=\*{4} {2}# config.yaml secrets: command sh -c 'test .*$/m)
})

test('a command that fails is one line without its output, and no program runs', async () => {
  const { lastDeath, reason } = await slot('fails', inBackoff)
  const command = `sh -c 'echo half-0123; echo "no access: half-0123" >&2; exit 3'`.replaceAll(
    'half-0123',
    '[redacted]',
  )
  const what = `TOKEN: ${command} exited with 3: no access: [redacted]`
  expect(lastDeath).toMatchObject({ exitCode: 126 })
  expect(reason).toBe(`did not get its secret ${what}`)
  await waitFor('its line', () => printed('fails').length > 0)
  expect(printed('fails')).toEqual([
    `hermes: gateway-fails: secret ${what}; run it in ${join(home, 'profiles', 'fails')} to see why, or correct secrets.TOKEN in ${at('fails', 'config.yaml')}`,
  ])
  expect(existsSync(at('fails', 'ran'))).toBe(false)
  expect(hermes.stderr()).not.toContain('half-0123')
  const { stdout } = await cli(['why', 'fails'], { home })
  expect(stdout).toMatch(/^fails waits \d+ \w+ for its next start: did not get its secret TOKEN: sh -c/)
})

test('each secret that is missing has a line, and other gateways are up', async () => {
  await slot('fails-twice', inBackoff)
  await waitFor('its lines', () => printed('fails-twice').length > 1)
  expect(printed('fails-twice')).toEqual([
    expect.stringMatching(
      /^hermes: gateway-fails-twice: secret A: \/.*\/a does not exist; put the secret there, or correct secrets.A in /,
    ),
    expect.stringContaining('secret B: no-such-program was not found; '),
  ])
  expect(await slot('none', isUp)).toMatchObject({ restarts: 0 })
})

test('a command has its time, and is killed with what it has started', async () => {
  const { reason } = await slot('hangs', inBackoff)
  expect(reason).toContain(`sh -c 'sleep ${OURS}; echo late' has not ended within 0.3 s and was killed`)
  await waitFor('the command to be gone', () => !commandLines().includes(`sleep ${OURS}`))
})

test('a start that waits for a secret is `starting`, says so, and keeps no other waiting', async () => {
  const waiting = await slot('waits', ({ reason }) => reason !== undefined)
  expect(waiting).toMatchObject({ state: 'starting', ready: false, reason: 'waits for its secret TOKEN' })
  const { stdout } = await cli(['why', 'waits'], { home })
  expect(stdout).toMatch(/^waits has been starting for \d+ \w+ and waits for its secret TOKEN; next: /)
  await slot('none', isUp)
  writeFileSync(at('waits', 'go'), '')
  const { pid, reason } = await slot('waits', isUp)
  expect(reason).toBeUndefined()
  await runsWith(pid, { TOKEN: 'token-0123' })
})

test('a process that a command leaves behind delays no start', async () => {
  const { pid } = await slot('leaves-one', isUp)
  await runsWith(pid, { TOKEN: 'token-0123' })
})

test('a stop ends a start that waits for a secret, with the command', async () => {
  await waitFor('the command', () => existsSync(at('stopped', 'asks')))
  await waitFor('its program', () => commandLines().includes(`sleep 2${OURS}`))
  expect(await cli(['-p', 'stopped', 'gateway', 'stop'], { home })).toMatchObject({ code: 0 })
  expect(await slot('stopped', ({ state }) => state === 'down')).not.toHaveProperty('lastDeath')
  await waitFor('the command to be gone', () => !commandLines().includes(`sleep 2${OURS}`))
})

/** A look must not meet half a file. */
function replace(profile: string, file: string, text: string): void {
  writeFileSync(at(profile, 'new'), text)
  renameSync(at(profile, 'new'), at(profile, file))
}

test('a secret that changes restarts its gateway, not as a death, also after a crash of the supervisor', async () => {
  const before = await slot('rotates', isUp)
  replace('rotates', 'token', 'second-0123\n')
  const after = await slot('rotates', (one) => isUp(one) && one.pid !== before.pid)
  expect(after).not.toHaveProperty('lastDeath')
  await runsWith(after.pid, { TOKEN: 'second-0123', OTHER: 'other-0123' })
  await saw('gateway-rotates has to start with the new value of secret TOKEN; it is restarted')

  const supervisor = await hermes.supervisorPid()
  process.kill(supervisor, 'SIGKILL')
  await waitFor('another supervisor', async () => (await hermes.supervisorPid()) !== supervisor, { deadlineMs: 60_000 })
  replace('rotates', 'other', 'third-0123\n')
  const last = await slot('rotates', (one) => isUp(one) && one.pid !== after.pid)
  await runsWith(last.pid, { TOKEN: 'second-0123', OTHER: 'third-0123' })
  expect(last).not.toHaveProperty('lastDeath')
})

test('a refresh that fails keeps the value, and warns once', async () => {
  const { pid } = await slot('keeps', isUp)
  rmSync(at('keeps', 'token'))
  const warning = 'gateway-keeps: secret TOKEN cannot be fetched again, so it keeps its value: sh -c '
  await saw(warning)
  const asked = (): number => readFileSync(at('keeps', 'asked'), 'utf8').split('\n').length
  const times = asked()
  // The result of one is judged before the next one begins.
  await waitFor('two more looks', () => asked() >= times + 3, { deadlineMs: 60_000 })
  expect(hermes.stderr().split(warning)).toHaveLength(2)
  expect(hermes.stderr()).toContain('cat: token: No such file or directory; tried again every 1 s')
  expect(await slot('keeps', isUp)).toMatchObject({ pid })
  replace('keeps', 'token', 'fourth-0123\n')
  const changed = await slot('keeps', (one) => isUp(one) && one.pid !== pid)
  await runsWith(changed.pid, { TOKEN: 'fourth-0123' })
})

test('a secret of another form parks its gateway with file, line and key, and nothing runs', async () => {
  const { reason } = await slot('wrong', ({ state }) => state === 'parked')
  expect(reason).toContain(
    `${at('wrong', 'config.yaml')}, line 1: secrets.TOKEN: expected {file: a path} or {command: `,
  )
  expect(existsSync(at('wrong', 'ran'))).toBe(false)
})

test('a secret wins over .env and the container, and one line says so', async () => {
  const { pid } = await slot('both', isUp)
  await runsWith(pid, { TOKEN: 'first-0123' })
  await saw('gateway-both: .env: TOKEN is not used, because secrets in config.yaml has it, too; remove one of them')
})

test('a gateway without secrets starts no program for them', async () => {
  const run = join(home, 'run')
  const script = (name: string): string =>
    filesWith(run, `hermes: gateway-${name}: `)
      .map((f) => readFileSync(f, 'utf8'))
      .join('')
  await slot('none', isUp)
  expect(script('none')).not.toContain('slot-secrets')
  expect(script('both')).toContain('slot-secrets')
})

test('a gateway that is started by hand gets them, too, or ends with that line', async () => {
  const { code, stderr } = await cli(['-p', 'fails', 'gateway', 'run', '--no-supervise'], {
    home,
    env: { HERMES_ALLOW_ROOT_GATEWAY: '1' },
  })
  expect({ code, stderr }).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/secret TOKEN: sh -c .* exited with 3/),
  })
})

test('a worker gets the secrets of its profile; without one it does not run, and the attempt names it', {
  timeout: 180_000,
}, async () => {
  const kanban = async (...args: readonly string[]) =>
    JSON.parse((await cli(['kanban', ...args, '--json'], { home })).stdout) as {
      id: string
      status: string
      runs: readonly unknown[]
    }
  const { id } = await kanban('create', 'Use it', '-a', 'works')
  const { id: other } = await kanban('create', 'Miss it', '-a', 'works-not')
  const whenStatus = (task: string, status: string) =>
    waitFor(
      `${task} to be ${status}`,
      async () => {
        const found = await kanban('show', task)
        return found.status === status ? found : undefined
      },
      { deadlineMs: 120_000 },
    )
  await whenStatus(id, 'done')
  expect(readFileSync(at('works', 'seen'), 'utf8')).toBe('first-0123')
  const { runs } = await whenStatus(other, 'blocked')
  expect(JSON.stringify(runs)).toContain(`secret TOKEN: ${at('works-not', 'missing')} does not exist`)
  expect(existsSync(at('works-not', 'seen'))).toBe(false)
})
