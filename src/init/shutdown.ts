import { type Clock, inTime } from '../system/clock.ts'
import { EXIT } from '../system/errors.ts'
import type { Level } from '../system/level.ts'
import type { Native } from '../system/native/native.ts'
import { listProcesses } from '../system/programs/proc.ts'
import type { ExitCodeFile } from './boot/exit-code-file.ts'
import { FINISH_HOOKS, type Hooks } from './boot/hooks.ts'
import type { ProfilesGate } from './boot/profiles-gate.ts'
import type { ServicesGate } from './boot/services-gate.ts'
import type { VolumeGate } from './boot/volume-gate.ts'
import type { InitFacts } from './facts/facts.ts'
import type { OwnConsole } from './processes/own-console.ts'
import type { ServiceManager } from './processes/service-manager.ts'
import type { MainProgram } from './programs/main-program.ts'
import type { SupervisorProcess } from './programs/supervisor-process.ts'
import type { Children } from './slots/children.ts'
import type { ServicePrograms } from './slots/service-programs.ts'
import { Stop } from './slots/stop.ts'

/**
 * Time for the supervisor to write the last lines and states: what is left of the stop's time, within these bounds.
 * Half a second is not enough on a disk that has to spin up, or beside a hundred other processes.
 */
const DRAIN_MS = { least: 500, most: 3000 } as const
/**
 * A terminal sends one Ctrl-C to everybody in the foreground, and npm then sends its own to us: measured 2 ms later.
 * So soon after the first one it is the same key.
 */
const DUPLICATE_MS = 500

export interface ShutdownOptions {
  readonly native: Pick<Native, 'kill' | 'exitNow'>
  readonly clock: Clock
  readonly own: OwnConsole
  readonly facts: Pick<InitFacts, 'stopTimeoutMs' | 'pid1'>
  /** There are none in the foreground. */
  readonly hasHooks: boolean
  /** Asked when it begins: everything else knows this shutdown. */
  readonly parts: () => StoppedParts
  readonly log: (level: Level, text: string) => void
  /** Reported to the service manager of the machine. */
  readonly manager: Pick<ServiceManager, 'stopping'>
}

/** Parts that have to end. */
export interface StoppedParts {
  readonly children: Children
  readonly services: Pick<ServicePrograms, 'stop' | 'unfinished' | 'endInput'>
  readonly supervisor: SupervisorProcess
  readonly gates: Gates
  readonly main: Pick<MainProgram, 'pid' | 'codeAfterStop'>
  readonly hooks: Hooks
  readonly exitCode?: ExitCodeFile
  /** Clients are refused from then on. */
  readonly closeControl: () => void
}

/** Gates at which the boot waits. */
export interface Gates {
  readonly volume: VolumeGate
  readonly profiles: ProfilesGate
  readonly services: ServicesGate
}

/**
 * The end of the container, in this order: everybody else, the last lines of the logs, the supervisor, the finish
 * hooks, we.
 */
export class Shutdown {
  readonly #options: ShutdownOptions
  readonly #drained = Promise.withResolvers<void>()
  #stop: Stop | undefined
  /** From this time on, a Ctrl-C is a user's second one. */
  #hurryFromMs = 0

  constructor(options: ShutdownOptions) {
    this.#options = options
  }

  get begun(): boolean {
    return this.#stop !== undefined
  }

  /** Something has ended. */
  lookAgain(): void {
    this.#stop?.lookAgain()
  }

  /** The main program has ended: by itself, the container ends with it. */
  mainEnded(code: number): void {
    if (this.begun) this.lookAgain()
    else void this.begin(code)
  }

  /** @param code null: it was asked for, as with TERM */
  stopWith(code: number | null, why: string): void {
    if (this.begun) return
    this.#options.log(code === null ? 'info' : 'error', `stopping: ${why}`)
    void this.begin(code ?? undefined)
  }

  /** Ctrl-C: the first one asks everything to stop, a later one kills what is still stopping. */
  interrupt(): void {
    const { clock, log } = this.#options
    if (this.#stop === undefined) {
      log('info', 'stopping; press Ctrl-C again to kill')
      void this.begin()
      // Only now: a duplicate may already be pending while the stop is starting.
      this.#hurryFromMs = clock.nowMs() + DUPLICATE_MS
    } else if (clock.nowMs() >= this.#hurryFromMs) this.#stop.hurry()
  }

  /** The supervisor has written everything down. */
  drained(): void {
    this.#drained.resolve()
  }

  /**
   * Does nothing if the stop has begun; otherwise it ends this process.
   * @param code exit code of the container; undefined: a stop was requested, and the main program's code counts too
   */
  async begin(code?: number): Promise<void> {
    if (this.#stop !== undefined) return
    const { native, clock, own, facts, log } = this.#options
    const { children, services, supervisor, gates, main, hooks, exitCode, closeControl } = this.#options.parts()
    const startedAtMs = clock.nowMs()
    const stop = new Stop({
      native,
      clock,
      container: { totalMs: facts.stopTimeoutMs, pid1: facts.pid1, ownPid: process.pid },
      processes: listProcesses,
      children: () => children.living(),
      mainPid: () => main.pid,
      finish: (slot) => children.finish(slot),
      services,
      supervisorPid: () => supervisor.pid,
      log: (text) => log('warn', text),
    })
    this.#stop = stop
    let exit = code ?? EXIT.failed
    try {
      this.#options.manager.stopping()
      children.refuse()
      services.stop()
      gates.volume.stop()
      gates.profiles.pass()
      gates.services.pass()
      supervisor.send({ type: 'stop' })
      await stop.run()
      // A supervisor that is still loading has nothing to drain, unless another one before it had.
      const leftMs = startedAtMs + facts.stopTimeoutMs - clock.nowMs()
      const drainMs = Math.min(DRAIN_MS.most, Math.max(DRAIN_MS.least, leftMs))
      if (supervisor.listens || children.everStarted) await inTime(clock, drainMs, this.#drained.promise)
      const ended = supervisor.end()
      // The kernel ends the namespace of PID 1 with us: to free the memory of both at once is quicker.
      if (!facts.pid1 || hooks.areThere(FINISH_HOOKS)) {
        await ended
        // A finish hook that calls hermes would wait for an answer until no time is left for it.
        closeControl()
      }
      const isWritten = code === undefined || this.#writeCode(code, exitCode)
      // Whatever goes wrong there: nothing comes after us that could end this container.
      await this.#finishHooks(hooks, startedAtMs + facts.stopTimeoutMs).catch((error: Error) =>
        log('error', `${FINISH_HOOKS}: its hooks are left out: ${error.message}`),
      )
      own.flush()
      // A code written by a program takes precedence; its 0 means our own code after a requested stop.
      const writtenCode = isWritten ? exitCode?.read() : undefined
      exit =
        code === undefined ? writtenCode || main.codeAfterStop((pid) => stop.wasKilled(pid)) : (writtenCode ?? code)
    } catch (error) {
      log('error', `a bug while stopping: ${(error as Error).stack}`)
      own.flush()
    } finally {
      // A container that ends by itself has to exit itself.
      native.exitNow(exit)
    }
  }

  /**
   * A full /run, or a file that is not ours to write without CAP_DAC_OVERRIDE, must not keep the container from
   * ending.
   */
  #writeCode(code: number, file: ExitCodeFile | undefined): boolean {
    try {
      file?.write(code)
      return true
    } catch (error) {
      this.#options.log('warn', `the exit code cannot be written down: ${(error as Error).message}`)
      return false
    }
  }

  async #finishHooks(hooks: Hooks, deadlineMs: number): Promise<void> {
    const { hasHooks, clock, native, log } = this.#options
    if (!hasHooks) return
    const cancel = clock.at(deadlineMs, () => {
      if (hooks.pid === undefined) return
      log('warn', `${FINISH_HOOKS}: no time is left for it; it is killed`)
      native.kill(-hooks.pid, 9)
    })
    await hooks.run(FINISH_HOOKS, () => clock.nowMs() < deadlineMs)
    cancel()
  }
}
