import type { Cancel, Clock } from '../../system/clock.ts'
import { hasCode } from '../../system/error-code.ts'
import type { Native } from '../../system/native/native.ts'
import { descendants } from '../../system/programs/proc.ts'
import { SIGNALS, type SignalName } from '../../system/signals.ts'
import { RESERVE_MS } from '../facts/facts.ts'
import type { LivingChild } from './children.ts'
import { type Left, listed, named, Remaining, type RemainingOptions, type StoppedNamespace } from './remaining.ts'

const NAME_AFTER_MS = 2_000
const LOOK_EVERY_MS = 20
/** After KILL the kernel needs time, too; a process that is left then is stuck in a system call. */
const AFTER_KILL_MS = 500
/** A shell of `docker exec` ignores TERM, and ends with us anyway. */
const FOREIGN_GRACE_MS = 1_000
/** Time for a logger to write what it has read after its input has ended, before it gets a signal. */
const LOGGER_GRACE_MS = 1_000

export interface StopOptions extends RemainingOptions {
  readonly native: Pick<Native, 'kill'>
  readonly clock: Clock
  readonly container: StoppedContainer
  /** Starts the finish program of a service. Resolves when it runs, or could not be started. */
  readonly finish: (slot: string) => Promise<void>
  readonly services: StoppedServices
}

export interface StoppedContainer extends StoppedNamespace {
  readonly totalMs: number
}

export interface StoppedServices {
  /** Services whose finish program has still to run, and how deep they lie. */
  unfinished(): readonly { readonly slot: string; readonly depth: number }[]
  /** A logger is to see the end of its input. @returns false: the service reads none */
  endInput(slot: string): boolean
}

/** Ends everything but the supervisor: signals, deadlines, and no waiting once all are gone. */
export class Stop {
  readonly #options: StopOptions
  readonly #remaining: Remaining
  readonly #startedAtMs: number
  readonly #killed = new Set<number>()
  readonly #signalled = new Set<number>()
  /** Starts of finish programs that are on their way. */
  #finishing = 0
  /** Services are stopped one depth after the other, until half of the time is over. */
  #inOrder = true
  #alarms: Cancel[] = []
  #again: Cancel | undefined
  #finish: () => void = () => undefined
  #finished = false

  constructor(options: StopOptions) {
    this.#options = options
    this.#remaining = new Remaining(options)
    this.#startedAtMs = options.clock.nowMs()
  }

  /**
   * Resolves as soon as no process is left, or when even KILL has not helped in time. It resolves despite any error.
   */
  run(): Promise<void> {
    const { totalMs } = this.#options.container
    const done = new Promise<void>((resolve) => {
      this.#finish = resolve
    })
    this.#after(totalMs + AFTER_KILL_MS, () => this.#end())
    this.#attempt(() => this.#begin())
    return done
  }

  #begin(): void {
    const { container, children, mainPid } = this.#options
    const { totalMs } = container
    // A total below the reserve is shared: some time to obey, some for the logs.
    const killAtMs = totalMs - Math.min(RESERVE_MS, totalMs / 2)
    const services = children().filter(({ depth }) => depth !== undefined)
    for (const child of children()) if (child.depth === undefined) this.#sendStopSignal(child)
    const main = mainPid()
    if (main !== undefined) this.#signal(main, 'TERM', 'the main program')
    // A service ends the processes that it has started in its session itself.
    const spared = new Set([...children().map(({ pid }) => pid), main])
    const sessions = new Set(services.map(({ pid }) => pid))
    for (const { pid, comm, session } of this.#remaining.others())
      if (!spared.has(pid) && !sessions.has(session)) this.#signal(pid, 'TERM', comm, true)
    if (services.length > 0 || this.#options.services.unfinished().length > 0)
      this.#after(killAtMs / 2, () => {
        this.#inOrder = false
        this.#stopServices()
      })
    this.#after(NAME_AFTER_MS, () => this.#sayWhoIsLeft())
    this.#after(killAtMs, () => {
      this.#killAll((left) => `still running after ${this.#waitedMs()} ms, so killed: ${listed(left)}`)
    })
    this.lookAgain()
  }

  /** A second Ctrl-C: no more patience. */
  hurry(): void {
    if (this.#finished) return
    this.#killAll((left) => `Second Ctrl-C: killed ${named(left)}, which was still stopping`)
  }

  /** Something has ended. */
  lookAgain(): void {
    this.#attempt(() => this.#look())
  }

  #look(): void {
    if (this.#finished) return
    this.#stopServices()
    // Their ends are events.
    if (this.#finishing > 0 || this.#options.children().length > 0 || this.#options.mainPid() !== undefined) return
    const others = this.#remaining.others()
    const waitedMs = this.#options.clock.nowMs() - this.#startedAtMs
    const ours = descendants(others, this.#options.container.ownPid)
    if (others.length === 0 || (ours.length === 0 && waitedMs >= FOREIGN_GRACE_MS)) this.#end()
    else this.#lookLater()
  }

  /** The deepest services that are left, once everything that may need them has gone; then the next ones. */
  #stopServices(): void {
    const { children, mainPid } = this.#options
    const living = children()
    const services = living.flatMap((child) => (child.depth === undefined ? [] : [{ child, depth: child.depth }]))
    const others = living.length > services.length || mainPid() !== undefined
    if (this.#inOrder && (others || this.#finishing > 0)) return
    const left = this.#options.services.unfinished()
    const deepest = Math.max(...services.map(({ depth }) => depth), ...left.map(({ depth }) => depth))
    const isDue = (one: { readonly depth: number }): boolean => !this.#inOrder || one.depth === deepest
    for (const { child } of services.filter(isDue)) this.#sendStopSignal(child)
    for (const { slot } of left.filter(isDue)) this.#runFinish(slot)
  }

  #runFinish(slot: string): void {
    this.#finishing += 1
    void this.#options.finish(slot).finally(() => {
      this.#finishing -= 1
      this.lookAgain()
    })
  }

  /** Sends its stop signal, and KILL when its own time is over. A finish program gets no signal: it is about to end. */
  #sendStopSignal(child: LivingChild): void {
    if (this.#signalled.has(child.child)) return
    this.#signalled.add(child.child)
    const { container, clock } = this.#options
    const { totalMs } = container
    const nowMs = clock.nowMs() - this.#startedAtMs
    const isLogger = this.#options.services.endInput(child.slot)
    const graceMs = isLogger ? Math.min(LOGGER_GRACE_MS, child.stopTimeoutMs) : 0
    if (isLogger) this.#after(nowMs + graceMs, () => this.#signalIfLiving(child))
    else if (child.program === 'run') this.#signal(child.pid, child.stopSignal, child.slot)
    const fromMs = child.program === 'finish' ? child.spawnedAtMs - this.#startedAtMs : nowMs
    const killAtMs = fromMs + child.stopTimeoutMs
    if (killAtMs < totalMs - Math.min(RESERVE_MS, totalMs / 2)) this.#after(killAtMs, () => this.#killSlot(child))
  }

  #signalIfLiving({ child, pid, stopSignal, slot }: LivingChild): void {
    if (this.#options.children().some((one) => one.child === child)) this.#signal(pid, stopSignal, slot)
  }

  /** It had to be killed. */
  wasKilled(pid: number): boolean {
    return this.#killed.has(pid)
  }

  #lookLater(): void {
    const { clock } = this.#options
    // No event reports the end of strangers (grandchildren, `docker exec`).
    this.#again ??= clock.at(clock.nowMs() + LOOK_EVERY_MS, () => {
      this.#again = undefined
      this.lookAgain()
    })
  }

  #end(): void {
    this.#finished = true
    this.#again?.()
    for (const cancel of this.#alarms) cancel()
    this.#finish()
  }

  #sayWhoIsLeft(): void {
    const left = this.#remaining.left()
    if (left.length > 0) this.#options.log(`still waiting for ${listed(left)}`)
  }

  #killSlot({ pid, slot, stopSignal, stopTimeoutMs, program }: LivingChild): void {
    if (!this.#options.children().some((child) => child.pid === pid)) return
    const limit = `${stopTimeoutMs} ms`
    this.#options.log(
      program === 'finish'
        ? `the finish program of ${slot} (pid ${pid}) has not ended within ${limit}; it is killed`
        : `${slot} (pid ${pid}) has not ended within ${limit} of SIG${stopSignal}; it is killed`,
    )
    this.#kill({ pid, name: slot }, -pid)
  }

  #waitedMs(): number {
    return Math.round(this.#options.clock.nowMs() - this.#startedAtMs)
  }

  /** @param why the line for what is left */
  #killAll(why: (left: readonly Left[]) => string): void {
    const left = this.#remaining.left()
    if (left.length > 0) this.#options.log(why(left))
    const leaders = new Set(this.#options.children().map(({ pid }) => pid))
    for (const one of left) this.#kill(one, leaders.has(one.pid) ? -one.pid : one.pid)
    // Repeated, because a process can have been forked during the look.
    this.#after(this.#options.clock.nowMs() - this.#startedAtMs + LOOK_EVERY_MS, () => {
      for (const one of this.#remaining.left()) this.#kill(one, one.pid)
    })
    this.#after(this.#options.clock.nowMs() - this.#startedAtMs + AFTER_KILL_MS, () => {
      try {
        const stuck = this.#remaining.left()
        if (stuck.length > 0)
          this.#options.log(`still there after SIGKILL: ${listed(stuck)}. The container ends without them`)
      } finally {
        this.#end()
      }
    })
  }

  #kill({ pid, name }: Left, target: number): void {
    this.#killed.add(pid)
    this.#signal(target, 'KILL', name)
  }

  /**
   * @param fromOutside it may be another user's, such as a health check of the engine where init is not root; the
   *   kernel ends it with us
   */
  #signal(pid: number, signal: SignalName, name: string, fromOutside = false): void {
    try {
      this.#options.native.kill(pid, SIGNALS[signal])
      // A stopped process sees nothing but KILL before it is continued.
      if (signal !== 'KILL') this.#options.native.kill(pid, SIGNALS.CONT)
    } catch (error) {
      if (fromOutside && hasCode(error, 'EPERM')) return
      this.#options.log(`cannot send SIG${signal} to ${name} (pid ${Math.abs(pid)}): ${(error as Error).message}`)
    }
  }

  #after(afterMs: number, act: () => void): void {
    this.#alarms.push(this.#options.clock.at(this.#startedAtMs + afterMs, () => this.#attempt(act)))
  }

  /**
   * An error of ours costs only the current step; the stop continues, because nothing after it could end the
   * container.
   */
  #attempt(act: () => void): void {
    try {
      act()
    } catch (error) {
      this.#options.log(`a bug while stopping: ${(error as Error).stack}`)
    }
  }
}
