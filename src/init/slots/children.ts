import { type ChildFacts, LONGEST_MS, MAX_CHILDREN } from '../../protocol/init.ts'
import type { Ending } from '../../slot/ending.ts'
import type { ChildId } from '../../slot/slot.ts'
import type { Clock } from '../../system/clock.ts'
import type { Native } from '../../system/native/native.ts'
import { readProcess } from '../../system/programs/proc.ts'
import { SIGNALS, type SignalName } from '../../system/signals.ts'
import type { Reaper } from '../processes/reaper.ts'
import type { SupervisorProcess } from '../programs/supervisor-process.ts'
import type { ProfileWalls, WalledUser } from './profile-walls.ts'
import { ReadinessPipe } from './readiness.ts'
import type { SlotLimits } from './slot-limits.ts'
import { type ProgramRequest, type SpawnRequest, type StartParts, startProgram } from './start-program.ts'
import { UnacknowledgedEvents, type Unnumbered } from './unacknowledged-events.ts'

export interface ChildrenOptions extends StartParts {
  readonly native: Pick<Native, 'pipe' | 'kill'>
  readonly clock: Clock
  readonly limits: Pick<SlotLimits, 'prefix' | 'leave'>
  readonly reaper: Pick<Reaper, 'scan'>
  /** Absent: no profile is walled, and none can be. */
  readonly walls?: Pick<ProfileWalls, 'userOf'>
  readonly supervisor: Pick<SupervisorProcess, 'send' | 'deliver'>
  /** A slot's process has ended; its leftovers are gone. */
  readonly ended: (child: LivingChild) => void
  readonly warn: (text: string) => void
}

/** A living process of a slot. */
export interface LivingChild extends ChildFacts {
  readonly stopSignal: SignalName
  /** Time from its stop signal to KILL; a finish program gets no signal, and its time begins with its start. */
  readonly stopTimeoutMs: number
  /** Services only: how far down in the order of dependencies. */
  readonly depth?: number
  readonly program: 'run' | 'finish'
}

interface Living extends LivingChild {
  readyAtMs?: number
  readonly killLeftovers: boolean
  readiness?: ReadinessPipe
}

/** The slots' processes: at most one per key, whatever the supervisor requests. */
export class Children {
  readonly #options: ChildrenOptions
  readonly #living = new Map<string, Living>()
  readonly #unacknowledged = new UnacknowledgedEvents()
  #queue: SpawnRequest[] = []
  #lastChild = 0
  #busy = false
  #refusing = false

  constructor(options: ChildrenOptions) {
    this.#options = options
  }

  living(): readonly LivingChild[] {
    return [...this.#living.values()]
  }

  facts(): readonly ChildFacts[] {
    return [...this.#living.values()].map(factsOf)
  }

  get events(): Pick<UnacknowledgedEvents, 'acknowledge' | 'unacknowledged' | 'after'> {
    return this.#unacknowledged
  }

  /** There may be lines of a slot somewhere. */
  get everStarted(): boolean {
    return this.#lastChild > 0
  }

  /** The supervisor is gone: its requests that have not been carried out never will be. */
  forgetRequests(): void {
    this.#queue = []
  }

  /** The container stops: what waits and what still comes is answered with a refusal. */
  refuse(): void {
    this.#refusing = true
  }

  spawn(request: SpawnRequest): void {
    if (this.#queue.length >= MAX_CHILDREN) this.#failed(request, 'too many starts wait already')
    else this.#queue.push(request)
    this.#next()
  }

  /**
   * At the stop, when the supervisor's starts are refused: the finish program of a service, which takes its own time
   * at most.
   */
  async finish(slot: string): Promise<void> {
    this.#options.programs.services.forgetFinish(slot)
    // Its program runs again: if that succeeds it is unfinished once more.
    if (this.#living.has(slot)) return
    try {
      const stopTimeoutMs = this.#options.programs.services.finishTimeoutMs(slot) ?? LONGEST_MS
      const request = { slot, stopSignal: 'TERM', stopTimeoutMs, notificationFd: null, killLeftovers: true } as const
      await this.#spawn({ ...request, program: 'finish' })
    } catch (error) {
      this.#options.warn(`the finish program of ${slot} cannot be started: ${(error as Error).message}`)
    }
  }

  signal(child: ChildId, signal: SignalName, target: 'process' | 'group'): void {
    // Not found: it has ended, and the supervisor is about to learn that.
    for (const { child: id, pid, slot } of this.#living.values()) {
      if (id === child) this.#kill(target === 'group' ? -pid : pid, signal, slot)
    }
  }

  forget(slot: string): void {
    if (!this.#living.has(slot)) this.#options.fifos.remove(slot)
  }

  /**
   * One start per turn of the loop: fork copies our page tables; exits, signals and the protocol must get in between.
   */
  #next(): void {
    if (this.#busy) return
    const request = this.#queue.shift()
    if (request === undefined) return
    this.#busy = true
    this.#start(request)
      .catch((error: Error) => this.#failed(request, error.message))
      .finally(() => {
        setImmediate(() => {
          this.#busy = false
          this.#next()
        })
      })
  }

  async #start(request: SpawnRequest): Promise<void> {
    const { slot, walled = false } = request
    const { walls } = this.#options
    if (walls === undefined && walled) throw new Error('walls between profiles cannot be had in this container')
    const user = walls === undefined ? undefined : await walls.userOf(slot, walled)
    this.#check(slot)
    const facts = await this.#spawn(request, user)
    this.#options.supervisor.send({ type: 'spawned', request: request.request, facts })
  }

  async #spawn(request: ProgramRequest, user?: WalledUser): Promise<ChildFacts> {
    const { slot, stopSignal, stopTimeoutMs, killLeftovers, program = 'run' } = request
    // Before the start: a program can have written its first line before we run again, and ended.
    const spawnedAtMs = this.#options.clock.nowMs()
    const { pid, ended, readiness } = await startProgram(this.#options, request, user)
    const depth = this.#options.programs.services.depth(slot)
    const living: Living = {
      child: ++this.#lastChild,
      slot,
      pid,
      startTime: startTimeOf(pid),
      spawnedAtMs,
      stopSignal,
      stopTimeoutMs,
      killLeftovers,
      program,
      ...(depth !== undefined && { depth }),
    }
    if (readiness !== undefined) living.readiness = new ReadinessPipe(readiness, () => this.#ready(living))
    this.#living.set(slot, living)
    void ended.then((ending) => this.#ended(living, ending))
    return factsOf(living)
  }

  /** @throws Error saying why this slot gets no process */
  #check(slot: string): void {
    if (this.#refusing) throw new Error('the container stops')
    const other = this.#living.get(slot)
    if (other !== undefined) throw new Error(`a process of it lives: pid ${other.pid}`)
    if (this.#living.size >= MAX_CHILDREN) throw new Error(`${MAX_CHILDREN} processes of slots live already`)
    if (this.#unacknowledged.full) throw new Error('too many events were not acknowledged')
  }

  #ready(living: Living): void {
    living.readyAtMs = this.#options.clock.nowMs()
    this.#report({ type: 'ready', child: living.child, slot: living.slot, atMs: living.readyAtMs })
  }

  #ended(living: Living, ending: Ending): void {
    const { child, slot, pid } = living
    const atMs = this.#options.clock.nowMs()
    let leftoversKilled = false
    try {
      // At once: as long as a member of the group lives, its id is not reused; later it might be.
      leftoversKilled = living.killLeftovers && this.#killGroup(pid, slot)
      living.readiness?.finish()
    } finally {
      // Despite any error before: an unreported end would block its slot indefinitely.
      if (this.#living.get(slot) === living) this.#living.delete(slot)
      this.#options.limits.leave(slot)
      this.#options.programs.services.ended(slot, living.program, pid, ending)
      this.#report({ type: 'exit', child, slot, pid, ending, atMs, leftoversKilled })
      this.#options.ended(living)
    }
  }

  #killGroup(pid: number, slot: string): boolean {
    if (!this.#kill(-pid, 0, slot)) return false
    // Zombies are members too, and killing them would be reported as news.
    this.#options.reaper.scan()
    return this.#kill(-pid, 'KILL', slot)
  }

  /** @returns false if there is no such process, or we may not signal it */
  #kill(pid: number, signal: SignalName | 0, slot: string): boolean {
    try {
      return this.#options.native.kill(pid, signal === 0 ? 0 : SIGNALS[signal])
    } catch (error) {
      this.#options.warn(
        `cannot signal ${slot} (pid ${Math.abs(pid)}): ${(error as Error).message}; is CAP_KILL missing?`,
      )
      return false
    }
  }

  #failed({ request, slot }: SpawnRequest, error: string): void {
    // Not kept: whatever a supervisor asks for, it takes none of our memory.
    this.#options.supervisor.send({ type: 'spawn-failed', request, slot, error })
  }

  #report(event: Unnumbered): void {
    this.#unacknowledged.add(event)
    this.#options.supervisor.deliver()
  }
}

/**
 * It may have died already, but it has not been waited for yet: a zombie still has its times. Despite any failure
 * here (EMFILE) the process exists: an unknown one would be followed by a second one.
 */
function startTimeOf(pid: number): number {
  try {
    return readProcess(pid)?.startTime ?? 0
  } catch {
    return 0 // as where /proc shows nothing
  }
}

const factsOf = ({ child, slot, pid, startTime, spawnedAtMs, readyAtMs }: Living): ChildFacts => ({
  child,
  slot,
  pid,
  startTime,
  spawnedAtMs,
  ...(readyAtMs !== undefined && { readyAtMs }),
})
