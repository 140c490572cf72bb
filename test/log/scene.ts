import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sortArchives } from '../../src/log/archives.ts'
import type { LogPlace } from '../../src/log/io/log-file.ts'
import { type SharedLogResources, sharedLogResources } from '../../src/log/io/shared-resources.ts'
import { SlotLog, type SlotLogOptions } from '../../src/log/io/slot-log.ts'
import { STAMP_BYTES } from '../../src/log/stamp.ts'
import { type FakeClock, fakeClock } from '../support/supervisor/fake-clock.ts'

export const makeFifo = (path: string): string => {
  execFileSync('mkfifo', [path])
  return path
}

type SceneOptions = Partial<Omit<SlotLogOptions, 'place'> & LogPlace>

/** A slot's FIFO and its log directory, in a temporary place; its messages go to lists. */
export class LogScene implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), 'hermes-log-'))
  readonly dir: string
  readonly fifo: string
  readonly clock: FakeClock = fakeClock()
  readonly shared: SharedLogResources
  readonly warnings: string[] = []
  readonly copied: string[] = []
  readonly tapped: string[] = []
  readonly #options: SceneOptions
  readonly #inputFd: number
  log: SlotLog

  constructor(options: SceneOptions = {}) {
    this.dir = options.dir ?? join(this.root, 'log')
    this.fifo = makeFifo(join(this.root, 'fifo'))
    this.#options = options
    this.shared = sharedLogResources(this.clock, (text) => this.warnings.push(text))
    this.log = this.open(false)
    this.#inputFd = openSync(this.fifo, constants.O_WRONLY)
  }

  open(continued: boolean): SlotLog {
    const { name, maxBytes = 1_000_000, archives = 10, dir: _, ...options } = this.#options
    return SlotLog.open({
      slot: 'web',
      fifo: this.fifo,
      place: { dir: this.dir, maxBytes, archives, ...(name !== undefined && { name }) },
      clock: this.clock,
      console: {
        write: (lines) => void this.copied.push(Buffer.from(lines as Buffer).toString('latin1')),
        mayContinue: () => true,
      },
      form: 'raw',
      warn: (text) => void this.warnings.push(text),
      continued,
      tap: (lines) => void this.tapped.push(lines.toString('latin1')),
      shared: this.shared,
      ...options,
    })
  }

  /** The supervisor is gone and another one has come; `continued`: the service lives on. */
  async reopen(continued: boolean): Promise<void> {
    await this.log.close()
    this.log = this.open(continued)
  }

  /** The service writes, and everything is taken in at once. */
  write(text: string | Uint8Array): void {
    const bytes = typeof text === 'string' ? Buffer.from(text) : text
    for (let at = 0; at < bytes.length; at += 4096) {
      writeSync(this.#inputFd, bytes.subarray(at, at + 4096))
      this.log.drain()
    }
  }

  archives(): readonly string[] {
    return sortArchives(readdirSync(this.dir))
  }

  current(): string {
    return readFileSync(join(this.dir, 'current'), 'latin1')
  }

  /** Every file's content, oldest first. */
  files(): string[] {
    const names = [...this.archives(), 'current'].filter((name) =>
      statSync(join(this.dir, name), { throwIfNoEntry: false }),
    )
    return names.map((name) => readFileSync(join(this.dir, name), 'latin1'))
  }

  /** All that was logged, without the stamps. */
  text(): string {
    return unstamped(this.files().join(''))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.log.close()
    closeSync(this.#inputFd)
    rmSync(this.root, { recursive: true, force: true })
  }
}

/** Takes the stamp off every line; a line that has none is shown as such. */
export const unstamped = (text: string): string =>
  text
    .split(/(?<=\n)/)
    .filter((line) => line !== '')
    .map((line) =>
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /.test(line) ? line.slice(STAMP_BYTES) : `UNSTAMPED ${line}`,
    )
    .join('')

/** A pipe whose both ends are ours. */
export class Pipe implements Disposable {
  readonly #root = mkdtempSync(join(tmpdir(), 'hermes-pipe-'))
  readonly readFd: number
  readonly writeFd: number
  #readerOpen = true

  constructor() {
    const path = makeFifo(join(this.#root, 'fifo'))
    this.readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    this.writeFd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
  }

  /** Content of the pipe now. */
  read(): string {
    const block = Buffer.alloc(65_536)
    let text = ''
    try {
      for (let length = -1; length !== 0; ) {
        length = readSync(this.readFd, block)
        text += block.toString('latin1', 0, length)
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    }
    return text
  }

  closeReader(): void {
    if (this.#readerOpen) closeSync(this.readFd)
    this.#readerOpen = false
  }

  [Symbol.dispose](): void {
    this.closeReader()
    rmSync(this.#root, { recursive: true, force: true })
  }
}
