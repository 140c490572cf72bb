import { readdirSync, rmSync } from 'node:fs'
import {
  encodeMessage,
  isKeptName,
  type KeptName,
  MAX_KEPT,
  MAX_KEPT_BYTES,
  MAX_LINE_BYTES,
  type ToInit,
  type ToSupervisor,
} from '../../protocol/init.ts'
import { overwriteFileSync, replaceFileSync } from '../../system/files/replace-file.ts'
import { readSmallFile } from '../../system/files/small-file.ts'
import { below } from '../../system/paths.ts'

/** Smallest block of the file systems that a run directory is on; a page of memory. */
const BLOCK_BYTES = 4096

type Kept = Extract<ToSupervisor, { type: 'kept' }>

export interface SupervisorStatesOptions {
  /** Accessible only to root, and initially empty: the next supervisor trusts its content. */
  readonly dir: string
  readonly warn: (text: string) => void
}

/**
 * Data that a supervisor leaves for the next one: one file per text. The runtime user cannot reach them, so no
 * gateway can change what a supervisor knows about its slots. Not synced: the files have to outlive a process, not
 * the machine, whose boot clears the directory.
 */
export class SupervisorStates {
  readonly #options: SupervisorStatesOptions
  readonly #sizes = new Map<KeptName, number>()
  #totalBytes = 0
  #failing = false

  constructor(options: SupervisorStatesOptions) {
    this.#options = options
  }

  /** Complete when this returns. A failure is reported once, and the last text of that name is kept. */
  take(message: Extract<ToInit, { type: 'keep' | 'forget' }>): void {
    if (message.type === 'keep') this.#keep(message.name, message.text)
    else this.#forget(message.slot)
  }

  #keep(name: KeptName, text: string): void {
    const bytes = Buffer.from(text)
    const known = this.#sizes.get(name)
    const totalBytes = this.#totalBytes - (known ?? 0) + bytes.length
    if (totalBytes > MAX_KEPT_BYTES || (known === undefined && this.#sizes.size >= MAX_KEPT)) {
      this.#fail(
        `the supervisor leaves more than ${MAX_KEPT_BYTES} bytes or ${MAX_KEPT} states; ${name} is not written`,
      )
      return
    }
    try {
      this.#write(below(this.#options.dir, name), bytes, known)
    } catch (error) {
      const { dir } = this.#options
      this.#fail(`cannot write ${below(dir, name)}: ${(error as Error).message}; free some space in ${dir}`)
      return
    }
    this.#failing = false
    this.#sizes.set(name, bytes.length)
    this.#totalBytes = totalBytes
  }

  /**
   * In place where it can be: a new file per transition was a quarter of the kernel's work in a stop of 100 slots. Only
   * we read these files, and one block is written as a whole or, on a full disk, not at all.
   */
  #write(file: string, bytes: Buffer, known: number | undefined): void {
    const fitsInPlace = known !== undefined && known > 0 && Math.max(known, bytes.length) <= BLOCK_BYTES
    if (!fitsInPlace || !overwriteFileSync(file, bytes)) replaceFileSync(file, bytes, { mode: 0o600 })
  }

  #forget(name: KeptName): void {
    this.#totalBytes -= this.#sizes.get(name) ?? 0
    this.#sizes.delete(name)
    try {
      rmSync(below(this.#options.dir, name), { recursive: true, force: true })
    } catch (error) {
      this.#fail(`cannot remove ${below(this.#options.dir, name)}: ${(error as Error).message}`)
    }
  }

  /** Sorted by name. Each file is read on demand: all of them together need not fit into memory. */
  *messages(): Generator<Kept> {
    for (const name of readdirSync(this.#options.dir).sort()) {
      if (!isKeptName(name)) continue
      const { text, problem } = readSmallFile(below(this.#options.dir, name), MAX_LINE_BYTES)
      if (problem !== undefined) yield { type: 'kept', name, problem }
      if (text === undefined) continue
      const message = { type: 'kept', name, text } as const
      yield isSendable(message) ? message : { type: 'kept', name, problem: `holds more than ${MAX_LINE_BYTES} bytes` }
    }
  }

  #fail(what: string): void {
    if (!this.#failing) this.#options.warn(what)
    this.#failing = true
  }
}

/** The supervisor gives up a line that is too long. JSON makes at most six characters of one. */
const isSendable = (message: Extract<Kept, { text: string }>): boolean =>
  message.text.length < MAX_LINE_BYTES / 7 || Buffer.byteLength(encodeMessage(message)) <= MAX_LINE_BYTES
