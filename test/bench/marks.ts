import { execFileSync } from 'node:child_process'
import { constants, openSync } from 'node:fs'
import { Socket } from 'node:net'

export interface Mark {
  readonly service: string
  /** Pid in the service's own namespace. */
  readonly pid: number
  readonly atMs: number
}

/**
 * A FIFO that every service writes one line to when it begins: `<service> <pid>`. The line's arrival is the measure.
 */
export class Marks {
  readonly path: string
  readonly #socket: Socket
  readonly #seen: Mark[] = []
  readonly #waiting = new Set<() => void>()

  constructor(path: string) {
    this.path = path
    execFileSync('mkfifo', ['-m', '666', path])
    // Both ends: a FIFO without a writer would be at its end all the time.
    this.#socket = new Socket({
      fd: openSync(path, constants.O_RDWR | constants.O_NONBLOCK),
      readable: true,
      writable: false,
    })
    let held = ''
    this.#socket.on('data', (chunk: Buffer) => {
      const atMs = performance.now()
      const lines = (held + chunk.toString()).split('\n')
      held = lines.pop() ?? ''
      for (const line of lines) {
        const [service = '', pid = ''] = line.split(' ')
        this.#seen.push({ service, pid: Number(pid), atMs })
      }
      for (const look of this.#waiting) look()
    })
  }

  get count(): number {
    return this.#seen.length
  }

  /** Resolves with what `find` makes of the marks, as soon as it makes something of them. */
  when<T>(what: string, find: (seen: readonly Mark[]) => T | undefined, deadlineMs = 60_000): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = find(this.#seen)
        if (found === undefined) return
        finish()
        resolve(found)
      }
      const timer = setTimeout(() => {
        finish()
        reject(new Error(`waited ${deadlineMs} ms for ${what}; ${this.#seen.length} marks came`))
      }, deadlineMs)
      const finish = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(look)
      }
      this.#waiting.add(look)
      look()
    })
  }

  close(): void {
    this.#socket.destroy()
  }
}
