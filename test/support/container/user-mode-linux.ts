// A kernel of its own: User Mode Linux boots the image under test where cgroups are of version 2, whatever this machine
// has.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { runSync } from '../../../scripts/run.ts'
import { whyMissing, whyNotRoot } from '../tools.ts'
import { type WaitOptions, waitFor } from '../wait.ts'
import { docker } from './engine.ts'
import { testImage } from './image.ts'

/** Why there is none here; undefined: there is one. */
export const whyNoUserModeLinux = (): string | undefined => whyNotRoot ?? whyMissing('linux.uml')

export interface KernelOptions {
  /** Most processes of the container. */
  readonly pidsLimit: number
  /** Initial files of the volume: path → text. */
  readonly files: Readonly<Record<string, string>>
  /** A script, the container's main program. */
  readonly main: string
}

/**
 * As an engine starts a privileged container: a cgroup with a limit, seen from inside as the root of all cgroups,
 * writable.
 */
const boot = (variables: string, pidsLimit: number, main: string): string => `#!/bin/sh
set -e
${variables}
mount -t proc proc /proc
mount -t sysfs sys /sys
for dir in /run /tmp /opt/data; do mount -t tmpfs tmpfs $dir; done
cp -r /volume/. /opt/data
mount -t cgroup2 cgroup2 /sys/fs/cgroup
cd /sys/fs/cgroup
echo +pids >cgroup.subtree_control
mkdir container
echo ${pidsLimit} >container/pids.max
echo 0 >container/cgroup.procs
cd /
exec unshare --cgroup sh -c 'umount /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; exec /init sh -c "$0"' '${main.replaceAll("'", "'\\''")}'
`

/** The image as the root of a machine. Its console is read from; its main program says there what a test waits for. */
export class Machine implements AsyncDisposable {
  readonly #dir: string
  readonly #kernel: ChildProcess
  #console = ''

  private constructor(dir: string) {
    this.#dir = dir
    const args = `rootfstype=hostfs rootflags=${dir}/root rw mem=512M init=/boot.sh con=null con0=null,fd:1 quiet`
    const env = { ...process.env, TMPDIR: dir }
    this.#kernel = spawn('linux.uml', args.split(' '), { stdio: ['ignore', 'pipe', 'ignore'], detached: true, env })
    this.#kernel.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#console += text
    })
  }

  static async start({ pidsLimit, files, main }: KernelOptions): Promise<Machine> {
    const dir = mkdtempSync(join(tmpdir(), 'hermes-uml-'))
    const root = join(dir, 'root')
    mkdirSync(root)
    const image = await testImage()
    const container = await docker(['create', image])
    try {
      runSync('sh', ['-c', 'docker export "$1" | tar -x -C "$2"', 'sh', container, root])
    } finally {
      await docker(['rm', container])
    }
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, 'volume', path)), { recursive: true })
      writeFileSync(join(root, 'volume', path), text)
    }
    const env = JSON.parse(await docker(['inspect', '--format', '{{json .Config.Env}}', image])) as readonly string[]
    const variables = env.map((one) => `export '${one}'`).join('\n')
    writeFileSync(join(root, 'boot.sh'), boot(variables, pidsLimit, main), { mode: 0o755 })
    return new Machine(dir)
  }

  /** The first line of the console that holds `text`. */
  saw(text: string, options: WaitOptions = {}): Promise<string> {
    return waitFor(
      `a line with ${text} on the console`,
      () => {
        const line = this.#console.split(/\r?\n/).find((one) => one.includes(text))
        if (line !== undefined) return line
        throw new Error(this.#console)
      },
      options,
    )
  }

  get console(): string {
    return this.#console
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { pid, exitCode, signalCode } = this.#kernel
    if (pid !== undefined && exitCode === null && signalCode === null) {
      const ended = once(this.#kernel, 'close')
      // Each process of the machine is one of ours, in the kernel's group.
      process.kill(-pid, 'SIGKILL')
      await ended
    }
    rmSync(this.#dir, { recursive: true, force: true })
  }
}
