import { execFileSync, spawn } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { writeHome } from '../../support/hermes.ts'
import { type Newcomer, NpmRun, newcomersMachine } from '../../support/newcomer.ts'
import { commandBlocks, pages } from '../../support/pages.ts'
import { size } from '../../support/size.ts'

/** `npm start`, and the command for a second terminal once the gateway is up. */
const start = (machine: Newcomer, more: Readonly<Record<string, string>> = {}): NpmRun =>
  new NpmRun(machine, ['start'], more)
async function whatToType(run: NpmRun): Promise<string> {
  await run.saw(/gateway-default.* is up/)
  return (await run.saw(/In a second terminal: (.+)/))[1] as string
}

/** Typed in a terminal of its own, in a directory that has nothing to do with it. */
const typed = (machine: Newcomer, command: string): string =>
  execFileSync('sh', ['-c', command], { cwd: '/', env: machine.env, encoding: 'utf8' })

test('the first command of the README starts the default gateway, says what to type next, and Ctrl-C stops it', async () => {
  const readme = pages().find(({ path }) => path === 'README.md')
  expect(readme && commandBlocks(readme)[0]?.text).toMatch(/^npm ci && npm start\b/)
  using machine = newcomersMachine()
  await using run = start(machine)
  const status = typed(machine, await whatToType(run))
  expect(status).toMatch(/^Manager: foreground\n/)
  expect(status).toMatch(/gateway-default +up/)
  expect(status).toMatch(/^no agent configured; next: hermes setup$/m)
  expect(run.said).toContain(`hermes: no agent configured; next: ${machine.checkout}/dist/bin/hermes setup\n`)
  run.ctrlC()
  expect(await run.exit()).toBe(0)
})

test('a gateway that saves for 3 s has saved when Ctrl-C under npm is over', async () => {
  using machine = newcomersMachine()
  const home = join(machine.checkout, '.hermes')
  const saved = join(home, 'saved')
  const program = `trap "sleep 3; echo saved >${saved}; exit 0" TERM; echo >&3; while :; do sleep 0.02; done`
  writeHome(home, [
    { name: 'default', gateway: { command: ['sh', '-c', program], ready: { fd: 3 }, stop_timeout: '50s' } },
  ])
  for (let time = 0; time < size(1, 10); time++) {
    // Three seconds are longer on a busy machine.
    await using run = start(machine, { HERMES_STOP_TIMEOUT: '60' })
    await whatToType(run)
    run.ctrlC()
    expect(await run.exit()).toBe(0)
    expect(readFileSync(saved, 'utf8')).toBe('saved\n')
    expect(run.said.split('press Ctrl-C again to kill')).toHaveLength(2)
    rmSync(saved)
  }
})

test('the printed command works whatever the path of HERMES_HOME, and a gateway has the environment of the user who typed npm start', async () => {
  using machine = newcomersMachine()
  const home = join(machine.env.HOME, `it's "my" $HOME & more`)
  await using run = start(machine, {
    HERMES_HOME: home,
    npm_config_registry: 'http://localhost/',
    MY_OWN: 'kept',
  })
  const status = await whatToType(run)
  expect(typed(machine, status)).toMatch(/gateway-default +up/)
  const { pid } = JSON.parse(typed(machine, status.replace(/status$/, 'gateway status --json')))
  const environment = Object.fromEntries(
    readFileSync(`/proc/${pid}/environ`, 'utf8')
      .split('\0')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
  expect(environment).toMatchObject({ MY_OWN: 'kept', HOME: machine.env.HOME, USER: userInfo().username })
  // hermes itself can be called by its name in a gateway.
  expect(environment.PATH).toBe(`${machine.checkout}/dist/bin:${machine.env.PATH}`)
  const strangers = Object.keys(environment).filter(
    (name) => !/^(HERMES_|MY_OWN$|HOME$|USER$|LOGNAME$|PATH$|PWD$|OLDPWD$|LANG$|NODE_EXTRA_CA_CERTS$|$)/.test(name),
  )
  expect(strangers).toEqual([])
  run.ctrlC()
  expect(await run.exit()).toBe(0)
})

test('a second npm start is refused before it builds, and one for another home builds beside: no call ever fails', {
  timeout: 300_000, // two builds beside a command that never rests
}, async () => {
  using machine = newcomersMachine()
  await using first = start(machine)
  await whatToType(first)
  const dist = join(machine.checkout, 'dist')
  const tree = statSync(dist).ino
  const calls = { failed: [] as number[], all: 0, over: false }
  const calling = (async () => {
    while (!calls.over) {
      const hermes = spawn(join(dist, 'bin', 'hermes'), ['version'], { env: machine.env, stdio: 'ignore' })
      const code = await new Promise<number>((resolve) => hermes.once('close', (ended) => resolve(ended ?? -1)))
      calls.all += 1
      if (code !== 0) calls.failed.push(code)
    }
  })()
  try {
    await using second = start(machine)
    expect(await second.exit()).toBe(1)
    expect(second.said).toMatch(/Hermes is already running for .*\.hermes \(pid \d+\)\. Use it \(hermes status\)/)
    expect(statSync(dist).ino).toBe(tree)
    await using other = start(machine, { HERMES_HOME: join(machine.env.HOME, 'other') })
    await whatToType(other)
    expect(statSync(dist).ino).not.toBe(tree)
  } finally {
    calls.over = true
    await calling
  }
  expect(calls.failed).toEqual([])
  expect(calls.all).toBeGreaterThan(10)
  expect(readdirSync(machine.checkout).filter((name) => name.startsWith('dist'))).toEqual(['dist'])
})

test('the second command of the README runs on a machine without Docker, and says what it left out', async () => {
  const readme = pages().find(({ path }) => path === 'README.md')
  expect(readme && commandBlocks(readme).map(({ text }) => text)).toContain('npm ci && npm test')
  using machine = newcomersMachine()
  const { checkout, env } = machine
  // Two files in place of all: one that runs here, and one that needs an engine.
  const npm = spawn('npm', ['test', '--', 'test/slot/rows.test.ts', 'test/container/engines/swarm.test.ts'], {
    cwd: checkout,
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let said = ''
  npm.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const code = await new Promise((resolve) => npm.once('close', resolve))
  expect(said).toContain('left out: the container tests, because there is no docker client on PATH\n')
  expect(said).toMatch(/^[1-9]\d* passed, 0 failed, 0 skipped$/m)
  expect(code).toBe(0)
})

test('npm run test:unit needs no build', async () => {
  using machine = newcomersMachine()
  await using run = new NpmRun(machine, ['run', 'test:unit', '--', 'test/slot/rows.test.ts'])
  expect(await run.exit()).toBe(0)
  expect(run.said).toMatch(/^[1-9]\d* passed, 0 failed, 0 skipped$/m)
  expect(readdirSync(machine.checkout)).not.toContain('dist')
})
