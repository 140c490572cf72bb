// `hermes backup` and `hermes restore` as they are typed.
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { hermes as command, type Ran, runProgram } from '../../support/cli.ts'
import { gatewayThat, startHermes } from '../../support/hermes.ts'
import { program } from '../../support/install.ts'
import { startPostgres, whyNoPostgres } from '../../support/kanban/postgres.ts'
import { scratchDir } from '../../support/scratch.ts'
import { named } from '../../support/tools.ts'
import { waitFor } from '../../support/wait.ts'

let top: string
let home: string
let file: string
beforeEach(() => {
  top = scratchDir('hermes-backup-')
  home = join(top, 'home')
  file = join(top, 'home.tar.gz')
  mkdirSync(join(home, 'profiles', 'coder'), { recursive: true })
  writeFileSync(join(home, 'config.yaml'), '# text\n')
})
const hermes = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> =>
  command(args, { home, env })

test('a home that runs is saved, and neither it nor one with something in it is overwritten', async () => {
  await using running = await startHermes({
    profiles: [{ name: 'coder', gateway: { command: ['sleep', '100000'] } }],
    home,
    keepHome: true,
  })
  const { code, stdout } = await hermes(['backup'])
  expect([code, readdirSync(join(home, 'backups')).length]).toEqual([0, 1])
  const [name = ''] = readdirSync(join(home, 'backups'))
  const saved = join(home, 'backups', name)
  expect(name).toMatch(/^hermes-\d{8}T\d{6}Z\.tar\.gz$/)
  expect(stdout).toMatch(/: \d+ files, 0 databases, .*\n {2}next: copy it to another machine; hermes restore --verify /)
  expect(statSync(saved).mode & 0o777).toBe(0o600)

  const refused = await hermes(['restore', saved])
  expect(refused).toMatchObject({ code: 1, stdout: '' })
  expect(refused.stderr).toMatch(
    /^hermes: hermes runs on .*; nothing was restored\n {2}next: stop it and use a new volume/,
  )
  await running.stop()
  const full = await hermes(['restore', saved])
  expect(full).toMatchObject({ code: 1, stdout: '' })
  expect(full.stderr).toMatch(
    /^hermes: .*\/home is not empty: it has "[^"]+"; nothing was restored\n {2}next: name a new/,
  )

  expect(await hermes(['restore', saved, '--into', join(top, 'new')])).toMatchObject({
    code: 0,
    stderr: '',
    stdout: expect.stringContaining(
      `every gateway stays stopped; these ran: default, coder\n  next: HERMES_HOME=${join(top, 'new')} hermes gateway start default coder`,
    ),
  })
  const stopped = [{ name: 'coder', gateway: { command: ['sleep', '100000'] }, desired: null }]
  await using again = await startHermes({ profiles: stopped, home: join(top, 'new'), keepHome: true })
  expect(await waitFor('its slot', () => again.slot('gateway-coder'))).toMatchObject({ state: 'down', wanted: 'down' })
})

test('a profile is exported while its gateway runs, and imported beside it, down', async () => {
  const profiles = [{ name: 'coder', gateway: { command: ['sleep', '100000'] } }]
  {
    await using running = await startHermes({ profiles, home, keepHome: true })
    await gatewayThat(running, 'coder', ({ state }) => state === 'up')
    const refused = await hermes(['profile', 'export', 'default'])
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('default profile cannot be exported')])
    expect((await hermes(['profile', 'export', 'nobody'])).code).toBe(3)
    const made = await hermes(['profile', 'export', 'coder'])
    expect(made).toMatchObject({ code: 0, stderr: '' })
    expect(made.stdout).toMatch(
      /backups\/coder-\d{8}T\d{6}Z\.tar\.gz: \d+ files?, .*next: .*; hermes profile import \//s,
    )

    const script = `set -e; "$0" profile export coder --out - | "$0" profile import - --name second`
    const piped = await runProgram(['bash', '-o', 'pipefail', '-c', script, program('hermes')], { home })
    expect(piped).toMatchObject({ code: 0, stderr: '' })
    expect(piped.stdout).toContain('its gateway stays stopped\n  next: edit ')
    expect(await gatewayThat(running, 'second', () => true)).toMatchObject({ state: 'down', wanted: 'down' })
    expect((await running.slot('gateway-coder'))?.state).toBe('up')

    const [name = ''] = readdirSync(join(home, 'backups'))
    const taken = await hermes(['profile', 'import', join(home, 'backups', name)])
    expect([taken.code, taken.stdout]).toEqual([1, ''])
    expect(taken.stderr).toMatch(/^hermes: profile "coder" already exists: /)
    const whole = await hermes(['restore', join(home, 'backups', name), '--into', join(top, 'new')])
    expect([whole.code, whole.stderr]).toEqual([1, expect.stringContaining('has one profile, "coder", and no home')])
    await running.stop()
  }
  await using again = await startHermes({ profiles, home, keepHome: true })
  await gatewayThat(again, 'coder', ({ state }) => state === 'up')
  expect(await again.slot('gateway-second')).toMatchObject({ state: 'down', wanted: 'down' })
  expect(readFileSync(join(home, 'profiles', 'second', 'config.yaml'), 'utf8')).toContain('sleep')
})

test('started as before, a gateway runs after the next boot', async () => {
  const coder = join(home, 'profiles', 'coder')
  writeFileSync(join(coder, 'config.yaml'), 'gateway: {command: [sleep, "100000"]}\n')
  writeFileSync(join(coder, 'desired_state'), 'running\n')
  expect((await hermes(['backup', '--out', file])).code).toBe(0)
  const again = ['restore', file, '--into', join(top, 'new'), '--start-as-before']
  expect((await hermes(again)).stdout).toContain('gateways that start at the next boot: coder\n')
  await using running = await startHermes({ profiles: [], home: join(top, 'new'), keepHome: true })
  await gatewayThat(running, 'coder', ({ state }) => state === 'up')
})

test('through pipes: out of one command, into another', async () => {
  const script = `set -e; "$0" backup --out - | "$0" restore - --into "${join(top, 'new')}"; "$0" backup --out - | "$0" restore --verify -`
  const ran = await runProgram(['bash', '-o', 'pipefail', '-c', script, program('hermes')], { home })
  expect(ran).toMatchObject({ code: 0, stderr: '' })
  expect(ran.stdout).toContain('standard input is whole: ')
  expect(readFileSync(join(top, 'new', 'config.yaml'), 'utf8')).toBe('# text\n')
})

test('a reader that goes away ends it, without a stack', async () => {
  writeFileSync(join(home, 'noise'), randomBytes(5_000_000))
  const script = `"$0" backup --out - 2>"$HERMES_HOME/../said" | head -c 10 >/dev/null; echo "\${PIPESTATUS[0]}"`
  const { stdout } = await runProgram(['bash', '-c', script, program('hermes')], { home })
  const said = readFileSync(join(top, 'said'), 'utf8')
  expect([stdout, said]).toEqual(['1\n', 'hermes: standard output was closed before the backup was written\n'])
})

test('a command line that cannot work is one line, and nothing is written', async () => {
  spawnSync('mkfifo', [join(top, 'fifo')])
  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [['backup', '--out', join(top, 'fifo')], 2, /fifo is not a regular file/],
    [['backup', '--out', join(top, 'none', 'x')], 1, /none: ENOENT/],
    [['backup', '--encrypt', '--out', file], 2, /no passphrase, and no terminal to ask for one/],
    [['restore', join(top, 'none')], 1, /none/],
    [['restore', top], 2, /is not a regular file/],
    [
      ['restore', join(home, 'config.yaml'), '--into', join(top, 'new')],
      1,
      /config\.yaml is cut off or damaged at its begin/,
    ],
    [['restore', '--verify', join(home, 'config.yaml')], 1, /config\.yaml is cut off or damaged at its beginning/],
  ]
  const before = readdirSync(top)
  const nowhere = await hermes(['backup'], { HERMES_HOME: join(top, 'nowhere') })
  expect([nowhere.code, nowhere.stderr]).toEqual([
    1,
    expect.stringMatching(/nowhere does not exist, so there is nothing/),
  ])
  for (const [args, code, line] of cases) {
    const ran = await hermes(args)
    expect([ran.code, ran.stdout], args.join(' ')).toEqual([code, ''])
    expect(ran.stderr, args.join(' ')).toMatch(line)
    expect(ran.stderr.split('\n').length, ran.stderr).toBeLessThanOrEqual(3)
  }
  expect(readdirSync(top)).toEqual(before)
})

test('a passphrase comes from its file, and never appears', { timeout: 900_000 }, async () => {
  const secret = join(top, 'secret')
  writeFileSync(secret, 'a-neutral-passphrase\n')
  const env = { HERMES_BACKUP_PASSPHRASE_FILE: secret }
  const made = await hermes(['backup', '--encrypt'], env)
  expect(made.code).toBe(0)
  const [name = ''] = readdirSync(join(home, 'backups'))
  expect(name).toMatch(/\.tar\.gz\.age$/)
  const checked = await hermes(['restore', '--verify', join(home, 'backups', name)], env)
  expect(checked.stdout).toContain(' is whole: ')
  writeFileSync(secret, 'another-passphrase\n')
  const wrong = await hermes(['restore', '--verify', join(home, 'backups', name)], env)
  expect(wrong.code).toBe(1)
  expect(wrong.stderr).toContain('cannot be decrypted: the passphrase is wrong')
  chmodSync(secret, 0o600)
  for (const { stdout, stderr } of [made, checked, wrong]) expect(stdout + stderr).not.toMatch(/neutral|another-pass/)
})

const why = whyNoPostgres()
test.skipIf(why !== undefined)(named('a board in PostgreSQL comes back as lines of JSON', why), async () => {
  await using server = await startPostgres()
  const env = { HERMES_KANBAN_DATABASE: server.url }
  expect((await hermes(['kanban', 'create', 'a task of the database'], env)).code).toBe(0)
  expect((await hermes(['backup', '--out', file], env)).stderr).toContain(
    'boards in a database are left out; hermes backup',
  )
  expect(await hermes(['backup', '--with-board', '--out', file], env)).toMatchObject({ code: 0, stderr: '' })
  const restored = await hermes(['restore', file, '--into', join(top, 'new')])
  const board = join(top, 'new', 'kanban-export', 'default.jsonl')
  expect(restored.stdout).toContain(`next: HERMES_HOME=${join(top, 'new')} hermes kanban import ${board}\n`)
  const inNew = (args: readonly string[]): Promise<Ran> => command(args, { home: join(top, 'new') })
  expect((await inNew(['kanban', 'import', board])).code).toBe(0)
  expect((await inNew(['kanban', 'list'])).stdout).toContain('a task of the database')
})

test('with --keep, as many are left, and without a new backup none goes', async () => {
  const backups = join(home, 'backups')
  mkdirSync(backups)
  for (const day of [1, 2, 3]) writeFileSync(join(backups, `hermes-2020010${day}T000000Z.tar.gz`), '')
  expect((await hermes(['backup', '--keep', '2', '--encrypt'])).code).toBe(2)
  expect(readdirSync(backups)).toHaveLength(3)
  const { stdout } = await hermes(['backup', '--keep', '2'])
  expect(stdout).toContain('removed hermes-20200101T000000Z.tar.gz\n  removed hermes-20200102T000000Z.tar.gz\n')
  expect(readdirSync(backups)[0]).toBe('hermes-20200103T000000Z.tar.gz')
  expect(readdirSync(backups)).toHaveLength(2)
  expect((await hermes(['backup', '--keep', '2', '--out', file])).code).toBe(2)
  const elsewhere = await hermes(['backup', '--keep', '1', '--out', top])
  expect(elsewhere).toMatchObject({ code: 0, stdout: expect.stringMatching(`^${top}/hermes-[0-9TZ]+\\.tar\\.gz: `) })
  expect(readdirSync(backups)).toHaveLength(2)
})

test('with --json, a program learns what is in it', async () => {
  expect(existsSync(join(home, 'backups'))).toBe(false)
  expect(await hermes(['backup', '--json'])).toMatchObject({ code: 0 })
  const { stdout } = await hermes([
    'restore',
    '--json',
    '--verify',
    join(home, 'backups', readdirSync(join(home, 'backups'))[0] ?? ''),
  ])
  expect(JSON.parse(stdout)).toMatchObject({ files: 1, databases: 0, secrets: true, home })
})
