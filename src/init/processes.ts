import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import type { Ending, SignalName } from '../protocol/init.ts'

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

  isOwn(pid: number): boolean {
    return this.#own.has(pid)
  }

  /** @throws Error with the reason when the program could not be started (no such file, no more processes) */
  start(file: string, args: readonly string[], options: SpawnOptions): Promise<Started> {
    return new Promise((resolve, reject) => {
      const child = spawn(file, args, options)
      const { pid } = child
      if (pid === undefined) {
        child.once('error', reject)
        return
      }
      this.#own.add(pid)
      const ended = new Promise<Ending>((end) => {
        // `exit`, not `close`: grandchildren may hold the descriptors for ever.
        child.once('exit', (exitCode, signal) => {
          this.#own.delete(pid)
          end(signal === null ? { exitCode: exitCode ?? 0 } : { signal: signal.slice('SIG'.length) as SignalName })
        })
      })
      child.on('error', () => undefined) // a kill() that came too late; the end itself is reported by `exit`
      resolve({ pid, process: child, ended })
    })
  }
}
