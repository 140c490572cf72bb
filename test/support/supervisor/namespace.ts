import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { runSync, tryRun } from '../../../scripts/run.ts'
import { SIGNALS, type SignalName } from '../../../src/system/signals.ts'
import { type WaitOptions, waitFor, within } from '../wait.ts'

export type Ended = { readonly code: number } | { readonly signal: NodeJS.Signals }

export interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface NamespaceProcess {
  readonly inside: number
  readonly outside: number
  /** Its parent's pid as we see it. */
  readonly parent: number
  readonly name: string
  /** As in /proc: `Z` is a zombie. */
  readonly state: string
}

export interface NamespaceOptions {
  /** The whole environment of PID 1; default: PATH and HOME only. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** A private tmpfs on /run, so that a run of ours meets neither the machine's nor another test's. Default: true. */
  readonly privateRun?: boolean
  /** sh text run in the namespace, as its PID 1, before the program takes its place: extra mounts, files in /run. */
  readonly prepare?: string
  /** PID 1's standard output: a descriptor or /dev/null; without it the output is captured. */
  readonly stdout?: number | 'ignore'
}

/**
 * Why a program cannot be run as PID 1 of a new PID namespace here; undefined: it can.
 * Tests that need it: `test.skipIf(whyNoNamespace() !== undefined)`.
 */
export function whyNoNamespace(): string | undefined {
  try {
    runSync('unshare', [...UNSHARE, 'true'])
    return undefined
  } catch (error) {
    return `unshare: ${error instanceof Error ? error.message : String(error)}`
  }
}

const isRoot = process.getuid?.() === 0
/** init warns of a privileged container, which root without a container looks like. */
const LIKE_A_CONTAINER = isRoot ? ['setpriv', '--bounding-set=-sys_module', '--inh-caps=-sys_module', '--'] : []

const UNSHARE = [
  ...(isRoot ? [] : ['--user', '--map-root-user']),
  '--pid',
  '--fork',
  '--kill-child',
  '--mount',
  '--mount-proc',
]

/** Runs `argv` as PID 1 of a new PID and mount namespace. Resolves as soon as that process exists. */
export async function runAsPid1(argv: readonly string[], options: NamespaceOptions = {}): Promise<Pid1> {
  const {
    env = { PATH: process.env.PATH ?? '', HOME: '/root' },
    cwd = '/',
    privateRun = true,
    prepare = '',
    stdout = 'pipe',
  } = options
  const before = [privateRun ? 'mount -t tmpfs -o mode=755 tmpfs /run' : '', prepare, 'exec "$@"'].filter(
    (line) => line !== '',
  )
  const [file = '', ...args] = [
    ...LIKE_A_CONTAINER,
    'unshare',
    ...UNSHARE,
    '/bin/sh',
    '-ec',
    before.join('\n'),
    'sh',
    ...argv,
  ]
  const unshare = spawn(file, args, {
    env: { ...env },
    cwd,
    stdio: ['ignore', stdout, 'pipe'],
  })
  const output = { stdout: capture(unshare.stdout), stderr: capture(unshare.stderr) }
  const ended = new Promise<Ended>((resolve, reject) => {
    unshare.once('error', reject)
    // `close`: everything that was written has been read.
    unshare.once('close', (code, signal) => resolve(signal === null ? { code: code ?? -1 } : { signal }))
  })
  const pid = await waitFor('unshare to start PID 1', () => onlyChildOf(unshare.pid), { deadlineMs: 10_000 })
  return new Pid1(unshare, pid, output, ended)
}

export class Pid1 implements AsyncDisposable {
  /** Its pid as we see it; inside it is 1. */
  readonly pid: number
  readonly #unshare: ChildProcess
  readonly #output: { readonly stdout: Capture; readonly stderr: Capture }
  readonly #ended: Promise<Ended>
  #hasEnded = false

  constructor(unshare: ChildProcess, pid: number, output: { stdout: Capture; stderr: Capture }, ended: Promise<Ended>) {
    this.#unshare = unshare
    this.pid = pid
    this.#output = output
    this.#ended = ended.finally(() => {
      this.#hasEnded = true
    })
    this.#ended.catch(() => undefined) // the caller that awaits exit() reports a failure to start
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  stdout(): string {
    return this.#output.stdout.text()
  }

  stderr(): string {
    return this.#output.stderr.text()
  }

  /** Whole lines of both streams: stdout's, then stderr's. */
  lines(): string[] {
    return [this.stdout(), this.stderr()].flatMap((text) => text.split('\n').slice(0, -1))
  }

  /** The first line that holds `text` or matches it. */
  saw(text: string | RegExp, options: WaitOptions = {}): Promise<string> {
    const holds = (line: string): boolean => (typeof text === 'string' ? line.includes(text) : text.test(line))
    return waitFor(
      `a line with ${text}`,
      () => {
        const line = this.lines().find(holds)
        if (line !== undefined) return line
        throw new Error(this.#everything())
      },
      options,
    )
  }

  /** Stops reading PID 1's standard output (the pipe fills), or reads again. */
  pauseStdout(paused: boolean): void {
    if (paused) this.#unshare.stdout?.pause()
    else this.#unshare.stdout?.resume()
  }

  signal(name: SignalName): void {
    process.kill(this.pid, SIGNALS[name])
  }

  /** How PID 1 ended, once all it wrote has been read. */
  exit(options: WaitOptions = {}): Promise<Ended> {
    return within('PID 1 to end', this.#ended, { ...options, seen: () => this.#everything() })
  }

  /** Runs a program inside the same namespaces, as root there (like `docker exec`). Never rejects for its exit code. */
  exec(argv: readonly string[], options: { readonly env?: Readonly<Record<string, string>> } = {}): Promise<Finished> {
    const enter = [
      '--target',
      String(this.pid),
      '--pid',
      '--mount',
      ...(isRoot ? [] : ['--user', '--preserve-credentials']),
    ]
    const env = { ...(options.env ?? { PATH: process.env.PATH ?? '', HOME: '/root' }) }
    return tryRun('nsenter', [...enter, '--', ...argv], { env })
  }

  /** Our pid of the process that has this pid inside; undefined: there is none. */
  outsidePid(inside: number): number | undefined {
    return this.processes().find((process) => process.inside === inside)?.outside
  }

  /** Every process of the namespace, zombies too. */
  processes(): NamespaceProcess[] {
    return processesBeside(this.pid)
  }

  #everything(): string {
    return `${this.#hasEnded ? 'it has ended; ' : ''}stdout:\n${this.stdout()}\nstderr:\n${this.stderr()}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasEnded) {
      try {
        // The kernel kills everything in the namespace with its PID 1.
        process.kill(this.pid, 'SIGKILL')
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      }
    }
    await this.#ended.catch(() => undefined)
  }
}

/** Every process in the PID namespace of one, zombies too. */
export function processesBeside(pid: number): NamespaceProcess[] {
  const namespace = readlinkSync(`/proc/${pid}/ns/pid`)
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap(
      (name) =>
        unlessGone(() => (readlinkSync(`/proc/${name}/ns/pid`) === namespace ? [describeProcess(name)] : [])) ?? [],
    )
}

interface Capture {
  text(): string
}

function capture(stream: Readable | null): Capture {
  const chunks: Buffer[] = []
  stream?.on('data', (chunk: Buffer) => chunks.push(chunk))
  return { text: () => Buffer.concat(chunks).toString() }
}

function onlyChildOf(pid: number | undefined): number | undefined {
  if (pid === undefined) return undefined
  const child = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]
  return child ? Number(child) : undefined
}

function describeProcess(pid: string): NamespaceProcess {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name: string): string => new RegExp(`^${name}:\\t(.*)$`, 'm').exec(status)?.[1] ?? ''
  const inside = Number(field('NSpid').split('\t').at(-1))
  return {
    inside,
    outside: Number(pid),
    parent: Number(field('PPid')),
    name: field('Name'),
    state: field('State').slice(0, 1),
  }
}

/** undefined when the process ended between the listing and the look, or when we may not look at it. */
function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
