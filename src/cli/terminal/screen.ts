/**
 * A whole screen that a command draws on, and gives back as it was: whatever ends the command, the terminal shows what
 * it showed before, with its cursor and its modes. Sequences of xterm (invisible-island.net/xterm/ctlseqs).
 */
import { emitKeypressEvents, type Key } from 'node:readline'
import { isatty, type ReadStream, type WriteStream } from 'node:tty'
import { HermesError } from '../../system/errors.ts'
import type { Environment } from '../../system/programs/install.ts'
import type { Output } from './output.ts'

/** Another screen than that of the shell, without a cursor; a line that is too long is cut off. */
const CLEAR = '\x1b[2J'
const ENTER = `\x1b[?1049h\x1b[?25l\x1b[?7l${CLEAR}`
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l'
/** A terminal that knows them shows what is between them at once. */
const BEGIN = '\x1b[?2026h'
const END = '\x1b[?2026l'

/** @throws HermesError USAGE where nothing can be drawn */
export function requireScreen(command: string, { TERM }: Environment, next: string): void {
  if (isatty(0) && isatty(1) && TERM !== 'dumb') return
  const why = TERM === 'dumb' ? 'one that is not dumb (TERM=dumb)' : 'standard input and output to be one'
  throw new HermesError('USAGE', `${command} needs a terminal: ${why}`, { next })
}

/**
 * What turns one screen into another: only lines that differ are written.
 * @param before undefined: nothing is known of what is there
 */
export function redraw(before: readonly string[] | undefined, after: readonly string[]): string {
  const cleared = before === undefined ? [CLEAR] : []
  const count = Math.max(before?.length ?? 0, after.length)
  // Each line by its place: a terminal takes a place below its last line for the last line.
  const lines = Array.from({ length: count }, (_, at) =>
    before !== undefined && before[at] === after[at] ? '' : `\x1b[${at + 1};1H${after[at] ?? ''}\x1b[K`,
  ).filter((line) => line !== '')
  return cleared.length + lines.length === 0 ? '' : `${BEGIN}${[...cleared, ...lines].join('')}${END}`
}

export interface ScreenEvents {
  /** `a`, `A`, `up`, `return`, `ctrl-c`. */
  readonly onKey: (key: string) => void
  /** It is to be drawn again: another size, or the command was suspended. */
  readonly onChange: () => void
  /** The terminal is gone, or the command is to end. */
  readonly onEnd: (signal?: NodeJS.Signals) => void
}

/** A process that is to stop has stopped after this time. */
const NOT_STOPPED_MS = 100

const ENDING = ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT'] as const

export class Screen implements Disposable {
  readonly #output: Output
  readonly #events: ScreenEvents
  readonly #stdin: ReadStream = process.stdin
  readonly #stdout: WriteStream = process.stdout
  #shown: readonly string[] | undefined
  #isEntered = false
  #isDisposed = false

  constructor(output: Output, events: ScreenEvents) {
    this.#output = output
    this.#events = events
    emitKeypressEvents(this.#stdin)
    this.#stdin.on('keypress', this.#key)
    this.#stdin.on('end', this.#gone)
    this.#stdin.on('error', this.#gone)
    this.#stdout.on('resize', this.#change)
    this.#stdout.on('error', this.#gone)
    process.on('SIGCONT', this.#change)
    for (const signal of ENDING) process.on(signal, events.onEnd)
    // An error that is not caught passes here, too, before its text is printed.
    process.on('exit', this.#leave)
    process.on('uncaughtExceptionMonitor', this.#leave)
    this.#enter()
  }

  get size(): { readonly columns: number; readonly rows: number } {
    // A terminal that does not know its size says 0.
    const { columns, rows } = this.#stdout
    return { columns: columns || 80, rows: rows || 24 }
  }

  draw(lines: readonly string[]): void {
    if (!this.#isEntered) return
    this.#write(redraw(this.#shown, lines))
    this.#shown = lines
  }

  /** Stops this process as Ctrl-Z does elsewhere; SIGCONT brings it back. */
  suspend(): void {
    this.#leave()
    process.kill(process.pid, 'SIGTSTP')
    // Under `docker exec` no shell could continue it, so the kernel does not stop it (an orphaned process group).
    setTimeout(this.#change, NOT_STOPPED_MS)
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true
    this.#leave()
    this.#stdin.off('keypress', this.#key)
    this.#stdin.off('end', this.#gone)
    this.#stdin.off('error', this.#gone)
    this.#stdin.pause()
    this.#stdout.off('resize', this.#change)
    process.off('SIGCONT', this.#change)
    for (const signal of ENDING) process.off(signal, this.#events.onEnd)
    process.off('exit', this.#leave)
    process.off('uncaughtExceptionMonitor', this.#leave)
  }

  #enter(): void {
    this.#stdin.setRawMode(true)
    this.#stdin.resume()
    this.#shown = undefined
    this.#isEntered = true
    this.#write(ENTER)
  }

  readonly #leave = (): void => {
    if (!this.#isEntered) return
    this.#isEntered = false
    this.#write(LEAVE)
    try {
      this.#stdin.setRawMode(false)
    } catch {
      // The terminal is gone, and its modes with it.
    }
  }

  #write(text: string): void {
    this.#output.out(text)
    if (this.#output.closed && this.#isEntered) this.#gone()
  }

  readonly #change = (): void => {
    if (this.#isDisposed) return
    if (!this.#isEntered) this.#enter()
    this.#shown = undefined
    this.#events.onChange()
  }

  readonly #gone = (): void => this.#events.onEnd('SIGHUP')

  readonly #key = (text: string | undefined, { name, ctrl, sequence }: Key): void => {
    if (ctrl === true && name !== undefined) {
      this.#events.onKey(`ctrl-${name}`)
      return
    }
    // A letter as it was typed: readline gives the names of capitals in small letters.
    this.#events.onKey(
      text !== undefined && text.length === 1 && text > ' ' && text !== '\x7f' ? text : (name ?? sequence ?? ''),
    )
  }
}
