import { promises } from 'node:fs'
import {
  type HandedText,
  KEPT_TEXTS,
  type KeptText,
  type Looked,
  MAX_HANDOVER_LINE_BYTES,
} from '../../protocol/handover.ts'
import { replaceFileDurably } from '../../system/files/replace-file.ts'
import { makeRootDirectory } from '../../system/files/root-directory.ts'
import { readSmallFile } from '../../system/files/small-file.ts'
import { below } from '../../system/paths.ts'

/**
 * Data that the dashboard keeps across a restart, in files that only root can access, so that a gateway cannot create
 * a session.
 */
export class DashboardState {
  readonly #dir: string
  #problem: string | undefined

  constructor(dir: string) {
    this.#dir = dir
  }

  /** Makes the directory where there is none. Trouble becomes the problem of every text. */
  texts(): { readonly [name in KeptText]: HandedText } {
    this.#problem = makeRootDirectory(this.#dir)
    const read = (name: KeptText): HandedText =>
      this.#problem === undefined
        ? readSmallFile(below(this.#dir, name), MAX_HANDOVER_LINE_BYTES)
        : { problem: this.#problem }
    return Object.fromEntries(KEPT_TEXTS.map((name) => [name, read(name)])) as { [name in KeptText]: HandedText }
  }

  /** Off the main thread: a disk may take its time, and PID 1 has none. @returns why it is not on the disk */
  async write(name: KeptText, text: string): Promise<string | undefined> {
    if (this.#problem !== undefined) return this.#problem
    const file = below(this.#dir, name)
    try {
      await replaceFileDurably(file, text, 0o600)
      return undefined
    } catch (error) {
      return `${file} cannot be written: ${(error as NodeJS.ErrnoException).code ?? String(error)}`
    }
  }

  /**
   * Reads the tokens, unless they are as they were at `stamp`. Off the main thread, as it is done for each request with
   * a token.
   */
  async look(stamp: string | undefined): Promise<Omit<Looked, 'type'>> {
    const file = below(this.#dir, 'tokens')
    try {
      const status = await promises.lstat(file, { bigint: true })
      const found = [status.dev, status.ino, status.size, status.mtimeNs, status.ctimeNs].join(':')
      if (found === stamp) return { stamp }
      if (!status.isFile()) return { problem: 'is not a regular file' }
      if (status.size > MAX_HANDOVER_LINE_BYTES) return { problem: 'is too large' }
      // Replaced in the meantime, it has another stamp, and the next look reads it again.
      return { stamp: found, text: await promises.readFile(file, 'utf8') }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      return code === 'ENOENT' ? {} : { problem: `cannot be read: ${code ?? String(error)}` }
    }
  }
}
