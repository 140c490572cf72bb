// The form of `npm start`, with a fake supervisor: no image, no main program, nothing dropped.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { readProcess } from '../../../src/system/programs/proc.ts'
import { outputOf } from '../../support/programs/output.ts'
import { scratchDir } from '../../support/scratch.ts'
import { FakeInstall, type FakeSupervisor } from '../../support/supervisor/fake-supervisor.ts'
import { readWaiting } from '../../support/supervisor/read-waiting.ts'
import { realNative } from '../../support/supervisor/real-native.ts'
import { Terminal } from '../../support/terminal.ts'
import { named, whyNotRoot } from '../../support/tools.ts'
import { waitFor, within } from '../../support/wait.ts'

const isRoot = process.getuid?.() === 0
/** The user to run as: root too runs these as another user, because `npm start` does not need root. */
const asUser = isRoot ? ['setpriv', '--reuid', '4321', '--regid', '4321', '--clear-groups', '--'] : []

function launch(
  install: FakeInstall,
  home: string,
  env: Readonly<Record<string, string>> = {},
  stdout: 'ignore' | 'pipe' | number = 'ignore',
  stderr: 'pipe' | number = 'pipe',
): ChildProcess {
  const [file = '', ...args] = [...asUser, join(install.dir, 'bin', 'init'), '--foreground']
  return spawn(file, args, {
    env: { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, HOME: '/nowhere', HERMES_HOME: home, ...env },
    stdio: ['ignore', stdout, stderr],
  })
}

class Foreground implements AsyncDisposable {
  readonly home: string
  readonly install: FakeInstall
  readonly process: ChildProcess
  readonly #ended: Promise<number | null>
  #stderr = ''

  constructor(home: string, install: FakeInstall, env: Readonly<Record<string, string>>) {
    this.home = home
    this.install = install
    this.process = launch(install, home, env)
    this.process.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr += chunk
    })
    this.#ended = new Promise((resolve) => this.process.once('close', resolve))
  }

  static async start(env: Readonly<Record<string, string>> = {}, prepare: (home: string) => void = () => undefined) {
    const home = mkdtempSync(join(tmpdir(), 'hermes-foreground-'))
    prepare(home)
    if (isRoot) chownSync(home, 4321, 4321)
    return new Foreground(home, await FakeInstall.make(), env)
  }

  get stderr(): string {
    return this.#stderr
  }

  async supervisor(): Promise<FakeSupervisor> {
    const first = await this.install.life(1)
    await first.hello()
    return first
  }

  writeRun(slot: string, script: string): void {
    mkdirSync(join(this.home, 'run/service', slot))
    writeFileSync(join(this.home, 'run/service', slot, 'run'), script)
  }

  exit(): Promise<number | null> {
    return within('init to end', this.#ended, { seen: () => this.#stderr })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill('SIGKILL')
    await this.#ended
    await this.install[Symbol.asyncDispose]()
    rmSync(this.home, { recursive: true, force: true })
  }
}

const obeys = 'trap "exit 0" TERM; echo >&3; while :; do sleep 0.02; done'

test('says what it supervises and what to type next; nothing is dropped; the run directory is its user’s alone', async () => {
  await using run = await Foreground.start()
  const { start } = await run.supervisor()
  expect(start).toMatchObject({
    foreground: true,
    dropped: false,
    pid1: false,
    layout: 'private',
    runDir: join(run.home, 'run'),
    main: [],
  })
  expect(start.identity.uid).toBe(isRoot ? 4321 : process.getuid?.())
  expect(start.identity.home).toBe('/nowhere')
  expect(run.stderr).toContain(
    `supervising ${run.home}; Ctrl-C or hermes stop stops it. In a second terminal: HERMES_HOME=${run.home} ${run.install.dir}/bin/hermes status`,
  )
  expect(statSync(join(run.home, 'run')).mode & 0o777).toBe(0o700)
  expect(statSync(join(run.home, 'run/control.sock')).isSocket()).toBe(true)
})

test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('%s stops the slots and ends with 0', async (signal) => {
  await using run = await Foreground.start()
  const supervisor = await run.supervisor()
  run.writeRun('a', obeys)
  await supervisor.spawned('a', { notificationFd: 3 })
  await supervisor.got('ready')
  run.process.kill(signal)
  expect(await supervisor.got('exit')).toMatchObject({ ending: { exitCode: 0 } })
  supervisor.send({ type: 'drained' })
  expect(await run.exit()).toBe(0)
})

const PRESS_AGAIN = 'hermes: stopping; press Ctrl-C again to kill\n'
const timesSaid = (run: Foreground, text: string): number => run.stderr.split(text).length - 1

test('one Ctrl-C that arrives twice, as under npm, lets a gateway that saves for 3 s finish', async () => {
  await using run = await Foreground.start({ HERMES_STOP_TIMEOUT: '60' })
  const supervisor = await run.supervisor()
  run.writeRun(
    'saver',
    `trap 'sleep 3; exec echo saved > ${run.home}/run/saved' TERM; echo >&3; while :; do sleep 0.02; done`,
  )
  await supervisor.spawned('saver', { notificationFd: 3, stopTimeoutMs: 50_000 })
  await supervisor.got('ready')
  // As soon as the first one has been heard, without a pause between two looks: later it is a person's second one.
  const again = (): void => {
    if (timesSaid(run, PRESS_AGAIN) === 0) return
    run.process.stderr?.off('data', again)
    run.process.kill('SIGINT')
  }
  run.process.stderr?.on('data', again)
  run.process.kill('SIGINT')
  expect(await supervisor.got('exit')).toMatchObject({ ending: { exitCode: 0 } })
  expect(readFileSync(join(run.home, 'run/saved'), 'utf8')).toBe('saved\n')
  supervisor.send({ type: 'drained' })
  expect(await run.exit()).toBe(0)
  expect(timesSaid(run, PRESS_AGAIN)).toBe(1)
})

test('a second Ctrl-C a second later kills what is still stopping, and names it', async () => {
  await using run = await Foreground.start()
  const supervisor = await run.supervisor()
  run.writeRun('deaf', 'trap "" TERM; echo >&3; while :; do sleep 0.02; done')
  await supervisor.spawned('deaf', { notificationFd: 3 })
  await supervisor.got('ready')
  run.process.kill('SIGINT')
  await supervisor.got('stop')
  // As long as a person needs to press it again.
  await delay(1_000)
  run.process.kill('SIGINT')
  expect(await supervisor.got('exit')).toMatchObject({ ending: { signal: 'KILL' } })
  expect(await run.exit()).toBe(0)
  expect(run.stderr).toMatch(/^hermes: warning: Second Ctrl-C: killed deaf, which was still stopping$/m)
  expect(timesSaid(run, PRESS_AGAIN)).toBe(1)
})

test('HERMES_STOP_TIMEOUT and XDG_RUNTIME_DIR are obeyed', async () => {
  const xdg = scratchDir('hermes-xdg-')
  if (isRoot) chownSync(xdg, 4321, 4321)
  await using run = await Foreground.start({ XDG_RUNTIME_DIR: xdg, HERMES_STOP_TIMEOUT: '1' })
  const supervisor = await run.supervisor()
  expect(supervisor.start.runDir).toMatch(new RegExp(`^${xdg}/hermes-[0-9a-f]+$`))
  expect(readFileSync(join(supervisor.start.runDir, 'environment/HERMES_STOP_TIMEOUT'), 'utf8')).toBe('1\n')
  expect(existsSync(join(run.home, 'run'))).toBe(false)
})

test.each(['a pipe', 'a file', 'a socket'] as const)(
  'standard output as %s is handed on so that no writer waits for its reader',
  async (kind) => {
    await using install = await FakeInstall.make()
    const home = scratchDir('hermes-stdout-')
    if (isRoot) chownSync(home, 4321, 4321)
    const [read, write] = realNative.pipe({ nonblockingRead: true })
    // Not root's alone: the user that runs init opens it again.
    fchmodSync(write, 0o666)
    const file = openSync(join(home, 'stdout'), 'w')
    const run = launch(install, home, {}, kind === 'a socket' ? 'pipe' : kind === 'a file' ? file : write)
    try {
      const { stdout } = (await install.life(1)).start
      expect(stdout.kind).toBe({ 'a pipe': 'stream', 'a file': 'file', 'a socket': 'socket' }[kind])
      const flags = (pid: number | undefined, fd: number): number =>
        Number.parseInt(/^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1'))?.[1] ?? '', 8)
      const supervisor = install.lives[0]?.pid
      // Only a description of its own is made non-blocking; the shared one is the main program's, too.
      if (kind === 'a pipe') expect(flags(supervisor, stdout.fd) & 0o4000).toBe(0o4000)
      expect(flags(run.pid, 1) & 0o4000).toBe(0)
    } finally {
      const ended = new Promise((resolve) => run.once('close', resolve))
      run.kill('SIGKILL')
      await ended
      for (const fd of [read, write, file]) closeSync(fd)
    }
  },
)

const reopens = {
  'the terminal of another user, as after su': '',
  'another user’s terminal that is not the controlling one': 'setsid -w ',
}

test.skipIf(!isRoot).each(Object.entries(reopens))(
  named('on %s, what init says is seen, and so is why it cannot start', whyNotRoot),
  async (_, before) => {
    await using install = await FakeInstall.make()
    const dir = scratchDir('hermes-su-')
    chmodSync(dir, 0o755)
    mkdirSync(join(dir, 'home'))
    chownSync(join(dir, 'home'), 4321, 4321)
    const start = (home: string): Terminal =>
      new Terminal(`${before}${asUser.join(' ')} ${install.dir}/bin/init --foreground`, async () => undefined, {
        PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
        HOME: '/nowhere',
        HERMES_HOME: home,
      })
    await using run = start(join(dir, 'home'))
    await run.shows(`hermes: supervising ${dir}/home`)
    const { start: told, pid } = await install.life(1)
    // Where it is not the controlling terminal, init goes on when that closes.
    using _init = { [Symbol.dispose]: () => process.kill(readProcess(pid)?.ppid ?? Number.NaN, 'SIGKILL') }
    expect(told.stdout.kind).toBe(before === '' ? 'stream' : 'shared')
    await using refused = start(join(dir, 'nobody/may/make/this'))
    await refused.shows('hermes: error: ')
    expect(await refused.exit()).toBe(1)
  },
)

test.skipIf(!isRoot)(
  named('to a pipe of another user init writes without ever waiting for its reader', whyNotRoot),
  async () => {
    await using install = await FakeInstall.make()
    const home = scratchDir('hermes-pipe-')
    chownSync(home, 4321, 4321)
    const [read, write] = realNative.pipe({ nonblockingRead: true })
    // All sixteen pages of it are full.
    for (let page = 0; page < 16; page++) writeSync(write, Buffer.alloc(4096, 120))
    const run = launch(install, home, {}, 'ignore', write)
    try {
      await (await install.life(1)).hello()
      let seen = ''
      await waitFor('what init says', () => {
        seen += readWaiting(openSync(`/proc/self/fd/${read}`, constants.O_RDONLY | constants.O_NONBLOCK))
        return seen.includes(`supervising ${home}`)
      })
    } finally {
      const ended = new Promise((resolve) => run.once('close', resolve))
      run.kill('SIGKILL')
      await ended
      for (const fd of [read, write]) closeSync(fd)
    }
  },
)

test('a second one for the same home is refused, and the first goes on', async () => {
  await using run = await Foreground.start()
  const supervisor = await run.supervisor()
  const second = launch(run.install, run.home)
  const output = outputOf(second)
  expect(await new Promise((resolve) => second.once('close', resolve))).toBe(1)
  expect(output.stderr).toContain(
    `Hermes is already running for ${run.home} (pid ${run.process.pid}). Use it (hermes status), or start a second one with HERMES_HOME=/other`,
  )
  expect(supervisor.ended).toBe(false)
})

test('when init is killed its supervisor sees the end of its line, and the volume and run directory are free', async () => {
  await using run = await Foreground.start()
  const supervisor = await run.supervisor()
  run.process.kill('SIGKILL')
  await waitFor('the supervisor to see it', () => supervisor.ended)
  const again = launch(run.install, run.home)
  const ended = new Promise((resolve) => again.once('close', resolve))
  expect((await (await run.install.life(2)).helloWithLease()).lease).toBe('held')
  again.kill('SIGKILL')
  await ended
})

test.skipIf(!isRoot)(
  named('a home that cannot be written is refused at once, with what to do', whyNotRoot),
  async () => {
    await using run = await Foreground.start({}, (home) => chmodSync(home, 0o555))
    expect(await run.exit()).toBe(1)
    expect(run.stderr).toContain(
      `${run.home} cannot be written: it belongs to 4321:4321, mode 0555, and we are 4321:4321`,
    )
  },
)

const oldNode = '/usr/bin/node'
const oldMajor = existsSync(oldNode)
  ? Number(execFileSync(oldNode, ['-p', 'parseInt(process.versions.node)']))
  : undefined
const whyNoOld = oldMajor !== undefined && oldMajor < 24 ? undefined : `${oldNode} is not an older Node`

test.skipIf(whyNoOld !== undefined)(`under an older Node it says what to do (${whyNoOld ?? oldMajor})`, async () => {
  await using install = await FakeInstall.make()
  const child = spawn(oldNode, [join(install.dir, 'lib/init.cjs'), '--foreground'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const output = outputOf(child)
  expect(await new Promise((resolve) => child.once('close', resolve))).toBe(1)
  expect(output.stderr).toContain('needs Node 24 or newer')
})
