import { join } from 'node:path'
import { createStream, type RotatingFileStream } from 'rotating-file-stream'
import type { Clock } from '../clock.ts'
import { makeDirectory } from './directory.ts'

export interface RotatedFileOptions {
  /** Made when it is not there. */
  readonly dir: string
  readonly name: string
  readonly mode: number
  readonly clock: Clock
  /** Called once per failure, and again only after a success in between. */
  readonly warn: (text: string) => void
}

/** Minimum time after a failure before the file is opened again. */
const RETRY_MS = 10_000

/**
 * A log of our own programs: 5 MB, and three older files. Trouble with it (full disk, no permission) costs lines and
 * nothing else. A stream ends with its first error, so the next one is opened when there may be room again.
 */
export class RotatedFile {
  readonly #options: RotatedFileOptions
  readonly #path: string
  #stream: RotatingFileStream | undefined
  #retryAtMs = Number.NEGATIVE_INFINITY
  /** The last write failed, which has been reported. */
  #failed = false

  constructor(options: RotatedFileOptions) {
    this.#options = options
    this.#path = join(options.dir, options.name)
    this.#opened()
  }

  /** @param text whole lines */
  write(text: string): void {
    this.#opened()?.write(text, (error) => {
      if (!error) this.#failed = false
    })
  }

  /** Resolves when everything is in the file. */
  close(): Promise<void> {
    return new Promise((resolve) => (this.#stream === undefined ? resolve() : this.#stream.end(() => resolve())))
  }

  #opened(): RotatingFileStream | undefined {
    const { dir, name, mode, clock, warn } = this.#options
    if (this.#stream !== undefined || clock.nowMs() < this.#retryAtMs) return this.#stream
    try {
      makeDirectory(dir)
      const stream = createStream(name, { path: dir, size: '5M', rotate: 3, mode })
      stream.on('error', (error) => {
        if (this.#stream === stream) this.#fail(error)
      })
      stream.on('warning', (error) => warn(`${this.#path}: ${error.message}`))
      this.#stream = stream
    } catch (error) {
      this.#fail(error as Error)
    }
    return this.#stream
  }

  #fail(error: Error): void {
    if (!this.#failed)
      this.#options.warn(`${this.#path}: ${error.message}; lines are missing there until it can be written again`)
    this.#failed = true
    this.#stream = undefined
    this.#retryAtMs = this.#options.clock.nowMs() + RETRY_MS
  }
}
