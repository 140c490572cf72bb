import { createInterface, type Interface } from 'node:readline'
import { PassThrough } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import type { ReadStream, WriteStream } from 'node:tty'
import type { Cancel, Clock } from '../../system/clock.ts'
import { BRACKETED_PASTE, type Typed, TypedText } from './typed-text.ts'

/** Between two reads of one paste. */
const SETTLE_MS = 50
/**
 * A longer paste, or one of several lines, is shown as a placeholder: the editor redraws a line at each character.
 */
const MAX_SHOWN_CHARS = 256

export interface QuestionLineFacts {
  readonly input: ReadStream
  readonly output: WriteStream
  readonly clock: Clock
  /** TERM: a dumb terminal is not asked to mark what is pasted. */
  readonly term: string | undefined
  /** Ctrl-C. */
  readonly onInterrupt: () => void
}

/** A line editor whose lines wait until they are asked for, and in which a pasted block is part of one line. */
export class QuestionLine {
  readonly #facts: QuestionLineFacts
  readonly #editor: Interface
  readonly #keys: PassThrough
  readonly #typed = new TypedText()
  readonly #decoder = new StringDecoder('utf8')
  readonly #pasted = new Map<string, string>()
  #waiting: string[] = []
  #wake: (() => void) | undefined
  #closed = false
  #settle: Cancel = () => undefined

  constructor(facts: QuestionLineFacts) {
    this.#facts = facts
    const { input, output } = facts
    this.#keys = Object.assign(new PassThrough(), {
      isTTY: true,
      // The editor sets the mode of the stream it reads.
      setRawMode: (on: boolean) => input.setRawMode(on),
    })
    this.#editor = createInterface({ input: this.#keys, output, terminal: true, prompt: '> ' })
    this.#editor.on('line', (line) => {
      this.#waiting.push(this.#unfolded(line))
      this.#wake?.()
    })
    this.#editor.on('SIGINT', facts.onInterrupt)
    this.#editor.on('close', () => this.#ended())
    input.on('data', this.#onData)
    input.once('end', () => this.#editor.close())
    if (facts.term !== 'dumb') output.write(BRACKETED_PASTE.on)
  }

  /**
   * The next line that was entered, without white space at its ends; undefined when the terminal was closed and none is
   * left.
   */
  async next(): Promise<string | undefined> {
    if (this.#waiting.length === 0 && !this.#closed) {
      this.#editor.prompt(true)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = undefined
    }
    return this.#waiting.shift()?.trim()
  }

  /** Forgets the lines that have not been asked for. @returns how many */
  dropWaiting(): number {
    const { length } = this.#waiting
    this.#waiting = []
    return length
  }

  close(): void {
    this.#editor.close()
  }

  readonly #onData = (bytes: Buffer): void => {
    this.#settle()
    this.#feed(this.#typed.push(this.#decoder.write(bytes)))
    const { clock } = this.#facts
    if (this.#typed.unsettled)
      this.#settle = clock.at(clock.nowMs() + SETTLE_MS, () => this.#feed(this.#typed.settle()))
  }

  #feed(all: readonly Typed[]): void {
    for (const typed of all) {
      if (typed.kind === 'keys') this.#keys.write(typed.text)
      else this.#keys.write(`${this.#folded(typed.text)}${typed.submit ? '\r' : ''}`)
    }
  }

  #folded(text: string): string {
    const lines = text.split('\n').length
    if (lines === 1 && text.length <= MAX_SHOWN_CHARS) return text
    const size = lines === 1 ? `${text.length} characters` : `${lines} lines`
    const placeholder = `[pasted #${this.#pasted.size + 1}: ${size}]`
    this.#pasted.set(placeholder, text)
    return placeholder
  }

  #unfolded(line: string): string {
    return line.replaceAll(/\[pasted #\d+: [^\]]*\]/g, (placeholder) => this.#pasted.get(placeholder) ?? placeholder)
  }

  #ended(): void {
    const { input, output, term } = this.#facts
    this.#closed = true
    this.#settle()
    input.off('data', this.#onData)
    input.pause()
    if (term !== 'dumb') output.write(BRACKETED_PASTE.off)
    this.#wake?.()
  }
}
