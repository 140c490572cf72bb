import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { writeHome } from '../support/hermes.ts'
import { commandBlocks, pages, root } from '../support/pages.ts'
import { pathWithout } from '../support/path-without.ts'
import { size } from '../support/size.ts'
import { waitFor, within } from '../support/wait.ts'

/** A fresh checkout on a machine that has a Node and npm of its own, whatever their version, no Docker, and nothing of ours. */
interface Newcomer {
  readonly checkout: string
  readonly env: { readonly PATH: string; readonly HOME: string }
}

function newcomersMachine(): Disposable & Newcomer {
  const dir = mkdtempSync(join(tmpdir(), 'hermes-newcomer-'))
  const checkout = join(dir, 'checkout')
  for (const name of [
    'bin',
    'src',
    'scripts',
    'docker',
    'test',
    '.npmrc',
    'LICENSE',
    'package.json',
    'tsconfig.json',
    'vitest.config.ts',
  ]) {
    cpSync(join(root, name), join(checkout, name), { recursive: true, verbatimSymlinks: true })
  }
  // What npm ci would make; it is the same in every checkout.
  symlinkSync(join(root, 'node_modules'), join(checkout, 'node_modules'))
  const programs = pathWithout(join(dir, 'bin'), (name) => name.startsWith('docker'))
  return {
    checkout,
    env: { PATH: programs, HOME: dir },
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  }
}

/** `npm start` in the background of a test, with everything it says. */
class Started implements AsyncDisposable {
  readonly #npm: ChildProcess
  readonly #ended: Promise<number | null>
  #said = ''

  constructor({ checkout, env }: Newcomer, more: Readonly<Record<string, string>> = {}) {
    this.#npm = spawn('npm', ['start'], {
      cwd: checkout,
      env: { ...env, ...more },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.#npm.stdout, this.#npm.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#said += text
      })
    this.#ended = new Promise((resolve) => this.#npm.once('exit', resolve))
  }

  get said(): string {
    return this.#said
  }

  /** The command for a second terminal, once the gateway is up. */
  async whatToType(): Promise<string> {
    const up = waitFor('the default gateway', () => /gateway-default.* is up/.test(this.#said) || seen(this.#said), {
      deadlineMs: 100_000,
    })
    await Promise.race([up, this.#ended.then((code) => seen(`npm start ended with ${code}: ${this.#said}`))])
    return /In a second terminal: (.+)/.exec(this.#said)?.[1] ?? seen(this.#said)
  }

  /** Ctrl-C reaches the whole foreground process group; npm passes its own on besides. */
  ctrlC(): void {
    process.kill(-(this.#npm.pid as number), 'SIGINT')
  }

  exit(): Promise<number | null> {
    return within('npm start to end', this.#ended, { seen: () => this.#said, deadlineMs: 60_000 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#npm.exitCode === null) process.kill(-(this.#npm.pid as number), 'SIGKILL')
    await this.#ended
  }
}

const seen = (said: string): never => {
  throw new Error(said)
}

/** Typed in a terminal of its own, in a directory that has nothing to do with it. */
const typed = (machine: Newcomer, command: string): string =>
  execFileSync('sh', ['-c', command], { cwd: '/', env: machine.env, encoding: 'utf8' })

test('the first command of the README starts the default gateway, says what to type next, and Ctrl-C stops it', async () => {
  const readme = pages().find(({ path }) => path === 'README.md')
  expect(readme && commandBlocks(readme)[0]?.text).toMatch(/^npm ci && npm start\b/)
  using machine = newcomersMachine()
  await using run = new Started(machine)
  const status = typed(machine, await run.whatToType())
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
  writeHome(home, [{ name: 'default', gateway: { command: ['sh', '-c', program], ready: { fd: 3 } } }])
  for (let time = 0; time < size(1, 10); time++) {
    await using run = new Started(machine)
    await run.whatToType()
    run.ctrlC()
    expect(await run.exit()).toBe(0)
    expect(readFileSync(saved, 'utf8')).toBe('saved\n')
    expect(run.said.split('press Ctrl-C again to kill')).toHaveLength(2)
    rmSync(saved)
  }
})

test('the printed command works whatever the path of HERMES_HOME, and a gateway has the environment of who typed npm start', async () => {
  using machine = newcomersMachine()
  const home = join(machine.env.HOME, `it's "my" $HOME & more`)
  await using run = new Started(machine, {
    HERMES_HOME: home,
    npm_config_registry: 'http://localhost/',
    MY_OWN: 'kept',
  })
  const status = await run.whatToType()
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

test('a second npm start is refused before it builds, and one for another home builds beside: no call ever fails', async () => {
  using machine = newcomersMachine()
  await using first = new Started(machine)
  await first.whatToType()
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
    await using second = new Started(machine)
    expect(await second.exit()).toBe(1)
    expect(second.said).toMatch(/Hermes is already running for .*\.hermes \(pid \d+\)\. Use it \(hermes status\)/)
    expect(statSync(dist).ino).toBe(tree)
    await using other = new Started(machine, { HERMES_HOME: join(machine.env.HOME, 'other') })
    await other.whatToType()
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
  const npm = spawn('npm', ['test', '--', 'test/slot/rows.test.ts'], {
    cwd: checkout,
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let said = ''
  npm.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const code = await new Promise((resolve) => npm.once('exit', resolve))
  expect(said).toContain('left out: the container tests, because there is no docker client on PATH\n')
  expect(said).toMatch(/^[1-9]\d* passed, 0 failed, 0 skipped$/m)
  expect(code).toBe(0)
})
