import { createInterface } from 'node:readline'
import { HermesError } from '../../system/errors.ts'

/** Asks questions on a terminal, or reads the answers line by line from standard input. */
export interface Prompter {
  /** True on a terminal: questions are printed. */
  readonly interactive: boolean
  /** Next line, trimmed; undefined at the end of input. */
  ask(question: string): Promise<string | undefined>
  /** All remaining lines, trimmed, without empty ones at the end. */
  rest(): Promise<string[]>
  /** Like `ask`, without showing the typed text on the terminal. */
  secret(question: string): Promise<string | undefined>
  close(): void
}

const INTERRUPT = '\x03'
const END_OF_INPUT = '\x04'

/**
 * @param print writes questions; never to standard output, which a program may read
 * @throws HermesError REFUSED if Ctrl-C interrupts a question
 */
export function openPrompter(print: (text: string) => void): Prompter {
  const { stdin } = process
  // Uses no line editing of readline: the terminal driver does it, and lets us turn the echo off for secrets.
  const lines = createInterface({ input: stdin, terminal: false })
  const queue: string[] = []
  let waiting: ((line: string | undefined) => void) | undefined
  let closed = false
  const give = (line: string | undefined): void => {
    const next = waiting
    waiting = undefined
    if (next) next(line)
    else if (line !== undefined) queue.push(line)
  }
  lines.on('line', give)
  lines.on('close', () => {
    closed = true
    give(undefined)
  })
  const nextLine = (): Promise<string | undefined> =>
    new Promise((resolve) => {
      if (queue.length > 0) resolve(queue.shift())
      else if (closed) resolve(undefined)
      else waiting = resolve
    })
  return {
    interactive: stdin.isTTY === true,
    async ask(question) {
      if (stdin.isTTY) print(question)
      return (await nextLine())?.trim()
    },
    async rest() {
      const all: string[] = []
      for (let line = await nextLine(); line !== undefined; line = await nextLine()) all.push(line.trim())
      while (all.at(-1) === '') all.pop()
      return all
    },
    async secret(question) {
      if (!stdin.isTTY) return (await nextLine())?.trim()
      // Raw mode turns off the echo, and with it Ctrl-C, Ctrl-D and the erase keys, so they are handled here.
      const watch = (bytes: Buffer): void => {
        const text = bytes.toString('latin1')
        if (text.includes(INTERRUPT) || text.includes(END_OF_INPUT)) give(text)
      }
      stdin.setRawMode(true)
      stdin.on('data', watch)
      try {
        // Print the question only now: an answer typed before this point would have been echoed.
        print(question)
        const typed = await nextLine()
        if (typed?.includes(INTERRUPT)) throw new HermesError('REFUSED', 'interrupted; nothing was stored')
        return typed === undefined || typed.includes(END_OF_INPUT) ? undefined : erased(typed).trim()
      } finally {
        stdin.off('data', watch)
        stdin.setRawMode(false)
        print('\n')
      }
    },
    close() {
      lines.close()
      stdin.unref?.()
    },
  }
}

/** Applies the erase keys in a line. */
function erased(line: string): string {
  let text = ''
  for (const key of line) text = key === '\x7f' || key === '\b' ? text.slice(0, -1) : text + key
  return text
}

/**
 * Reads a whole stream, which may never end, as text. @param what name for messages @throws HermesError USAGE past
 * `maxBytes`
 */
export async function readText(stream: AsyncIterable<Buffer>, what: string, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    size += chunk.length
    if (size > maxBytes) throw new HermesError('USAGE', `${what} is longer than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
