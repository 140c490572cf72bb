import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { Ending } from '../../slot/ending.ts'
import { type ChildEnding, childEnding, type Kernel } from '../../system/native/child-ending.ts'
import { signalName } from '../../system/signals.ts'

/** A program init has started; its pid is known, because a failed start is an error. */
export interface Started {
  readonly pid: number
  readonly process: ChildProcess
  /** Resolves when wait(2) has reported its end; never rejects. */
  readonly ended: Promise<Ending>
}

/**
 * The only place in init that starts programs, on the main thread: this makes the set of pids that libuv waits for
 * complete, and the reaper can distinguish them from orphans.
 */
export class Processes {
  readonly #own = new Set<number>()
  readonly #kernel: Kernel

  constructor(kernel: Kernel) {
    this.#kernel = kernel
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
      const ended = childEnding(child, this.#kernel).then((ending) => {
        this.#own.delete(pid)
        return named(ending)
      })
      child.on('error', () => undefined) // a kill() that came too late; the end itself is reported by `exit`
      resolve({ pid, process: child, ended })
    })
  }

  /**
   * Runs a program to its end and collects what it prints.
   * @param stderr `ignore`, or the descriptor it gets
   * @param maxChars what is longer is cut off
   */
  async output(
    [file = '', ...args]: readonly string[],
    {
      env,
      stderr,
      maxChars,
    }: { readonly env: NodeJS.ProcessEnv; readonly stderr: 'ignore' | number; readonly maxChars: number },
  ): Promise<{ readonly text: string; readonly ending: Ending }> {
    const { process: child, ended } = await this.start(file, args, {
      cwd: '/',
      env: { ...env },
      stdio: ['ignore', 'pipe', stderr],
    })
    let text = ''
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      if (text.length < maxChars) text = (text + chunk).slice(0, maxChars)
    })
    const read = new Promise<void>((resolve) => child.stdout?.once('close', () => resolve()))
    const [ending] = await Promise.all([ended, read])
    return { text, ending }
  }
}

/** For a missing directory, spawn(2) reports the same error as for a missing program. */
const withDirectory = (error: NodeJS.ErrnoException, cwd: SpawnOptions['cwd']): Error =>
  error.code === 'ENOENT' && typeof cwd === 'string' && !existsSync(cwd)
    ? new Error(`there is no directory ${cwd} to start it in; make it`, { cause: error })
    : error

function named(ending: ChildEnding): Ending {
  if ('exitCode' in ending) return ending
  const signal = signalName(ending.signal)
  // Linux has 64 signals, and all of them have names.
  return signal === undefined ? { exitCode: 128 + ending.signal } : { signal }
}
