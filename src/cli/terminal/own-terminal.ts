/**
 * A `hermes` that is typed into a root shell gets a terminal of its own. A process may type into its controlling
 * terminal (TIOCSTI) and read from it; after the drop the runtime user could do so on root's terminal. Therefore root
 * stays behind and passes bytes on (this file), and the command runs in a session of its own, on a pseudo-terminal,
 * below a shell that keeps job control.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, readdirSync } from 'node:fs'
import { isatty, ReadStream, WriteStream } from 'node:tty'
import { unlessCode } from '../../system/error-code.ts'
import { childEnding } from '../../system/native/child-ending.ts'
import type { Native } from '../../system/native/native.ts'
import { rawMode, rawOutput } from '../../system/native/terminal-mode.ts'
import { readProcess } from '../../system/programs/proc.ts'
import { OWN_SESSION } from './shared-terminal.ts'

/**
 * Leads the new session: opens the terminal, by which it becomes the controlling one, and runs the command as its one
 * job. A session's leader cannot be stopped by Ctrl-Z (POSIX 11.1.4, orphaned process groups); the job can, and then
 * its leader stops itself for us to see.
 */
const LEADER = `
: <>/proc/self/fd/3
exec 3>&-
export ${OWN_SESSION}=$$
set -m
"$@"
code=$?
while kill -0 %1 2>/dev/null; do
  kill -STOP $$
  fg %1 >/dev/null 2>&1
  code=$?
done
exit $code`

/** Signals from a terminal's user and others; in raw mode Ctrl-C and Ctrl-Z are bytes instead. */
const PASSED_ON = ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'] as const
/** After the command's end, output of processes that it left behind is shown for this time. */
const FINAL_OUTPUT_MS = 100

export interface OwnTerminalFacts {
  /** The command line to run again: our own wrapper and its arguments. */
  readonly command: readonly [string, ...string[]]
  readonly env: NodeJS.ProcessEnv
  readonly native: Native
}

/**
 * Runs the command again on a terminal of its own.
 * @returns its exit code
 * @throws Error with one line for people, when no terminal can be had
 */
export async function onOwnTerminal({ command, env, native }: OwnTerminalFacts): Promise<number> {
  closeOtherTerminals()
  let terminal: ReturnType<Native['openTerminal']>
  try {
    terminal = native.openTerminal()
  } catch (error) {
    const why = `no terminal of its own is to be had for the command (${(error as Error).message})`
    throw new Error(
      `${why}, and root's terminal is not for other users; start it by docker exec -it CONTAINER hermes …`,
    )
  }
  return await new Relay(terminal, { command, env, native }).run()
}

/** An inherited descriptor of root's terminal would be the command's, too. */
function closeOtherTerminals(): void {
  for (const fd of readdirSync('/proc/self/fd').map(Number)) if (fd > 2 && isatty(fd)) closeSync(fd)
}

/** Between root's terminal and the command's. */
class Relay {
  readonly #facts: OwnTerminalFacts
  readonly #slave: number
  readonly #master: ReadStream
  readonly #masterFd: number
  /** Descriptors of ours that are root's terminal; the others the command gets as they are. */
  readonly #terminals = [0, 1, 2].filter((fd) => isatty(fd))
  /** Root's terminal as it was; undefined: we may not touch it now. */
  #before: Buffer | undefined
  #input: ReadStream | undefined
  #output: WriteStream | undefined
  #suspend = (): void => undefined

  constructor({ master, slave }: ReturnType<Native['openTerminal']>, facts: OwnTerminalFacts) {
    this.#facts = facts
    this.#masterFd = master
    this.#master = new ReadStream(master)
    this.#slave = slave
  }

  async run(): Promise<number> {
    const out = [1, 2, 0].find((fd) => isatty(fd))
    if (out !== undefined) this.#output = new WriteStream(out)
    this.#takeOverMode()
    this.#resize()
    const child = this.#start()
    // At once: it opens the process before that can have ended.
    const ended = endOf(child, this.#facts.native)
    const { promise: drained, resolve: drain } = Promise.withResolvers<void>()
    this.#master.on('data', (chunk: Buffer) => this.#show(chunk))
    // EIO: no process has the other end open any more.
    this.#master.on('error', drain)
    this.#master.on('close', drain)
    this.#enter(child)
    const forget = this.#listen(child)
    const code = await ended
    const timer = setTimeout(drain, FINAL_OUTPUT_MS)
    await drained
    clearTimeout(timer)
    forget()
    this.#leave()
    this.#input?.destroy()
    this.#master.destroy()
    return code
  }

  #start(): ChildProcess {
    const { command, env } = this.#facts
    const stdio = [0, 1, 2].map((fd) => (this.#terminals.includes(fd) ? this.#slave : fd))
    try {
      return spawn('/bin/sh', ['-c', LEADER, 'hermes', ...command], {
        env,
        stdio: [...stdio, this.#slave],
        detached: true,
      })
    } finally {
      closeSync(this.#slave)
    }
  }

  /** The new terminal begins as root's is: the same keys erase and interrupt. */
  #takeOverMode(): void {
    const { native } = this.#facts
    const [like] = this.#terminals
    if (like === undefined) return
    const mode = native.terminalMode(like)
    native.setTerminalMode(this.#slave, this.#terminals.includes(0) ? mode : rawOutput(mode))
  }

  #resize(): void {
    const { native } = this.#facts
    const [fd] = this.#terminals
    if (fd !== undefined) native.resizeTerminal(this.#masterFd, native.terminalSize(fd))
  }

  /** In the foreground only: in the background root's terminal is the shell's. */
  #enter(child: ChildProcess): void {
    const facts = readProcess(process.pid)
    if (this.#before !== undefined || !this.#terminals.includes(0) || facts?.foreground !== facts?.pgrp) return
    this.#before = this.#facts.native.terminalMode(0)
    this.#facts.native.setTerminalMode(0, rawMode(this.#before))
    if (this.#input === undefined) {
      this.#input = new ReadStream(0)
      this.#input.on('data', (chunk) => {
        if (this.#master.write(chunk)) return
        this.#input?.pause()
        this.#master.once('drain', () => this.#input?.resume())
      })
      // Root's terminal is gone, and so is this one for the command.
      this.#input.on('end', () => passOn(child, 'SIGHUP'))
      this.#input.on('error', () => passOn(child, 'SIGHUP'))
    } else this.#input.resume()
  }

  #leave(): void {
    this.#input?.pause()
    if (this.#before !== undefined) this.#facts.native.setTerminalMode(0, this.#before)
    this.#before = undefined
  }

  #show(chunk: Buffer): void {
    if (this.#output === undefined || this.#output.write(chunk)) return
    this.#master.pause()
    this.#output.once('drain', () => this.#master.resume())
  }

  /** @returns a function that stops listening */
  #listen(child: ChildProcess): () => void {
    const listeners: [NodeJS.Signals, () => void][] = PASSED_ON.map((signal) => [signal, () => passOn(child, signal)])
    this.#suspend = () => passOn(child, 'SIGTSTP')
    listeners.push(['SIGTSTP', this.#suspend])
    listeners.push(['SIGWINCH', () => this.#resize()])
    listeners.push(['SIGCHLD', () => this.#stopWith(child)])
    listeners.push(['SIGCONT', () => this.#goOn(child)])
    for (const [signal, listener] of listeners) process.on(signal, listener)
    return () => {
      for (const [signal, listener] of listeners) process.off(signal, listener)
    }
  }

  /** The command was stopped, by Ctrl-Z or otherwise: root's shell is to have its terminal. */
  #stopWith(child: ChildProcess): void {
    if (child.pid === undefined || readProcess(child.pid)?.state !== 'T') return
    this.#leave()
    // With what runs beside us in a pipeline, and by the signal whose default this is: where no shell would ever
    // continue us (an orphaned process group) the kernel lets it pass, and the command goes on at once.
    process.off('SIGTSTP', this.#suspend)
    process.kill(0, 'SIGTSTP')
    process.on('SIGTSTP', this.#suspend)
    this.#goOn(child)
  }

  #goOn(child: ChildProcess): void {
    this.#enter(child)
    this.#resize()
    if (child.pid !== undefined) process.kill(child.pid, 'SIGCONT')
  }
}

/** To what is in the foreground of the command's terminal. */
function passOn({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  const foreground = pid === undefined ? undefined : readProcess(pid)?.foreground
  if (foreground === undefined || foreground <= 1) return
  // It may have ended since we looked.
  unlessCode(['ESRCH'], () => process.kill(-foreground, signal))
}

async function endOf(child: ChildProcess, native: Native): Promise<number> {
  const failed = new Promise<never>((_, reject) => child.once('error', reject))
  const ending = await Promise.race([childEnding(child, native), failed])
  return 'signal' in ending ? 128 + ending.signal : ending.exitCode
}
