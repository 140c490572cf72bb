import { writeSync } from 'node:fs'
import { HermesError } from '../../system/errors.ts'
import { oneLine, plainText } from '../../system/text/foreign-text.ts'

/** Output of a command. Synchronous, because a command may be killed or end right after a write. */
export interface Output {
  /** Standard output. After its reader has exited (`| head`), nothing more is written. */
  out(text: string): void
  err(text: string): void
  /** True after the reader of standard output has exited. */
  readonly closed: boolean
}

/**
 * Writes to fds 1 and 2 directly: process.stdout takes milliseconds to set up, and sets O_NONBLOCK for every process
 * that shares the terminal.
 */
export function processOutput(): Output {
  const closed = { out: false, err: false }
  const write = (which: 'out' | 'err', text: string): void => {
    if (closed[which]) return
    closed[which] = !writeAll(which === 'out' ? 1 : 2, Buffer.from(text))
  }
  return {
    out: (text) => write('out', text),
    err: (text) => write('err', text),
    get closed() {
      return closed.out
    },
  }
}

/** @returns false when the reader is gone. A terminal whose other end has hung up fails with EIO. */
function writeAll(fd: number, bytes: Buffer): boolean {
  let done = 0
  while (done < bytes.length) {
    try {
      done += writeSync(fd, bytes, done)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EPIPE' || code === 'EIO' || code === 'EBADF') return false
      if (code !== 'EAGAIN') throw error
      // Another process made the pipe non-blocking. Wait a millisecond for its reader.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
  return true
}

/** Result of a command: `text` for people, `json` for programs. Exactly one of them is printed. */
export interface Outcome {
  /** Includes its newlines. */
  readonly text?: string
  /** Adds colours to `text`, once it cannot do any harm to a terminal. */
  readonly paint?: (text: string) => string
  readonly json?: unknown
  readonly exitCode?: number
}

/** The text for people, which can do no harm to a terminal. */
export function shownText({ text = '', paint = (same) => same }: Outcome): string {
  return text === '' ? '' : paint(plainText(text))
}

/** A signal ends this process as it would have without us, once everything is as it was. */
export function endedBy(signal: NodeJS.Signals | undefined): Outcome {
  if (signal !== undefined) process.kill(process.pid, signal)
  return {}
}

export function printOutcome(outcome: Outcome, json: boolean, output: Output): number {
  // In JSON, an escape sequence means the same character.
  if (json && outcome.json !== undefined) output.out(plainText(`${JSON.stringify(outcome.json, null, 2)}\n`))
  else if (!json) output.out(shownText(outcome))
  return outcome.exitCode ?? 0
}

/**
 * Prints an error: one line for what happened and where, one for the next step. Bugs print their stack.
 * @returns the exit code
 */
export function printError(error: unknown, json: boolean, output: Output): number {
  const known = asHermesError(error)
  if (known === undefined) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    output.err(
      plainText(
        json ? `${JSON.stringify({ error: { code: 'BUG', message: text } })}\n` : `hermes: this is a bug: ${text}\n`,
      ),
    )
    return 1
  }
  const { code, message, next } = known
  if (json)
    output.err(plainText(`${JSON.stringify({ error: { code, message, ...(next === undefined ? {} : { next }) } })}\n`))
  else output.err(`hermes: ${oneLine(message)}\n${next === undefined ? '' : `  next: ${oneLine(next)}\n`}`)
  return known.exitCode
}

/** File system errors are expected: path and reason are enough. */
function asHermesError(error: unknown): HermesError | undefined {
  if (error instanceof HermesError) return error
  if (!(error instanceof Error)) return undefined
  const { code, syscall, path, errno } = error as NodeJS.ErrnoException
  if (errno === undefined || code === undefined) return undefined
  const next = adviceFor[code]
  return new HermesError(
    'FAILED',
    `${syscall ?? 'system call'} ${path ?? ''}: ${error.message}`.replace(/ {2}/g, ' '),
    {
      ...(next === undefined ? {} : { next }),
      cause: error,
    },
  )
}

const adviceFor: Readonly<Record<string, string>> = {
  EACCES: '"hermes doctor" shows the owners; in a container, PUID and PGID set the runtime user',
  EPERM: '"hermes doctor" shows the owners; in a container, PUID and PGID set the runtime user',
  EROFS: 'the file system is read-only; mount the volume writable',
  ENOSPC: 'the disk is full; free some space, then try again',
  EDQUOT: 'the quota is exhausted; free some space, then try again',
}

/** Text of a failed drop of root: the reason, that nothing was run as root instead, and two ways out. */
export const cannotDropText = (why: string): string => `hermes: ${why}
hermes: refusing to run as root
  next: run it as the runtime user (docker exec --user hermes …), or as root on purpose (docker exec -e HERMES_DOCKER_EXEC_AS_ROOT=1 …)
`
