// The built program, without a supervisor.
import { execFile, spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { beforeEach, describe, expect, test } from 'vitest'
import { findAll } from '../../src/cli/checks/checks.ts'
import { parseArguments } from '../../src/cli/parser/parser.ts'
import { COMMANDS, GROUPS } from '../../src/cli/tree.ts'
import { cliEnvironment, hermes, type Ran, runProgram } from '../support/cli.ts'
import { installDir, program } from '../support/install.ts'
import { quickScratchDir } from '../support/scratch.ts'

let home: string
beforeEach(() => {
  home = quickScratchDir('hermes-cli-')
})

const run = (line: string, env: Record<string, string> = {}): Promise<Ran> =>
  hermes(
    line.split(' ').filter((argument) => argument !== ''),
    { home, env },
  )

describe('without a supervisor', () => {
  test.each([
    'status',
    'gateway status',
    'gateway status --all',
    'gateway start',
    'gateway stop --no-wait',
    'gateway restart',
    'gateway start --all',
    'dashboard status',
    'service list',
    'service start x',
  ])('hermes %s ends with 4 and says what to do next', async (line) => {
    const { code, stdout, stderr } = await run(line)
    expect({ code, stdout }).toEqual({ code: 4, stdout: '' })
    expect(stderr).toMatch(
      /^hermes: Hermes is not running here \(.+\)\n {2}next: start it with hermes start or docker start NAME; .+\n$/,
    )
  })

  test('the same error is one JSON line with --json, wherever that stands', async () => {
    for (const line of ['--json gateway status', 'gateway status --json', 'gateway --json start']) {
      const { code, stdout, stderr } = await run(line)
      expect({ code, stdout }).toEqual({ code: 4, stdout: '' })
      expect(JSON.parse(stderr)).toEqual({
        error: { code: 'NO_SUPERVISOR', message: expect.any(String), next: expect.any(String) },
      })
    }
  })

  test('a health check is 1, with one line', async () => {
    for (const line of ['healthcheck', 'healthcheck --ready', 'healthcheck --ready coder']) {
      const { code, stdout } = await run(line)
      expect(code).toBe(1)
      expect(stdout).toMatch(/^unhealthy: [^\n]+\n$/)
    }
  })

  test('a profile is made, listed, shown, used, renamed and deleted', async () => {
    const made = await run('profile create Coder --description writes')
    expect(made).toMatchObject({ code: 0, stderr: '' })
    expect(made.stdout).toContain(join(home, 'profiles', 'coder'))
    expect(made.stdout).toContain('the supervisor is not running')
    expect(statSync(join(home, 'profiles', 'coder', '.env')).mode & 0o777).toBe(0o600)

    const list = JSON.parse((await run('profile list --json')).stdout)
    expect(list).toEqual([
      { name: 'default', wanted: 'down', description: '', active: true },
      { name: 'coder', wanted: 'down', description: 'writes', active: false },
    ])
    expect((await run('profile use coder')).code).toBe(0)
    expect(JSON.parse((await run('profile show --json')).stdout)).toMatchObject({ name: 'coder', active: true })
    expect((await run('profile rename coder writer')).code).toBe(0)
    expect((await run('profile list -q')).stdout).toBe('default\nwriter\n')
    expect(JSON.parse((await run('profile show --json')).stdout)).toMatchObject({ name: 'writer', active: true })
    expect((await run('profile delete writer --yes')).code).toBe(0)
    expect(JSON.parse((await run('profile show --json')).stdout)).toMatchObject({ name: 'default', active: true })
  })

  test('of ten that create the same profile at once one wins, and the profile is whole', async () => {
    const all = await Promise.all(Array.from({ length: 10 }, (_, i) => run(`profile create twin --description by${i}`)))
    expect(all.map(({ code }) => code).sort()).toEqual([0, ...Array(9).fill(1)])
    for (const { code, stderr } of all)
      if (code === 1) expect(stderr).toMatch(/^hermes: profile "twin" already exists: .*\n {2}next: /)
    const winner = all.findIndex(({ code }) => code === 0)
    expect(readFileSync(join(home, 'profiles', 'twin', 'config.yaml'), 'utf8')).toContain(`by${winner}`)
  })
})

describe('deleting', () => {
  beforeEach(async () => {
    await run('profile create coder')
  })

  test('wants the name or --yes, and prints the full command', async () => {
    const { code, stderr } = await run('profile delete coder --keep-logs')
    expect(code).toBe(2)
    expect(stderr).toContain('next: hermes profile delete coder --yes --keep-logs')
    expect((await run('profile show coder')).code).toBe(0)
  })

  test('takes the name from standard input, and nothing but the name', async () => {
    const piped = (input: string) => hermes(['profile', 'delete', 'coder', '--json'], { home, input })
    expect(await piped('codr\n')).toMatchObject({ code: 1, stdout: '' })
    expect(JSON.parse((await piped('coder\n')).stdout)).toMatchObject({ name: 'coder', stopped_workers: [] })
  })

  test('on a terminal wants the name typed', async () => {
    // script(1) gives it a terminal and types what it reads itself.
    const typed = (input: string) =>
      runProgram(['script', '-qec', `"${program('hermes')}" profile delete coder`, '/dev/null'], { home, input })
    const wrong = await typed('codr\n')
    expect(wrong).toMatchObject({ code: 1, stdout: expect.stringContaining('nothing was deleted') })
    expect(wrong.stdout).toContain(join(home, 'profiles', 'coder'))
    expect((await run('profile show coder')).code).toBe(0)
    expect(await typed('coder\n')).toMatchObject({ code: 0, stdout: expect.stringContaining('deleted') })
    expect((await run('profile show coder')).code).toBe(3)
  })

  test('takes the name from standard input where there is no terminal', async () => {
    const typed = (input: string) => runProgram([program('hermes'), 'profile', 'delete', 'coder'], { home, input })
    expect(await typed('codr\n')).toMatchObject({ code: 1, stderr: expect.stringContaining('nothing was deleted') })
    expect((await run('profile show coder')).code).toBe(0)
    expect(await typed('coder\n')).toMatchObject({ code: 0, stdout: expect.stringContaining('deleted') })
    expect((await run('profile show coder')).code).toBe(3)
  })

  test('of default is refused, of an unknown one is 3', async () => {
    expect(await run('profile delete default --yes')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('cannot be deleted'),
    })
    expect(await run('profile delete codr --yes')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('did you mean "coder"'),
    })
  })
})

test.each([
  ['profile', 'Manage profiles'],
  ['service', 'Manage the services that the image defines'],
])('hermes --help and hermes %s say what the group is for (%s), not which commands it has', async (group, summary) => {
  expect((await run('--help')).stdout).toMatch(new RegExp(`^ +${group} +${summary}$`, 'm'))
  expect((await run(group)).stdout).toMatch(new RegExp(`^${summary}$`, 'm'))
})

test.each(['profile', 'kanban', 'config', 'service'])('hermes %s alone shows what the group can do', async (group) => {
  const { code, stdout, stderr } = await run(group)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(new RegExp(`^Usage: hermes ${group} `))
  expect(stdout.length).toBeGreaterThan(300)
})

test.each(['gateway start', 'config set', 'kanban list', 'doctor', 'profile create'])(
  'the help of %s names the options that every command takes',
  async (command) => {
    const { stdout } = await run(`${command} --help`)
    expect(stdout).toContain('-p, --profile <NAME>')
    expect(stdout).toContain('--json')
  },
)

describe('config.yaml', () => {
  const file = () => join(home, 'config.yaml')

  test('is 0640, no matter which command writes it: it may hold secrets', async () => {
    await run('profile create coder')
    await run('config set description mine')
    for (const path of [join(home, 'profiles', 'coder', 'config.yaml'), file()])
      expect(statSync(path).mode & 0o777, path).toBe(0o640)
  })

  test('set gateway.command warns of a program that is nowhere, and sets it all the same', async () => {
    for (const [value, warning] of [
      ['[no-such-program, -x]', '"no-such-program" was not found on PATH'],
      ['[./no/such/file]', '"./no/such/file" does not exist'],
      ['[sh, -c, "exec x"]', ''],
      ['null', ''],
    ] as const) {
      const { code, stderr } = await hermes(['config', 'set', 'gateway.command', value], { home })
      expect(code).toBe(0)
      if (warning === '') expect(stderr).toBe('')
      else expect(stderr).toContain(`hermes: warning: ${warning}`)
    }
  })

  test('and names each directory of PATH once, as the gateway will have it', async () => {
    const bin = dirname(program('hermes'))
    const node = dirname(process.execPath)
    const env = { PATH: `${node}:${bin}:/bin` }
    const { stderr } = await hermes(['config', 'set', 'gateway.command', '[no-such-program]'], { home, env })
    expect(stderr).toContain(`was not found on PATH (${bin}:${node}:/bin)`)
  })

  test('edit without an editor says so, changes nothing, and takes a whole file from standard input', async () => {
    writeFileSync(file(), 'description: mine\n')
    const edit = (input: string, env: Record<string, string> = {}) => hermes(['config', 'edit'], { home, input, env })
    expect(await edit('', { EDITOR: 'no-such-editor' })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        'hermes: no editor found (tried no-such-editor); nothing was changed\n  next: set EDITOR',
      ),
    })
    expect((await edit('gateway:\n  restart: sometimes\n')).stderr).toContain('line 2')
    expect(readFileSync(file(), 'utf8')).toBe('description: mine\n')
    expect((await edit('description: yours\n')).code).toBe(0)
    expect(readFileSync(file(), 'utf8')).toBe('description: yours\n')
  })
})

describe('wrong usage ends with 2, names what is wrong and the nearest right thing', () => {
  test.each([
    ['gatewy start', 'unknown command', 'hermes gateway?'],
    ['gateway strt', 'unknown command', 'hermes gateway start?'],
    ['profile create', "missing required argument 'NAME'", 'hermes profile'],
    ['profile create a --strat', "unknown option '--strat'", '--start'],
    ['status now', 'hermes status takes no arguments, but got "now"', 'hermes status --help'],
    ['profile show a b', 'hermes profile show takes at most one argument, but got "b"', 'hermes profile'],
    ['log coder', 'unknown command', 'hermes logs?'],
    ['start coder', 'hermes start takes no name', 'hermes gateway start coder'],
    ['-p coder stop', 'hermes stop takes no name', 'hermes gateway stop coder'],
    ['restart coder', 'unknown command', 'hermes gateway restart coder?'],
    ['list', 'unknown command', 'hermes profile list?'],
    ['create coder', 'unknown command', 'hermes profile create coder?'],
    ['ps', 'unknown command', 'hermes status?'],
    ['up coder', 'unknown command', 'hermes gateway start coder?'],
    ['rm coder', 'unknown command', 'hermes profile delete coder?'],
    ['gateway rest coder', 'unknown command', 'hermes gateway restart?'],
    ['gateway start --timeout soon', '--timeout', ''],
    ['logs --lines many', '--lines', ''],
    ['logs --since yesterday', '--since', ''],
    ['logs agent --level loud', '--level', ''],
    ['completion tcsh', "unknown command 'tcsh'", ''],
    ['-p', '-p requires', 'hermes profile list'],
    ['config get gateway.restrt', 'no key', 'gateway.restart'],
  ])('hermes %s', async (line, what, next) => {
    const { code, stdout, stderr } = await run(line)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(what)
    expect(stderr).toContain(next)
    expect(stderr.split('\n').length).toBeLessThanOrEqual(3)
  })

  // The arguments of `hermes "$UNSET"`; `run` would drop empty ones.
  test.each([
    [[''], 'hermes --help'],
    [['', '--tui'], 'hermes --help'],
    [['help', ''], 'hermes --help'],
    [['profile', ''], 'hermes profile --help'],
    [['gateway', ''], 'hermes gateway --help'],
    [['kanban', ''], 'hermes kanban --help'],
  ])('an empty argument is not a command: hermes %j', async (args, next) => {
    expect(await hermes(args, { home })).toEqual({
      code: 2,
      stdout: '',
      stderr: `hermes: unknown command ''\n  next: ${next}\n`,
    })
  })
})

test.each([
  '-p nobody gateway status',
  '-p ../etc config get',
  '-p Root env',
  'logs nobody',
  'profile show nobody',
  'profile use nobody',
  'profile rename nobody x',
  'profile create a --clone nobody',
])('hermes %s ends with 3: no such profile', async (line) => {
  expect(await run(line)).toMatchObject({ code: 3, stdout: '' })
})

test.each(['Bad!', 'default', 'root', 'x'.repeat(65)])('profile create %s ends with 1', async (name) => {
  expect(await run(`profile create ${name}`)).toMatchObject({ code: 1, stderr: expect.stringContaining('next: ') })
})

describe('version', () => {
  test.each(['--version', '-V'])('hermes %s prints one line', async (line) => {
    expect(await run(line)).toEqual({ code: 0, stdout: expect.stringMatching(/^hermes \d+\.\d+\.\d+\n$/), stderr: '' })
  })

  test('hermes version says which build it is: of a checkout, by its commit', async () => {
    const { code, stdout, stderr } = await run('version')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^hermes \d+\.\d+\.\d+\n {2}revision {3}\S+\n {2}built {6}\d{4}-\d\d-\d\dT[\d:]+Z\n$/)
    const json = JSON.parse((await run('version --json')).stdout)
    expect(json).toMatchObject({ version: expect.any(String), builtAt: expect.any(String), baseImage: null })
    const root = join(import.meta.dirname, '../..')
    const git = spawnSync('git', ['-C', root, 'rev-parse', 'HEAD'], { encoding: 'utf8' })
    // An unpacked archive has none.
    expect(json.revision.replace(/-dirty$/, '')).toBe(git.status === 0 ? git.stdout.trim() : 'unknown')
  })

  test('NODE_* of the caller reach neither Node nor anything else', async () => {
    const { code, stdout } = await run('version', { NODE_OPTIONS: '--require /nowhere', NODE_PATH: '/x' })
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('hermes') })
  })

  test('through a link, from another directory, by PATH', async () => {
    symlinkSync(program('hermes'), join(home, 'link'))
    const exec = promisify(execFile)
    const env = { ...cliEnvironment({ home }), PATH: `${join(installDir(), 'bin')}:${cliEnvironment({ home }).PATH}` }
    const ways = [
      [join(home, 'link'), ['version']],
      ['sh', ['-c', 'cd / && hermes version']],
    ] as const
    for (const [file, args] of ways) {
      expect((await exec(file, args, { env, cwd: home })).stdout).toMatch(/^hermes /)
    }
  })
})

describe('config', () => {
  test('set keeps comments, get shows the source, check finds what an editor broke', async () => {
    await run('profile create coder')
    const file = join(home, 'profiles', 'coder', 'config.yaml')
    const seeded = readFileSync(file, 'utf8')
    expect((await run('-p coder config set gateway.restart never')).code).toBe(0)
    const kept = seeded.split('\n')
    expect(
      readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => kept.includes(line)),
    ).toEqual(kept)
    expect(JSON.parse((await run('-p coder config get gateway.restart --json')).stdout)).toEqual({
      key: 'gateway.restart',
      value: 'never',
      source: file,
    })
    expect((await run('-p coder config get gateway.stop_timeout')).stdout).toBe('10s\n')
    expect((await run('-p coder config check')).code).toBe(0)

    const broken = readFileSync(file, 'utf8').replace('restart: never', 'restart: nver')
    const editor = join(home, 'editor')
    writeFileSync(join(home, 'broken'), broken)
    writeFileSync(editor, `#!/bin/sh\n[ "$1" = --now ] && cp ${join(home, 'broken')} "$2"\n`)
    chmodSync(editor, 0o755)
    const edited = await run('-p coder config edit', { EDITOR: `${editor} --now` })
    expect(edited.code).toBe(1)
    expect(edited.stdout).toMatch(
      /config\.yaml, line \d+: gateway\.restart: expected always, on-failure or never, got "nver"/,
    )
    expect((await run('config check --all')).code).toBe(1)
  })

  test('a pool that kanban.pools does not have is reported with its line, and set all the same', async () => {
    await run('profile create coder')
    const file = join(home, 'profiles', 'coder', 'config.yaml')
    const first = await run('-p coder config set agent.pool gpu')
    const line =
      readFileSync(file, 'utf8')
        .split('\n')
        .findIndex((one) => /^ +pool: gpu/.test(one)) + 1
    const problem = `${file}, line ${line}: agent.pool: expected a pool of kanban.pools (there are none), got "gpu"`
    expect(first.code).toBe(0)
    expect(first.stderr).toContain(problem)
    expect(await run('config check --all')).toMatchObject({ code: 1, stdout: expect.stringContaining(problem) })
    expect((await run('config set kanban.pools {"gpu":2}')).code).toBe(0)
    expect((await run('config check --all')).code).toBe(0)
    expect(await run('-p coder config set agent.pool tpu')).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('expected a pool of kanban.pools (gpu), got "tpu"'),
    })
    // Boards in a database may have pools of their own.
    const inDatabase = { HERMES_KANBAN_DATABASE_FILE: join(home, 'address') }
    expect((await run('-p coder config check', inDatabase)).code).toBe(0)
    expect((await run('-p coder config set agent.pool GPU')).code).toBe(2)
    expect((await run('config set kanban.pools {"gpu":0}')).code).toBe(2)
  })

  test.each([
    ['kanban.failure_limit', '3', 'from the next tick of the dispatcher', 'hermes kanban dispatch'],
    ['agent.pool', 'gpu', 'from the next tick of the dispatcher', 'hermes kanban dispatch'],
    ['kanban.dispatch_in_gateway', 'false', 'within two seconds', undefined],
    ['dashboard.port', '9000', 'from the next start of the dashboard', 'hermes dashboard restart'],
    ['description', 'mine', 'at once', undefined],
    ['agent.command', '[cat]', 'for a running gateway from its next start', 'hermes -p default gateway restart'],
    ['logging.archives', '3', 'from the next start of the gateway', 'hermes -p default gateway restart'],
  ])('set says when %s counts', async (key, value, when, next) => {
    const { code, stdout } = await run(`config set ${key} ${value}`)
    expect(code).toBe(0)
    expect(stdout.split('\n')[0]).toMatch(new RegExp(`${key} is set; it counts .*${when}$`))
    expect(/next: (.*)/.exec(stdout)?.[1]).toBe(next)
  })

  test.each([
    ['kanban.max_in_progress', '3'],
    ['dashboard.port', '9000'],
  ])('%s counts in the default profile only: set says so elsewhere, get shows what is in force', async (key, value) => {
    await run('profile create coder')
    const file = join(home, 'profiles', 'coder', 'config.yaml')
    const before = readFileSync(file, 'utf8')
    expect(await run(`-p coder config set ${key} ${value}`)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`hermes -p default config set ${key} VALUE`),
    })
    expect(readFileSync(file, 'utf8')).toBe(before)
    expect((await run(`config set ${key} ${value}`)).code).toBe(0)
    expect(JSON.parse((await run(`-p coder config get ${key} --json`)).stdout)).toEqual({
      key,
      value: Number(value),
      source: join(home, 'config.yaml'),
    })
  })

  test('set refuses what the key does not take and writes nothing', async () => {
    expect(await run('config set gateway.restart sometimes')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('expected always, on-failure or never'),
    })
    expect(() => statSync(join(home, 'config.yaml'))).toThrow('ENOENT')
  })
})

test('env prints each variable with its source and masks secrets', async () => {
  await run('profile create coder')
  writeFileSync(
    join(home, 'profiles', 'coder', '.env'),
    'OPENAI_API_KEY=sk-1234567890\nPLAIN=x\nURL=postgres://me:hunter2@db/x\nnonsense\n',
  )
  const { stdout } = await run('-p coder env')
  expect(stdout).toContain('OPENAI_API_KEY=****  # .env\n')
  expect(stdout).toContain('PLAIN=x  # .env\n')
  expect(stdout).toContain('HERMES_PROFILE=coder  # supervisor\n')
  expect(stdout).toContain('line 4: expected NAME=value')
  expect(stdout).not.toMatch(/sk-1234|hunter2/)
})

test('a reader that goes away (| head) is not an error', async () => {
  const dir = join(home, 'logs', 'gateways', 'default')
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(dir, 'current'), '2026-11-22T12:15:18.810Z line\n'.repeat(200_000))
  const { stdout, stderr } = await promisify(execFile)(
    'bash',
    ['-c', `"${program('hermes')}" logs -n all | head -1; echo "\${PIPESTATUS[0]}"`],
    { env: cliEnvironment({ home }) },
  )
  expect({ stdout, stderr }).toEqual({ stdout: '2026-11-22T12:15:18.810Z line\n0\n', stderr: '' })
})

describe('help', () => {
  test.each([...COMMANDS.map(({ path }) => path), ...GROUPS.map(({ name }) => name)])(
    'of %s says how it is used',
    (path) => {
      expect(parseArguments([...path.split(' '), '--help'], COMMANDS, GROUPS)).toEqual({
        help: expect.stringContaining(`Usage: hermes ${path}`),
      })
    },
  )

  test.each(['--help', '-h', 'help', 'help gateway start', 'gateway -h', 'gateway start --help'])(
    'hermes %s ends with 0',
    async (line) => {
      expect(await run(line)).toMatchObject({ code: 0, stdout: expect.stringContaining('Usage: hermes'), stderr: '' })
    },
  )

  test.each([
    ['help nosuch', "unknown command 'nosuch'"],
    ['nosuch --help', "unknown command 'nosuch'"],
    ['help statsu', 'Did you mean hermes status?'],
    ['gateway strat --help', 'Did you mean hermes gateway start?'],
  ])('hermes %s is an unknown command', async (line, text) => {
    expect(await run(line)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(text) })
  })

  test.each([
    ['config set', 'hermes config set --help'],
    ['profile create', 'hermes profile create --help'],
    ['gateway start --nosuch', 'hermes gateway start --help'],
    ['kanban add', 'hermes kanban --help'],
    ['gateway run --nosupervise', 'Did you mean --no-supervise? "hermes gateway run --help" lists its options'],
    ['completion tcsh', 'hermes completion --help'],
  ])('a mistake in hermes %s names the help of that command', async (line, help) => {
    expect(await run(line)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(help) })
  })

  test('hermes gateway help is hermes gateway --help', async () => {
    expect(await run('gateway help')).toEqual(await run('gateway --help'))
  })

  test.each(['', '--'])('hermes %s alone says how things stand and what can be typed', async (line) => {
    expect(await run(line)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Commands:'),
      stderr: expect.stringContaining('not running'),
    })
  })
})

test('doctor names what has to be repaired', async () => {
  await run('profile create coder')
  chmodSync(join(home, 'profiles', 'coder', '.env'), 0o644)
  writeFileSync(join(home, 'profiles', 'coder', 'config.yaml'), 'gateway: {restart: x}\n')
  mkdirSync(join(home, 'profiles', 'Bad Name'))
  writeFileSync(join(home, 'gateway.pid'), '{"pid":1,"start_time":1}')
  for (const name of ['coder', 'b']) {
    await run(`profile create ${name}`)
    writeFileSync(join(home, 'profiles', name, '.env'), 'API_SERVER_ENABLED=1\nAPI_SERVER_PORT=47891\n')
  }
  const interrupted = join(home, 'profiles', '.new-coder-1')
  mkdirSync(interrupted)
  const { code, stdout } = await run('doctor --json')
  const findings = JSON.parse(stdout) as readonly { check: string; state: string; text: string; next?: string }[]
  expect(findings).toContainEqual({
    check: 'stale files',
    state: 'warn',
    text: `${interrupted} is an incomplete profile`,
    next: `left by an interrupted command; safe to delete: rm -r ${interrupted}`,
  })
  const texts = findings.map(({ check, state, text }) => `${state} ${check}: ${text}`)
  expect(texts).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^warn profiles: .*\.env is readable by other users/),
      expect.stringMatching(/^warn profiles: .*line 1: gateway\.restart/),
      expect.stringMatching(/^warn profiles: .*Bad Name is not a profile/),
      expect.stringMatching(/^warn stale files: .*gateway\.pid/),
      expect.stringMatching(/^fail ports: .*both want port 47891/),
    ]),
  )
  expect(code).toBe(1)
})

test.each(['abc', '0', '70000', '-1'])('doctor names a port that is not one: %s', async (port) => {
  writeFileSync(join(home, '.env'), `API_SERVER_ENABLED=1\nAPI_SERVER_PORT=${port}\n`, { mode: 0o600 })
  const { code, stdout } = await run('doctor')
  expect(code).toBe(1)
  expect(stdout).toContain(
    'fail ports: API_SERVER_PORT of "default" is not a whole number from 1 to 65535\n' +
      '       next: set another API_SERVER_PORT\n',
  )
})

test('doctor names a directory that it may not read, and still looks at the others', async () => {
  const locked = join(home, 'profiles', 'locked')
  mkdirSync(locked, { recursive: true })
  writeFileSync(join(home, 'config.yaml'), 'gateway: {restart: x}\n')
  chmodSync(locked, 0o000)
  // root may read everything, so then it is asked as another user, who may not enter where the install lies either.
  const install = join(home, 'install')
  cpSync(installDir(), install, { recursive: true })
  chmodSync(home, 0o755)
  const asSomebody = ['setpriv', '--reuid', '12345', '--regid', '12345', '--clear-groups', '--']
  const who = process.getuid?.() === 0 ? asSomebody : []
  const { code, stdout } = await runProgram([...who, join(install, 'bin', 'hermes'), 'doctor'], { home })
  expect(stdout).toMatch(new RegExp(`^fail +volume: cannot be checked: EACCES.*'${locked}'`, 'm'))
  expect(stdout).toMatch(/^warn +profiles: .*line 1: gateway\.restart/m)
  expect(stdout).toMatch(/^ok +disk: /m)
  expect(code).toBe(1)
  chmodSync(locked, 0o755)
})

test('a check of doctor that fails itself is a finding, and the others still look', async () => {
  const context = undefined as unknown as Parameters<typeof findAll>[0]
  const findings = await findAll(context, {
    broken: () => {
      throw Object.assign(new Error('EACCES: permission denied, lstat /x'), { code: 'EACCES' })
    },
    whole: () => [{ check: 'whole', state: 'ok', text: 'fine' }],
  })
  expect(findings).toEqual([
    expect.objectContaining({ check: 'broken', state: 'fail', text: expect.stringContaining('EACCES') }),
    { check: 'whole', state: 'ok', text: 'fine' },
  ])
})

describe('env set and unset', () => {
  const dotEnv = () => readFileSync(join(home, '.env'), 'utf8')
  const set = (name: string, input: string) => hermes(['env', 'set', name], { home, input })

  test('a value comes from standard input, is never shown, and other lines stay', async () => {
    writeFileSync(join(home, '.env'), '# mine\nexport A=1\nB=2 # two\n', { mode: 0o644 })
    for (const value of ['plain', 'with # hash', `it's "both" $HOME \\`, ' spaced ', 'last']) {
      const { code, stdout, stderr } = await set('A', `${value}\n`)
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(stdout).not.toContain(value)
      expect(JSON.parse((await run('env --json')).stdout).variables).toContainEqual({
        name: 'A',
        value,
        source: '.env',
      })
    }
    expect(dotEnv()).toMatch(/^# mine\nA=.*\nB=2 # two\n$/)
    expect(statSync(join(home, '.env')).mode & 0o777).toBe(0o600)
    expect((await run('env unset A')).code).toBe(0)
    expect(dotEnv()).toBe('# mine\nB=2 # two\n')
  })

  test('a value that does not fit into one line is refused, and nothing is repeated or changed', async () => {
    writeFileSync(join(home, '.env'), "A='two\nlines'\n")
    for (const [name, input] of [
      ['A', 'x\n'],
      ['sk-secret', 'x\n'],
      ['B', ''],
      ['B', 'sk-secret\nmore\n'],
    ] as const) {
      const { code, stdout, stderr } = await set(name, input)
      expect(code, name).toBe(2)
      expect(stdout + stderr).not.toContain('sk-secret')
    }
    expect(dotEnv()).toBe("A='two\nlines'\n")
  })
})
