import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { Ending } from '../../slot/ending.ts'
import { hasCode } from '../../system/error-code.ts'
import { type ChildEnding, childEnding, endingOf } from '../../system/native/child-ending.ts'
import type { Native, NativeError, SpawnedProgram } from '../../system/native/native.ts'
import { signalName } from '../../system/signals.ts'
import { LinkedSocket } from './linked-socket.ts'
import { type SpawnedLinked, spawnLinked, withDescriptor } from './spawn-linked.ts'

type ProcessCalls = Pick<Native, 'openProcess' | 'waitStatus' | 'spawn' | 'socketPair' | 'reap' | 'peekEndedChild'>

/** A program init has started; its pid is known, because a failed start is an error. */
export interface Spawned {
  readonly pid: number
  /** Resolves when wait(2) has reported its end; never rejects. */
  readonly ended: Promise<Ending>
}

export interface Linked extends Spawned {
  readonly socket: Socket
}

export interface Started extends Spawned {
  readonly process: ChildProcess
}

/**
 * The only place in init that starts programs, on the main thread: this makes the set of pids that are waited for
 * complete, and the reaper can distinguish them from orphans. libuv waits for those that `start` has started, `collect`
 * for those of `spawn`.
 */
export class Processes {
  readonly #own = new Set<number>()
  /** Processes of `spawn`, and where their wait status goes. */
  readonly #spawned = new Map<number, (status: number) => void>()
  readonly #native: ProcessCalls

  constructor(native: ProcessCalls) {
    this.#native = native
  }

  isOwn(pid: number): boolean {
    return this.#own.has(pid) || this.#spawned.has(pid)
  }

  /**
   * Starts a program that leads a session of its own and gets nothing but these descriptors: the quick way for slots.
   * libuv forks, which copies the page tables of our heap: three times as long.
   * @throws Error with the reason when the program could not be started (no such file, no more processes)
   */
  async spawn(program: SpawnedProgram): Promise<Spawned> {
    const pid = this.#attempt(program, () => this.#native.spawn(program))
    if (pid !== undefined) return this.#adopt(pid)
    const { file, args, ...options } = started(program)
    return this.start(file, args, options)
  }

  /** The same with a socket as its descriptor `at`, whose other end we get. */
  async link(program: SpawnedProgram, at: number): Promise<Linked> {
    const spawned = this.#attempt(program, () => spawnLinked(this.#native, program, at))
    if (spawned !== undefined) return this.adoptLinked(spawned)
    const { file, args, ...options } = started(program)
    // libuv makes a socket pair for a `pipe`.
    const { pid, ended, process } = await this.start(file, args, {
      ...options,
      stdio: withDescriptor(program.fds, at, 'pipe' as const),
    })
    return { pid, ended, socket: process.stdio[at] as Socket }
  }

  /** A process of `spawnLinked`. */
  adoptLinked({ pid, fd }: SpawnedLinked): Linked {
    return { ...this.#adopt(pid), socket: new LinkedSocket(fd) }
  }

  /** A process that was spawned in this turn of the loop, or before anything was waited for. */
  #adopt(pid: number): Spawned {
    const ended = new Promise<Ending>((resolve) => this.#spawned.set(pid, (status) => resolve(named(endingOf(status)))))
    return { pid, ended }
  }

  /** Something has ended (SIGCHLD): waits for those of `spawn` that have. */
  collect(): void {
    for (;;) {
      if (this.#spawned.size === 0) return
      const pid = this.#native.peekEndedChild()
      if (pid === undefined) return
      // An orphan, or one of libuv's, hides those that have ended after it.
      if (!this.#spawned.has(pid)) break
      this.#waitFor(pid)
    }
    for (const pid of this.#spawned.keys()) this.#waitFor(pid)
  }

  #waitFor(pid: number): void {
    const status = this.#native.reap(pid)
    if (status === undefined) return
    const report = this.#spawned.get(pid)
    this.#spawned.delete(pid)
    report?.(status)
  }

  /** @returns undefined when libuv has to do it: it searches for a program, and lets sh run a script without #! */
  #attempt<T>({ file, cwd }: SpawnedProgram, spawn: () => T | undefined): T | undefined {
    if (!file.includes('/')) return undefined
    try {
      return spawn()
    } catch (error) {
      if (hasCode(error, 'ENOEXEC')) return undefined
      const { code } = error as NativeError
      throw withDirectory(Object.assign(new Error(`spawn ${file} ${code}`, { cause: error }), { code }), cwd)
    }
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
      const ended = childEnding(child, this.#native).then((ending) => {
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

/** The same program for libuv. */
const started = ({ file, args, env, cwd, fds }: SpawnedProgram) => ({
  file,
  args,
  cwd,
  env: { ...env },
  stdio: [...fds],
  detached: true,
})

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
