import { createInterface } from 'node:readline'
import { HermesError } from '../../system/errors.ts'

/** Asks questions on the terminal, or takes the answers line by line from whatever standard input is. */
export interface Asker {
  /** Somebody sits there: questions are printed. */
  readonly interactive: boolean
  /** The next line, trimmed; undefined: there is none any more. */
  ask(question: string): Promise<string | undefined>
  /** All lines that are left, trimmed, without the empty ones at the end. */
  rest(): Promise<string[]>
  /** The same without showing on the terminal what is typed. */
  secret(question: string): Promise<string | undefined>
  close(): void
}

const INTERRUPT = '\x03'
const END_OF_INPUT = '\x04'

/**
 * @param print where questions go; never standard output, which may be read by a program
 * @throws HermesError REFUSED from the questions when they are interrupted by Ctrl-C
 */
export function openAsker(print: (text: string) => void): Asker {
  const { stdin } = process
  // Without readline's own editing: the terminal driver does it, and leaves echo to us when a secret is typed.
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
      // Raw mode turns the echo off, and with it Ctrl-C, Ctrl-D and the erase key: those are ours now.
      const watch = (bytes: Buffer): void => {
        const text = bytes.toString('latin1')
        if (text.includes(INTERRUPT) || text.includes(END_OF_INPUT)) give(text)
      }
      stdin.setRawMode(true)
      stdin.on('data', watch)
      try {
        // Only now: whoever answers the moment the question is there would have seen the answer echoed.
        print(question)
        const typed = await nextLine()
        if (typed?.includes(INTERRUPT)) throw new HermesError('REFUSED', 'given up: nothing was stored')
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

/** A line with its erase keys applied. */
function erased(line: string): string {
  let text = ''
  for (const key of line) text = key === '\x7f' || key === '\b' ? text.slice(0, -1) : text + key
  return text
}

/** All of a stream, which may never end, as one text. @param what it is called @throws HermesError USAGE past `maxBytes` */
export async function readText(stream: AsyncIterable<Buffer>, what: string, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    size += chunk.length
    if (size > maxBytes) throw new HermesError('USAGE', `${what} holds more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
