import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Environment } from '../system/install.ts'

/** Where the container's own cgroup says no number. */
const DEFAULT_MOST = 4096
/** What a slot needs at the least: a shell, a program, and some threads. */
const LEAST = 64
const LARGEST = 4_194_304
const CGROUPS = '/sys/fs/cgroup'

export interface SlotLimitsOptions {
  readonly env: Environment
  /** The cgroups around us are a container's: only there we make some. */
  readonly ownContainer: boolean
  /** Root is dropped on the way to the slots: else we could not set a limit that they cannot lift. */
  readonly dropped: boolean
  readonly warn: (text: string) => void
  /** Other places in tests. */
  readonly cgroups?: string
  readonly self?: string
}

/**
 * How many processes and threads a slot may have, so that a fork bomb in one does not keep all others from starting. By a cgroup for each
 * slot, where cgroups can be written (pids.max); by RLIMIT_NPROC, which counts the uid on the whole host, only when it is asked for.
 */
export class SlotLimits {
  readonly #o: SlotLimitsOptions
  readonly #asked: number | undefined
  readonly #parent: { readonly dir: string; readonly most: number } | undefined
  #failed = false

  constructor(options: SlotLimitsOptions) {
    this.#o = options
    this.#asked = requestedMost(options)
    this.#parent = options.ownContainer ? findParent(options) : undefined
  }

  /** Words in front of a slot's command. */
  get prefix(): readonly string[] {
    return this.#asked === undefined || !this.#o.dropped ? [] : ['/usr/bin/prlimit', `--nproc=${this.#asked}`, '--']
  }

  /** At once after its start, before it has children. */
  enter(slot: string, pid: number): void {
    if (this.#parent === undefined || this.#failed) return
    const dir = this.#dirOf(slot)
    try {
      mkdirSync(dir, { recursive: true })
      writeFileSync(join(dir, 'pids.max'), String(this.#asked ?? this.#parent.most))
      writeFileSync(join(dir, 'cgroup.procs'), String(pid))
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      // It has ended already.
      if (code === 'ESRCH') return
      this.#failed = true
      this.#o.warn(`the number of a slot's processes cannot be limited: ${message}`)
    }
  }

  leave(slot: string): void {
    if (this.#parent === undefined) return
    try {
      rmdirSync(this.#dirOf(slot))
    } catch {
      // Something of it lives on (gateway.kill_leftovers: false): the next start finds the cgroup there.
    }
  }

  #dirOf(slot: string): string {
    return join(this.#parent?.dir ?? '', `hermes-${slot}`)
  }
}

function requestedMost({ env, warn }: SlotLimitsOptions): number | undefined {
  const text = env.HERMES_MAX_PROCESSES ?? ''
  if (text === '') return undefined
  const most = /^\d{1,7}$/.test(text) ? Number(text) : 0
  if (most >= LEAST && most <= LARGEST) return most
  warn(
    `HERMES_MAX_PROCESSES: expected a whole number from ${LEAST} to ${LARGEST}, got "${text}"; there is no such limit`,
  )
  return undefined
}

/** Our own cgroup, if it can have children with a limit of their own. Half of what it has itself is what one slot may take. */
function findParent({ cgroups = CGROUPS, self = '/proc/self/cgroup' }: SlotLimitsOptions):
  | {
      readonly dir: string
      readonly most: number
    }
  | undefined {
  try {
    const lines = readFileSync(self, 'latin1').split('\n')
    const v1 = lines.find((line) => line.split(':')[1]?.split(',').includes('pids'))
    const line = v1 ?? lines.find((one) => one.startsWith('0::'))
    if (line === undefined) return undefined
    const mount = v1 === undefined ? cgroups : join(cgroups, 'pids')
    // In a container the mount usually begins with its own cgroup, whatever the path says.
    const below = join(mount, line.split(':').slice(2).join(':'))
    const dir = existsSync(below) ? below : mount
    accessSync(dir, constants.W_OK)
    // pids is a threaded controller: a cgroup that has processes may hand it on (cgroup-v2, "No Internal Process Constraint").
    if (v1 === undefined) writeFileSync(join(dir, 'cgroup.subtree_control'), '+pids')
    else accessSync(join(dir, 'cgroup.procs'), constants.W_OK)
    const own = existsSync(join(dir, 'pids.max')) ? Number(readFileSync(join(dir, 'pids.max'), 'latin1')) : Number.NaN
    return { dir, most: Number.isInteger(own) ? Math.max(LEAST, Math.floor(own / 2)) : DEFAULT_MOST }
  } catch {
    // Read-only, as Docker mounts it; not there; no such controller: then there is no such limit, as docs/security.md says.
    return undefined
  }
}
