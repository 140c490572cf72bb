import { chmodSync, chownSync, lstatSync, mkdirSync } from 'node:fs'
import { type HandedText, KEPT_TEXTS, type KeptText, MAX_HANDOVER_LINE_BYTES } from '../../protocol/handover.ts'
import { replaceFileDurably } from '../../system/files/replace-file.ts'
import { readSmallFile } from '../../system/files/small-file.ts'
import { below } from '../../system/paths.ts'

/** Its place in the image; a volume mounted there outlives `docker rm`. */
export const DASHBOARD_DIR = '/var/lib/hermes-dashboard'

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
    this.#problem = whyNotMade(this.#dir)
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
}

function whyNotMade(dir: string): string | undefined {
  try {
    if (lstatSync(dir, { throwIfNoEntry: false }) === undefined) mkdirSync(dir, { mode: 0o700 })
    const status = lstatSync(dir)
    if (!status.isDirectory()) return `${dir} is not a directory`
    // A mounted directory may come with another owner and mode.
    if (status.uid !== 0 || status.gid !== 0) chownSync(dir, 0, 0)
    if ((status.mode & 0o777) !== 0o700) chmodSync(dir, 0o700)
    return undefined
  } catch (error) {
    return `${dir} cannot be made root's alone: ${(error as NodeJS.ErrnoException).code ?? String(error)}`
  }
}
