// The real programs as root and PID 1 of a namespace of their own, with the services that an image would define in its
// /etc.
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { SlotStatus, StatusResult } from '../../../src/protocol/control.ts'
import { installDir } from '../install.ts'
import { type WaitOptions, waitFor } from '../wait.ts'
import { prepareScript } from './init-box.ts'
import { type Ended, type Finished, type Pid1, runAsPid1 } from './namespace.ts'

/** Path below /etc → its text. Programs (`run`, `finish`, what begins with `#!`) become executable. */
export type Etc = Readonly<Record<string, string>>

export interface ServiceBoxOptions {
  readonly etc: Etc
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** sh, run as root in the namespace before init. `$home` is the volume. */
  readonly prepare?: string
  /** Default: the install tree of this test run. */
  readonly install?: string
}

/** Lays files as an image's author would, for root. */
export function layEtc(dir: string, etc: Etc): void {
  for (const [path, text] of Object.entries(etc)) {
    const file = join(dir, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
    if (text.startsWith('#!')) chmodSync(file, 0o755)
  }
}

export class ServiceBox implements AsyncDisposable {
  readonly pid1: Pid1
  readonly dir: string
  readonly home: string
  #kept: number | undefined

  constructor(pid1: Pid1, dir: string, home: string) {
    this.pid1 = pid1
    this.dir = dir
    this.home = home
  }

  /** A path inside the namespace, as this process reaches it. */
  path(inside: string): string {
    return `/proc/${this.pid1.pid}/root${inside}`
  }

  /** Content of a file inside; '' while it is not there. */
  read(inside: string): string {
    try {
      return readFileSync(this.path(inside), 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
      throw error
    }
  }

  /** Holds a file open, so that it can be read when the namespace and its /run are gone. */
  keep(file: string): void {
    this.#kept = openSync(file, 'r')
  }

  kept(): string {
    return readFileSync(this.#kept ?? -1, 'utf8')
  }

  /** The log of a service without its stamps; '' when there is none. */
  log(name: string): string {
    const file = join(this.home, 'logs', 'services', name, 'current')
    return existsSync(file) ? readFileSync(file, 'utf8').replaceAll(/^\S+ /gm, '') : ''
  }

  hermes(...args: string[]): Promise<Finished> {
    return this.pid1.exec(['/opt/hermes/bin/hermes', ...args], {
      env: { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, HERMES_HOME: this.home },
    })
  }

  async status(): Promise<StatusResult> {
    const { code, stdout, stderr } = await this.hermes('--json', 'status')
    if (code !== 0) throw new Error(`hermes status: ${code}: ${stderr}\n${this.pid1.stderr()}`)
    return JSON.parse(stdout) as StatusResult
  }

  /** Waits until the service's slot is as `wanted` says, and returns it. */
  service(name: string, wanted: (slot: SlotStatus) => boolean, options: WaitOptions = {}): Promise<SlotStatus> {
    return waitFor(
      `the service ${name} to be as wanted`,
      async () => {
        const { slots } = await this.status()
        const slot = slots.find((one) => one.slot === `service-${name}`)
        if (slot !== undefined && wanted(slot)) return slot
        throw new Error(`${JSON.stringify(slot ?? slots)}\n${this.pid1.stderr()}`)
      },
      options,
    )
  }

  up(name: string): Promise<SlotStatus> {
    return this.service(name, ({ state }) => state === 'up')
  }

  /** TERM to PID 1; resolves when it has ended. */
  stop(): Promise<Ended> {
    this.pid1.signal('TERM')
    return this.pid1.exit({ deadlineMs: 30_000 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pid1[Symbol.asyncDispose]()
    if (this.#kept !== undefined) closeSync(this.#kept)
    rmSync(this.dir, { recursive: true, force: true })
  }
}

export async function startServices({
  etc,
  args = [],
  env = {},
  prepare = '',
  install = installDir(),
}: ServiceBoxOptions): Promise<ServiceBox> {
  const dir = mkdtempSync(join(tmpdir(), 'hermes-services-'))
  chmodSync(dir, 0o755)
  const home = join(dir, 'home')
  for (const name of ['home', 'tree', 'cont-init.d', 'cont-finish.d']) mkdirSync(join(dir, name))
  chownSync(home, 10_000, 10_000)
  layEtc(join(dir, 'tree'), etc)
  const pid1 = await runAsPid1(['/opt/hermes/bin/init', ...args], {
    env: {
      PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
      HOME: '/root',
      HERMES_HOME: home,
      ...env,
    },
    prepare: [prepareScript(dir, install, home), `cp -a ${dir}/tree/. /etc/`, prepare].join('\n'),
  })
  return new ServiceBox(pid1, dir, home)
}
