import { spawn } from 'node:child_process'
import { chmodSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NamespaceProcess } from '../support/supervisor/namespace.ts'
import { type Mark, Marks } from './marks.ts'
import { type Init, inNamespace } from './place.ts'
import type { Launch, Service, Subject } from './subject.ts'

export interface InstanceOptions {
  readonly slots: number
  /** sh text of a service once it has made its mark; default: a long sleep. `$marks` is the FIFO. */
  readonly body?: string
  readonly stdout?: number | 'ignore'
  /** Makes the first service deaf to every signal that it can ignore, and gives it this time before KILL. */
  readonly deafForS?: number
}

export interface Timed {
  /** Wall time, from here and back. */
  readonly ms: number
  /** User and system time of it and of its children. The kernel tells 10 ms, so only a sum of many is exact. */
  readonly cpuMs: number
  readonly code: number | null
}

/** CPU time of all children that this process has waited for (proc_pid_stat(5), cutime and cstime). */
function childrenCpuMs(): number {
  const stat = readFileSync('/proc/self/stat', 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[13]) + Number(fields[14])) * 10
}

/** Runs a program in the namespaces of a process. */
export function timedInside(
  pid: number,
  argv: readonly string[],
  { uid, env }: { readonly uid?: number; readonly env: Readonly<Record<string, string>> },
): Promise<Timed> {
  const drop = uid === undefined ? [] : ['--setuid', String(uid), '--setgid', String(uid)]
  const enter = ['--target', String(pid), '--pid', '--mount', ...drop, '--', ...argv]
  const startedAtMs = performance.now()
  const cpuBeforeMs = childrenCpuMs()
  return new Promise((resolve, reject) => {
    const child = spawn('nsenter', enter, { stdio: 'ignore', env: { ...env } })
    child.once('error', reject)
    child.once('exit', (code) =>
      resolve({ ms: performance.now() - startedAtMs, cpuMs: childrenCpuMs() - cpuBeforeMs, code }),
    )
  })
}

/** One supervisor with its services, as PID 1 of a namespace of its own. */
export class Instance implements AsyncDisposable {
  readonly subject: Subject
  readonly services: readonly Service[]
  readonly marks: Marks
  readonly pid1: Init
  /** When PID 1 was about to become the supervisor. */
  readonly startedAtMs: number
  readonly #launch: Launch
  readonly #dir: string

  private constructor(
    subject: Subject,
    services: readonly Service[],
    marks: Marks,
    started: { pid1: Init; atMs: number; launch: Launch; dir: string },
  ) {
    this.subject = subject
    this.services = services
    this.marks = marks
    this.pid1 = started.pid1
    this.startedAtMs = started.atMs
    this.#launch = started.launch
    this.#dir = started.dir
  }

  static async start(
    subject: Subject,
    { slots, body = 'exec sleep 1000000', stdout, deafForS }: InstanceOptions,
  ): Promise<Instance> {
    const dir = mkdtempSync(join(tmpdir(), 'hermes-bench-'))
    chmodSync(dir, 0o755)
    for (const name of ['programs', 'subject']) mkdirSync(join(dir, name))
    const marks = new Marks(join(dir, 'marks'))
    const services = Array.from({ length: slots }, (_, index) => {
      const name = `s${index}`
      const program = join(dir, 'programs', name)
      const isDeaf = deafForS !== undefined && index === 0
      const first = isDeaf ? "trap '' TERM HUP INT\n" : ''
      writeFileSync(program, `#!/bin/sh\n${first}marks=${marks.path}\necho "${name} $$" >"$marks"\n${body}\n`, {
        mode: 0o755,
      })
      return { name, program, ...(isDeaf && { stopTimeoutS: deafForS }) }
    })
    const launch = subject.lay(join(dir, 'subject'), services)
    const { start = inNamespace.start } = subject.place ?? {}
    const pid1 = await start(launch, { dir, marks: marks.path, stdout })
    const { atMs } = await marks.when('PID 1 to start', (seen) => seen[0])
    return new Instance(subject, services, marks, { pid1, atMs, launch, dir })
  }

  /** Ms from PID 1's start until every service has made its first mark. */
  async allStarted(): Promise<number> {
    const { services } = this
    const last = await this.#explained(
      this.marks.when(`${services.length} services to start`, (seen) => {
        const started = new Map<string, Mark>()
        for (const mark of seen.slice(1)) if (!started.has(mark.service)) started.set(mark.service, mark)
        return started.size >= services.length ? Math.max(...[...started.values()].map((mark) => mark.atMs)) : undefined
      }),
    )
    return last - this.startedAtMs
  }

  /** Stops it the way that tells every service first. @returns ms until PID 1 is gone */
  async stop(): Promise<number> {
    const startedAtMs = performance.now()
    const { stop } = this.#launch
    if ('command' in stop) {
      await this.inside(stop.command)
      this.pid1.signal(stop.lastly)
    } else this.pid1.signal(stop.signal)
    await this.pid1.exit({ deadlineMs: 60_000 })
    return performance.now() - startedAtMs
  }

  /** Runs a program in the namespaces. @returns its wall time in ms, and its exit code */
  inside(argv: readonly string[], options: { uid?: number } = {}): Promise<Timed> {
    return timedInside(this.pid1.pid, argv, { ...options, env: this.#launch.env })
  }

  status(service: string): readonly string[] {
    return this.#launch.status?.(service) ?? []
  }

  control(verb: 'stop' | 'start', service: string): readonly string[] {
    return this.#launch.control?.(verb, service) ?? []
  }

  /** The supervisor's own processes: everything but what the services run. */
  supervisors(): NamespaceProcess[] {
    if (this.pid1.hasEnded) return []
    const theirs = new Set(['sleep', 'yes', 'head', 'sh'])
    return this.pid1
      .processes()
      .filter(({ name, inside, state }) => state !== 'Z' && (inside === 1 || !theirs.has(name)))
  }

  /** CPU seconds of the supervisor's processes and of every child they have reaped. */
  cpuSeconds(): number {
    return this.supervisors().reduce((sum, { outside }) => {
      const stat = readIfThere(`/proc/${outside}/stat`)
      const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? []
      // cutime, cstime: fields 16 and 17 of proc(5); the name and state are cut off.
      const ofChildren = fields.slice(13, 15).reduce((ticks, field) => ticks + Number(field), 0) / 100
      return sum + ofChildren + ownCpuSeconds(outside)
    }, 0)
  }

  /** Proportional set size of the supervisor's processes, MB of 10^6 bytes. */
  memoryMb(): number {
    const kib = this.supervisors().map(({ outside }) =>
      Number(/^Pss:\s+(\d+)/m.exec(readIfThere(`/proc/${outside}/smaps_rollup`) ?? '')?.[1] ?? 0),
    )
    return (kib.reduce((sum, value) => sum + value, 0) * 1024) / 1e6
  }

  async #explained<T>(result: Promise<T>): Promise<T> {
    try {
      return await result
    } catch (error) {
      throw new Error(`${this.subject.name}: ${(error as Error).message}\n${this.pid1.stdout()}${this.pid1.stderr()}`, {
        cause: error,
      })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pid1[Symbol.asyncDispose]()
    this.marks.close()
    rmSync(this.#dir, { recursive: true, force: true })
  }
}

/**
 * Of the threads that live, by the scheduler's own count: utime and stime are cut to 10 ms, which is as much as a
 * minute of waiting costs.
 */
const ownCpuSeconds = (pid: number): number =>
  globSync(`/proc/${pid}/task/*/schedstat`).reduce(
    (sum, file) => sum + Number(readIfThere(file)?.split(' ')[0] ?? 0) / 1e9,
    0,
  )

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
