import type { Journal } from '../log/io/journal.ts'
import { seedHome } from '../profile/directory/disk.ts'
import { FOREIGN_AGE_MS, sweepLeftovers } from '../profile/directory/staging.ts'
import type { Clock } from '../system/clock.ts'
import { homePaths } from '../system/paths.ts'
import { removeOldRunDirectory } from './old-run-directory.ts'

export interface VolumeFilesOptions {
  readonly home: string
  readonly runDir: string
  readonly journal: Journal
  readonly clock: Clock
}

/**
 * Work that a container does once with the files of its volume: writes the first ones, removes leftovers. A failure is
 * a line in the log.
 */
export class VolumeFiles {
  readonly #options: VolumeFilesOptions

  constructor(options: VolumeFilesOptions) {
    this.#options = options
  }

  /** Gives a new volume its first files. @param isOurs whether it still is */
  async fill(isOurs: () => boolean): Promise<void> {
    const { home, journal } = this.#options
    try {
      const made = await seedHome(home)
      if (made.length > 0) journal.info(`new in ${home}: ${made.join(', ')}`)
    } catch (error) {
      journal.warn(`${home} could not be filled: ${(error as Error).message}`)
    }
    if (isOurs()) this.#removeOldRunDirectory()
  }

  /**
   * What commands of this volume's earlier lives left; once more when those of other containers can be distinguished
   * from living ones.
   */
  sweep(isOurs: () => boolean, again = true): void {
    const { home, journal, clock } = this.#options
    if (!isOurs()) return
    sweepLeftovers(homePaths(home).profiles).then(
      (swept) => swept > 0 && journal.info(`removed ${swept} directories that interrupted commands left in profiles/`),
      (error: Error) => journal.warn(`what interrupted commands left in profiles/ stays: ${error.message}`),
    )
    if (again) clock.at(clock.nowMs() + 2 * FOREIGN_AGE_MS, () => this.sweep(isOurs, false))
  }

  #removeOldRunDirectory(): void {
    const { home, runDir, journal } = this.#options
    try {
      const removed = removeOldRunDirectory(home, runDir)
      if (removed !== undefined)
        journal.info(`removed ${removed}: an earlier version kept the container's environment, secrets included, there`)
    } catch (error) {
      journal.warn(
        `cannot remove ${(error as Error).message}: an earlier version left the container's environment there`,
      )
    }
  }
}
