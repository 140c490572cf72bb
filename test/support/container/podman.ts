// podman as Debian has it, with a storage of its own, and the image under test in it.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runSync, tryRun } from '../../../scripts/run.ts'
import { baseImage } from './base-image.ts'
import { docker } from './engine.ts'
import { testImage } from './image.ts'

const CAP_SYS_RESOURCE = 24n

export interface PodmanAnswer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Why podman cannot be tried here, in one line; undefined: it can. */
export function whyNoPodman(): string | undefined {
  if (process.getuid?.() !== 0) return 'podman is tried as root'
  for (const program of ['podman', 'crun', 'catatonit']) {
    try {
      runSync('sh', ['-c', `command -v ${program}`])
    } catch {
      return `${program} is not installed (Debian: apt-get install podman crun catatonit)`
    }
  }
  return undefined
}

/** One podman with its own storage. Its containers are removed with it. */
export class Podman implements AsyncDisposable {
  /** A directory with the program `podman`, for PATH. */
  readonly bin: string
  readonly #dir: string
  /**
   * Holds the mount namespace that all calls share: storage that one call has mounted is taken for mounted by the next.
   */
  readonly #holder: ChildProcess

  private constructor(dir: string) {
    this.#dir = dir
    const mounts =
      'umount -R /sys/fs/cgroup 2>/dev/null; mount -t cgroup2 none /sys/fs/cgroup && echo mounted && exec cat'
    this.#holder = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', mounts], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.bin = join(dir, 'bin')
  }

  /** @returns podman with the image under test, named `hermes` */
  static async start(): Promise<Podman> {
    const podman = new Podman(mkdtempSync(join(tmpdir(), 'hermes-podman-')))
    await once(podman.#holder.stdout as NodeJS.ReadableStream, 'data') // `mounted`
    podman.#writePrograms()
    const image = await testImage()
    await podman.#load(image)
    await podman.ok('tag', image, 'localhost/hermes:latest')
    return podman
  }

  /** @returns the base image's name here, for a build */
  async loadBase(): Promise<string> {
    const base = await baseImage(() => undefined)
    await this.#load(base)
    return `localhost/${base}`
  }

  /** From Docker, by its name there. */
  async #load(image: string): Promise<void> {
    const archive = join(this.#dir, 'image.tar')
    await docker(['save', image, '--output', archive])
    await this.ok('load', '--input', archive)
    rmSync(archive)
  }

  async run(...argv: string[]): Promise<PodmanAnswer> {
    return tryRun(join(this.bin, 'podman'), argv, { timeoutMs: 120_000 })
  }

  /** @returns standard output @throws when it fails, with its words */
  async ok(...argv: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...argv)
    if (code !== 0) throw new Error(`podman ${argv.join(' ')}: exit ${code}\n${stdout}${stderr}`)
    return stdout
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run('pod', 'rm', '--all', '--force', '--time', '1')
    await this.run('rm', '--all', '--force', '--volumes', '--time', '1')
    await this.run('rmi', '--all', '--force')
    // Its end is the end of the namespace, and so of what podman has left mounted in it.
    this.#holder.stdin?.end()
    await once(this.#holder, 'close')
    rmSync(this.#dir, { recursive: true, force: true })
  }

  /**
   * podman asks for cgroup v2 as a machine with systemd has it; in the holder's mount namespace it is there. Where root
   * may not raise its limits (a container, a sandbox), neither the limits that podman asks for by default can be had,
   * nor crun's device filter.
   */
  #writePrograms(): void {
    mkdirSync(this.bin)
    const config = join(this.#dir, 'containers.conf')
    const runtime = join(this.bin, 'crun-without-resources')
    writeFileSync(
      config,
      `[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\nnetns = "none"\n[engine]\nevents_logger = "file"\n` +
        `cgroup_manager = "cgroupfs"\nruntime = "${mayRaiseLimits() ? 'crun' : 'crun-without-resources'}"\n` +
        `[engine.runtimes]\ncrun-without-resources = ["${runtime}"]\n`,
    )
    writeFileSync(runtime, WITHOUT_RESOURCES)
    const storage = `--root ${join(this.#dir, 'storage')} --runroot ${join(this.#dir, 'run')}`
    writeFileSync(
      join(this.bin, 'podman'),
      `#!/bin/sh
exec nsenter --target ${this.#holder.pid} --mount --wdns="$PWD" -- \\
  env CONTAINERS_CONF=${config} ${programOnPath('podman')} ${storage} "$@"
`,
    )
    for (const file of [runtime, join(this.bin, 'podman')]) chmodSync(file, 0o755)
  }
}

/** An OCI runtime: crun, which is asked for no limits and for no device filter. */
const WITHOUT_RESOURCES = `#!${process.execPath}
const { readFileSync, writeFileSync } = require('node:fs')
const { spawnSync } = require('node:child_process')
const args = process.argv.slice(2)
if (args.includes('create')) {
  const bundle = args[args.indexOf('--bundle') + 1]
  const config = JSON.parse(readFileSync(bundle + '/config.json', 'utf8'))
  delete config.linux.resources
  config.linux.cgroupsPath = '/hermes-podman/' + args.at(-1)
  writeFileSync(bundle + '/config.json', JSON.stringify(config))
}
const inherited = Array.from({ length: 20 }, () => 'inherit')
const { status, error } = spawnSync('${programOnPath('crun')}', args, { stdio: inherited })
if (error) throw error
process.exitCode = status ?? 1
`

function mayRaiseLimits(): boolean {
  const effective = /^CapEff:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'
  return ((BigInt(`0x${effective}`) >> CAP_SYS_RESOURCE) & 1n) === 1n
}

function programOnPath(name: string): string {
  try {
    return runSync('sh', ['-c', `command -v ${name}`]).trim()
  } catch {
    return name // it is not here, and nothing is run
  }
}
