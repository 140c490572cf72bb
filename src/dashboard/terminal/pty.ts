import { constants } from 'node:os'
import type { ReadStream } from 'node:tty'
import type { Cancel, Clock } from '../../system/clock.ts'
import { unlessCode } from '../../system/error-code.ts'
import { loadNative } from '../../system/native/native-libc.ts'
import { listProcesses } from '../../system/programs/proc.ts'
import { PtyInput } from './pty-input.ts'

export interface PtyOptions {
  readonly command: readonly [string, ...string[]]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly cols: number
  readonly rows: number
}

export interface Pty {
  /**
   * Passes on what was typed, as fast as the program reads.
   * @returns bytes that are waiting now
   */
  write(data: string): number
  /** Called each time everything that was typed has been passed on. */
  onWritten(listener: () => void): void
  resize(cols: number, rows: number): void
  pause(): void
  resume(): void
  onData(listener: (data: Buffer) => void): void
  /** Called once, after the last data. */
  onExit(listener: () => void): void
  /** HUP to everything in its session; what is left after a moment is killed. */
  end(): void
}

/** Members of node-pty's terminal on Unix that its types lack. */
interface UnixTerminal {
  readonly fd: number
  readonly _socket: ReadStream
}

/** From HUP to KILL. */
const KILL_AFTER_MS = 500

/**
 * Starts a program on a terminal of its own.
 * @throws Error where the native binding does not load: it is there for glibc only
 */
export async function openPty(options: PtyOptions, clock: Clock): Promise<Pty> {
  // Loaded here, because only opening a terminal needs it.
  const { spawn } = await import('@lydell/node-pty')
  await unblockUsr1()
  const { command, cwd, env, cols, rows } = options
  const [file, ...args] = command
  const terminal = spawn(file, args, { name: 'xterm-256color', cwd, env, cols, rows, encoding: null })
  let ended = false
  let cancel: Cancel = () => undefined
  let written = (): void => undefined
  const { fd, _socket: reader } = terminal as unknown as UnixTerminal
  const input = new PtyInput(fd, clock, () => written())
  reader.once('close', () => input.close())
  terminal.onExit(() => {
    ended = true
    cancel()
  })
  const signal = (name: NodeJS.Signals): void => {
    // Its programs may lead groups of their own; the session is what they share.
    for (const { pid, session } of listProcesses()) if (session === terminal.pid) signalProcess(pid, name)
  }
  return {
    write(data) {
      // After destruction, its descriptor is closed already, which is reported on a later turn.
      if (ended || reader.destroyed) input.close()
      input.write(data)
      return input.waitingBytes
    },
    onWritten: (listener) => {
      written = listener
    },
    resize: (width, height) => {
      if (ended) return
      try {
        terminal.resize(width, height)
      } catch {
        // EBADF, ENOTTY: no process has the terminal open any more. The end of the program is reported next.
      }
    },
    pause: () => terminal.pause(),
    resume: () => terminal.resume(),
    // With `encoding: null` these are bytes, whatever the types say.
    onData: (listener) => void terminal.onData((data) => listener(data as unknown as Buffer)),
    onExit: (listener) => void terminal.onExit(listener),
    end() {
      if (ended) return
      // A paused terminal is never read to its end, and without that its exit is not reported.
      terminal.resume()
      signal('SIGHUP')
      cancel = clock.at(clock.nowMs() + KILL_AFTER_MS, () => signal('SIGKILL'))
    },
  }
}

/**
 * Our Node starts with USR1 blocked (src/system/programs/own-node.ts), which a program that node-pty starts would
 * inherit.
 */
async function unblockUsr1(): Promise<void> {
  if (process.listenerCount('SIGUSR1') > 0) return
  // Its default would end us.
  process.on('SIGUSR1', () => undefined)
  const { native } = await loadNative()
  native.unblock(constants.signals.SIGUSR1)
}

/** It may have ended since we looked, or have become another user's (sudo), which we may not signal. */
function signalProcess(pid: number, signal: NodeJS.Signals): void {
  unlessCode(['ESRCH', 'EPERM'], () => process.kill(pid, signal))
}
