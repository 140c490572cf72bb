// init as root and PID 1 of a namespace of its own, as in a container: with its own /run, accounts and hooks, so that
// nothing of the machine is touched.
import { chmodSync, chownSync, constants, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { waitFor } from '../wait.ts'
import { FakeInstall } from './fake-supervisor.ts'
import { type Ended, type NamespaceOptions, type Pid1, runAsPid1 } from './namespace.ts'
import { readWaiting } from './read-waiting.ts'

export interface BoxOptions {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** sh scripts of slots: what the supervisor would write to /run/service/<slot>/run. */
  readonly slots?: Readonly<Record<string, string>>
  /** Hooks by name; a name that ends in `.plain` is not executable. */
  readonly initHooks?: Readonly<Record<string, string>>
  readonly finishHooks?: Readonly<Record<string, string>>
  /** sh, run as root in the namespace before init. `$home` is the volume. */
  readonly prepare?: string
  readonly home?: string
  readonly cwd?: string
  /** Words in front of init: `setpriv …`, `env …`. */
  readonly before?: readonly string[]
  /** A program that starts init as its child instead of becoming it. */
  readonly notPid1?: boolean
  readonly stdout?: NamespaceOptions['stdout']
}

export class InitBox implements AsyncDisposable {
  readonly pid1: Pid1
  readonly install: FakeInstall
  readonly dir: string
  readonly home: string

  constructor(pid1: Pid1, install: FakeInstall, dir: string, home: string) {
    this.pid1 = pid1
    this.install = install
    this.dir = dir
    this.home = home
  }

  /** The first supervisor, after its hello. */
  async supervisor(): Promise<Awaited<ReturnType<FakeInstall['life']>>> {
    const first = await this.install.life(1)
    await first.hello()
    return first
  }

  /** A path inside the namespace, as this process reaches it. */
  path(inside: string): string {
    return `/proc/${this.pid1.pid}/root${inside}`
  }

  /** Writes a slot's run file as the supervisor would: the runtime user's. */
  writeRun(slot: string, script: string): void {
    const dir = this.path(`/run/service/${slot}`)
    mkdirSync(dir, { recursive: true })
    writeFileSync(join(dir, 'run'), script)
    for (const path of [dir, join(dir, 'run')]) chownSync(path, 10_000, 10_000)
  }

  async ok(...argv: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.pid1.exec(argv)
    if (code !== 0) throw new Error(`${argv.join(' ')}: ${code}: ${stderr}`)
    return stdout
  }

  /** Reads a slot's FIFO as the supervisor would, until `text` has come. */
  async slotLines(slot: string, text: string): Promise<string> {
    let seen = ''
    return waitFor(`${slot} to write ${text}`, () => {
      seen += this.readLog(slot)
      if (seen.includes(text)) return seen || ' '
      throw new Error(seen)
    })
  }

  /** Waiting data of a slot's FIFO. */
  readLog(slot: string): string {
    return readWaiting(openSync(this.path(`/run/hermes/log/${slot}`), constants.O_RDONLY | constants.O_NONBLOCK))
  }

  exit(): Promise<Ended> {
    return this.pid1.exit({ deadlineMs: 20_000 })
  }

  /** Names of living processes besides init and the supervisor; zombies with a `Z`. */
  others(): string[] {
    return this.pid1
      .processes()
      .filter(({ inside, name }) => inside !== 1 && !/^node|MainThread/.test(name))
      .map(({ name, state }) => (state === 'Z' ? `Z ${name}` : name))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pid1[Symbol.asyncDispose]()
    await this.install[Symbol.asyncDispose]()
    rmSync(this.dir, { recursive: true, force: true })
  }
}

/** Starts init. Its supervisor is a fake one, which has not sent hello yet. */
export async function startInit(options: BoxOptions = {}): Promise<InitBox> {
  const { args = [], env = {}, slots = {}, initHooks = {}, finishHooks = {}, prepare = '', before = [] } = options
  const dir = mkdtempSync(join(tmpdir(), 'hermes-init-'))
  chmodSync(dir, 0o755)
  const home = options.home ?? join(dir, 'home')
  if (options.home === undefined) {
    mkdirSync(home)
    // As after a first boot: a repair would start a program more each time.
    chownSync(home, 10_000, 10_000)
  }
  const install = await FakeInstall.make()
  writePrograms(join(dir, 'cont-init.d'), initHooks)
  writePrograms(join(dir, 'cont-finish.d'), finishHooks)
  // As it lies in the image.
  const init = [...before, '/opt/hermes/bin/init', ...args]
  const pid1 = await runAsPid1(options.notPid1 ? ['/bin/sh', '-c', '"$@"; exit $?', 'sh', ...init] : init, {
    env: {
      PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
      HOME: '/root',
      HERMES_HOME: home,
      ...env,
    },
    cwd: options.cwd ?? '/',
    ...(options.stdout !== undefined && { stdout: options.stdout }),
    prepare: [prepareScript(dir, install.dir, home), prepare].join('\n'),
  })
  const box = new InitBox(pid1, install, dir, home)
  if (Object.keys(slots).length > 0) {
    // It is started when the run directories are there.
    await install.life(1)
    for (const [slot, script] of Object.entries(slots)) box.writeRun(slot, script)
  }
  return box
}

/** sh: gives a namespace an image's directories. `dir` holds what stands in for the machine's own. */
export const prepareScript = (dir: string, install: string, home: string): string =>
  [
    `home=${home}`,
    // As an engine does: slots get no cgroups of the machine.
    '[ ! -d /sys/fs/cgroup ] || mount -t tmpfs -o ro tmpfs /sys/fs/cgroup',
    `mount -t tmpfs -o mode=755 tmpfs /opt && mkdir /opt/hermes && mount --bind ${install} /opt/hermes`,
    // /etc as a whole: init replaces passwd and group by renaming. In memory: a thousand files on a disk cost half a
    // second.
    `mkdir -p ${dir}/etc && mount -t tmpfs -o mode=755 tmpfs ${dir}/etc`,
    `cp -a /etc/. ${dir}/etc/ && mount --bind ${dir}/etc /etc`,
    ...['cont-init.d', 'cont-finish.d'].map((name) => `rm -rf /etc/${name} && cp -a ${dir}/${name} /etc/${name}`),
  ].join('\n')

function writePrograms(dir: string, programs: Readonly<Record<string, string>>): void {
  mkdirSync(dir)
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(dir, name), text)
    chmodSync(join(dir, name), name.endsWith('.plain') ? 0o644 : 0o755)
  }
}
