import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { closeSync, existsSync } from 'node:fs'
import { type Ending, type SignalName, signalName } from '../protocol/init.ts'
import type { Native } from '../system/native.ts'

/** A program init has started; its pid is known, because a failed start is an error. */
export interface Started {
  readonly pid: number
  readonly process: ChildProcess
  /** Resolves when wait(2) has reported its end; never rejects. */
  readonly ended: Promise<Ending>
}

/**
 * The only place in init that starts programs, on the main thread: so the set of pids that libuv waits for is complete, and the
 * reaper can tell them from orphans.
 */
export class Processes {
  readonly #own = new Set<number>()
  readonly #native: Pick<Native, 'openProcess' | 'waitStatus'>

  constructor(native: Pick<Native, 'openProcess' | 'waitStatus'>) {
    this.#native = native
  }

  isOwn(pid: number): boolean {
    return this.#own.has(pid)
  }

  /** @throws Error with the reason when the program could not be started (no such file, no more processes) */
  start(file: string, args: readonly string[], options: SpawnOptions): Promise<Started> {
    return new Promise((resolve, reject) => {
      const child = spawn(file, args, options)
      const { pid } = child
      if (pid === undefined) {
        child.once('error', (error) => reject(withDirectory(error, options.cwd)))
        return
      }
      this.#own.add(pid)
      // In the same turn of the loop: libuv has not waited for it yet, so the pid is still its own.
      const processFd = this.#native.openProcess(pid)
      const ended = new Promise<Ending>((end) => {
        // `exit`, not `close`: grandchildren may hold the descriptors for ever.
        child.once('exit', (exitCode, signal) => {
          this.#own.delete(pid)
          end(signal === null ? this.#unsignalled(exitCode ?? 0, processFd) : { signal: asName(signal) })
          if (processFd !== undefined) closeSync(processFd)
        })
      })
      child.on('error', () => undefined) // a kill() that came too late; the end itself is reported by `exit`
      resolve({ pid, process: child, ended })
    })
  }
  /** Node has no names for real-time signals, and says code 0 of what died by one; so the kernel is asked. */
  #unsignalled(exitCode: number, processFd: number | undefined): Ending {
    const status = exitCode === 0 && processFd !== undefined ? this.#native.waitStatus(processFd) : undefined
    const signal = status === undefined ? undefined : signalName(status & SIGNAL_BITS)
    return signal === undefined ? { exitCode } : { signal }
  }
}

/** spawn(2) says of a directory that is not there what it says of such a program. */
const withDirectory = (error: NodeJS.ErrnoException, cwd: SpawnOptions['cwd']): Error =>
  error.code === 'ENOENT' && typeof cwd === 'string' && !existsSync(cwd)
    ? new Error(`there is no directory ${cwd} to start it in; make it`, { cause: error })
    : error

/** The low bits of a wait status (wait(2)): the signal that ended the process, 0 if none did. */
const SIGNAL_BITS = 0x7f

const asName = (signal: NodeJS.Signals): SignalName => signal.slice('SIG'.length) as SignalName
