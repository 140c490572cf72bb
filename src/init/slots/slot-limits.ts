import { accessSync, constants, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../system/clock.ts'
import { unlessCode } from '../../system/error-code.ts'
import type { Environment } from '../../system/programs/install.ts'

/** Used if the container's own cgroup has no limit. */
const DEFAULT_MOST = 4096
/** Minimum for a slot: a shell, a program, and some threads. */
const LEAST = 64
const LARGEST = 4_194_304
/** Processes killed with a slot are usually gone by then. */
const AGAIN_AFTER_MS = 1_000
const CGROUPS = '/sys/fs/cgroup'

export interface SlotLimitsOptions {
  readonly env: Environment
  /** The cgroups around us are a container's: only there we make some. */
  readonly ownContainer: boolean
  /** Slots do not run as root, which no limit of resources holds. */
  readonly confined: boolean
  readonly clock: Clock
  readonly warn: (text: string) => void
  /** Other places in tests. */
  readonly cgroups?: string
  readonly self?: string
  readonly ownLimits?: string
}

/** A cgroup that slots may have theirs below. */
interface Parent {
  readonly dir: string
  readonly most: number
  readonly threaded: boolean
}

/**
 * Limits the processes and threads of a slot, so that a fork bomb in one does not keep the others from starting. Uses
 * a cgroup per slot if cgroups can be written (pids.max); RLIMIT_NPROC, which counts the uid on the whole host, only
 * on request.
 */
export class SlotLimits {
  readonly #options: SlotLimitsOptions
  readonly #asked: number | undefined
  readonly #parent: Parent | undefined
  #warned = false
  /** Slots that have ended and whose cgroups still exist. */
  readonly #ended = new Set<string>()

  constructor(options: SlotLimitsOptions) {
    this.#options = options
    const asked = requestedMost(options)
    this.#asked = asked === 0 ? undefined : asked
    this.#parent = options.ownContainer && asked !== 0 ? findParent(options) : undefined
  }

  /**
   * Arguments before a slot's command. Its process enters the cgroup itself, before it becomes a program that could
   * fork.
   */
  prefix(slot: string): readonly string[] {
    const procs = this.#cgroupOf(slot)
    const enter = procs === undefined ? [] : ['/bin/sh', '-c', 'echo 0 >"$0"; exec "$@"', procs]
    return this.#asked === undefined || !this.#options.confined
      ? enter
      : [...enter, '/usr/bin/prlimit', `--nproc=${this.#asked}`, '--']
  }

  /**
   * The slot's process has ended. Its leftovers may need a moment, or live on (gateway.kill_leftovers: false).
   */
  leave(slot: string): void {
    if (this.#parent === undefined) return
    const { clock } = this.#options
    this.#ended.add(slot)
    this.#removeEmpty()
    if (this.#ended.has(slot)) clock.at(clock.nowMs() + AGAIN_AFTER_MS, () => this.#removeEmpty())
  }

  #removeEmpty(): void {
    for (const slot of this.#ended) {
      try {
        rmdirSync(this.#dirOf(slot))
      } catch (error) {
        // It still contains a process: the next slot that ends, or the next start of this one, removes it.
        if ((error as NodeJS.ErrnoException).code === 'EBUSY') continue
      }
      this.#ended.delete(slot)
    }
  }

  /** Creates it. @returns the file through which a process enters it; undefined: there is no such limit */
  #cgroupOf(slot: string): string | undefined {
    if (this.#parent === undefined) return undefined
    const dir = this.#dirOf(slot)
    this.#ended.delete(slot)
    try {
      mkdirSync(dir, { recursive: true })
      if (this.#parent.threaded) writeFileSync(join(dir, 'cgroup.type'), 'threaded')
      writeFileSync(join(dir, 'pids.max'), String(this.#asked ?? this.#parent.most))
      return join(dir, 'cgroup.procs')
    } catch (error) {
      if (!this.#warned)
        this.#options.warn(`the number of a slot's processes cannot be limited by cgroups: ${(error as Error).message}`)
      this.#warned = true
      return undefined
    }
  }

  #dirOf(slot: string): string {
    return join(this.#parent?.dir ?? '', `hermes-${slot}`)
  }
}

/** @returns 0: no limit; undefined: not set */
function requestedMost({ env, warn, ownLimits = '/proc/self/limits' }: SlotLimitsOptions): number | undefined {
  const text = env.HERMES_MAX_PROCESSES ?? ''
  if (text === '') return undefined
  const most = /^\d{1,7}$/.test(text) ? Number(text) : -1
  if (most === 0) return 0
  if (most < LEAST || most > LARGEST) {
    warn(
      `HERMES_MAX_PROCESSES: expected 0 or a whole number from ${LEAST} to ${LARGEST}, got "${text}"; it is left out of account`,
    )
    return undefined
  }
  // Without CAP_SYS_RESOURCE the limit cannot be raised, and no slot would start.
  const hard = hardLimit(readText(ownLimits)) ?? LARGEST
  if (most > hard) warn(`HERMES_MAX_PROCESSES: the container may have ${hard} at most, got ${most}; it is ${hard}`)
  return Math.min(most, hard)
}

/** @param text /proc/self/limits: one row per limit, with the columns name, soft limit, hard limit and unit */
function hardLimit(text: string): number | undefined {
  const row = text
    .split('\n')
    .map((line) => line.split(/ {2,}/))
    .find(([name]) => name === 'Max processes')
  const hard = Number(row?.[2])
  return Number.isInteger(hard) ? hard : undefined
}

/**
 * Our own cgroup, if it can have children with a limit of their own. Half of what it has itself is what one slot may
 * take. In version 2 a cgroup that has processes, as a container's has, hands on threaded controllers only (pids is
 * one), and to children that are threaded (cgroup-v2, "Threads"). Their parent still takes processes, such as those
 * of docker exec.
 */
function findParent({ cgroups = CGROUPS, self = '/proc/self/cgroup' }: SlotLimitsOptions): Parent | undefined {
  try {
    const lines = readFileSync(self, 'latin1').split('\n')
    const v1 = lines.find((line) => line.split(':')[1]?.split(',').includes('pids'))
    const line = v1 ?? lines.find((one) => one.startsWith('0::'))
    if (line === undefined) return undefined
    const mount = v1 === undefined ? cgroups : join(cgroups, 'pids')
    // A container's mount starts at its own cgroup or at the host's; one that does not contain us is not ours.
    const dir = [join(mount, line.split(':').slice(2).join(':')), mount].find(holdsUs)
    if (dir === undefined) return undefined
    accessSync(join(dir, 'cgroup.procs'), constants.W_OK)
    if (v1 === undefined) writeFileSync(join(dir, 'cgroup.subtree_control'), '+pids')
    const own = Number(readText(join(dir, 'pids.max')))
    const most = own > 0 ? Math.max(LEAST, Math.floor(own / 2)) : DEFAULT_MOST
    return { dir, most, threaded: v1 === undefined }
  } catch {
    // Read-only, as Docker mounts it; missing; no such controller: then there is no such limit, as docs/security.md
    // explains.
    return undefined
  }
}

const holdsUs = (dir: string): boolean => readText(join(dir, 'cgroup.procs')).split('\n').includes(String(process.pid))

/** @returns an empty text if there is no such file */
const readText = (file: string): string =>
  unlessCode(['ENOENT', 'ENOTDIR', 'EOPNOTSUPP', 'ENOTSUP'], () => readFileSync(file, 'latin1'), '')
