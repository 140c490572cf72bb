import { type BigIntStats, fstat, lstat, stat } from 'node:fs'
import { promisify } from 'node:util'
import type { LookResult } from '../../volume/lock.ts'

/** The object that has the path, a link not followed; asked in the thread pool. */
export const lookAt = (path: string): Promise<BigIntStats> => promisify(lstat)(path, { bigint: true })

/** The object that is open, whatever its name; asked in the thread pool. */
export const lookThrough = (fd: number): Promise<BigIntStats> => promisify(fstat)(fd, { bigint: true })

const isSame = (there: BigIntStats, held: BigIntStats | undefined): boolean =>
  there.dev === held?.dev && there.ino === held.ino

/** Looks whether the lease's file is in its place, and which one. */
export class VolumeLook {
  readonly #dir: string
  readonly #path: string
  /** Last change of the directory when a look last missed the file. */
  #missedAtNs: bigint | undefined
  /** The file that we hold, as it was when it was last looked at. */
  #held: BigIntStats | undefined

  /**
   * @param dir as a path that nothing in the volume can redirect
   * @param path of the file, through the directory
   */
  constructor(dir: string, path: string) {
    this.#dir = dir
    this.#path = path
  }

  /** We hold another file than at the last look. */
  forget(): void {
    this.#held = undefined
  }

  /** @param ours the file that we hold */
  async look(ours: number | undefined): Promise<LookResult> {
    try {
      const there = await lookAt(this.#path)
      this.#missedAtNs = undefined
      // Asked only if something has changed: each question wakes a container that has nothing else to do.
      if (ours === undefined) return 'another'
      if (!isSame(there, this.#held)) this.#held = await lookThrough(ours)
      return isSame(there, this.#held) ? 'ours' : 'another'
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT') return this.#missed()
      // Root may not look in there (no CAP_DAC_OVERRIDE). The file that we hold can still show that it has no name
      // any more.
      if (code === 'EACCES' && ours !== undefined) {
        const { nlink } = await lookThrough(ours)
        return nlink === 0n ? 'gone' : 'unknown'
      }
      return 'unknown'
    }
  }

  /**
   * The file is not there. Between two looks its holder may have made it anew, and the runtime user may have deleted it
   * again: the directory shows that. If it cannot be asked, that may be so.
   */
  async #missed(): Promise<LookResult> {
    const lastNs = this.#missedAtNs
    try {
      this.#missedAtNs = (await promisify(stat)(this.#dir, { bigint: true })).mtimeNs
    } catch {
      return 'gone-anew'
    }
    return lastNs === undefined || lastNs === this.#missedAtNs ? 'gone' : 'gone-anew'
  }
}
