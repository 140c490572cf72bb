import { replaceFileSync } from '../../system/files/replace-file.ts'
import { rootPathOf } from '../../system/files/trust.ts'
import { ROOT_GOES_WITHOUT } from '../../system/programs/own-node.ts'
import type { Variables } from './environment.ts'

/** PATH for programs that start as root: nothing in it comes from a container, a profile or a supervisor. */
export const SAFE_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
/** An environment for what runs as root on its way to somewhere else. */
export const ROOT_ENV: Variables = { PATH: SAFE_PATH }
/** s6-overlay's: in front of the container's PATH where it is missing there. */
const OVERLAY_PATH = ['/command', '/usr/bin', '/bin']

export interface RootEnvironmentOptions {
  /** Our own uid: not 0, and nothing is left out. */
  readonly uid: number
  /** The container's current environment. */
  readonly container: () => Variables
  /** File in which with-contenv finds the PATH for root's programs. */
  readonly file: string
  readonly warn: (text: string) => void
}

/**
 * The container's environment for what runs as root: hooks, and services without a user. An image may name
 * directories of the runtime user in its PATH; root must not find a program there.
 */
export class RootEnvironment {
  readonly #options: RootEnvironmentOptions
  #written: string | undefined

  constructor(options: RootEnvironmentOptions) {
    this.#options = options
  }

  /**
   * The container's PATH without directories that others than root can write. Computed again, since a hook may have
   * changed it.
   */
  path(container = this.#options.container()): string {
    const given = container.PATH || SAFE_PATH
    if (this.#options.uid !== 0) return given
    const dirs = given.split(':')
    const path = rootPathOf([...OVERLAY_PATH.filter((dir) => !dirs.includes(dir)), ...dirs].join(':'))
    if (path !== this.#written) this.#write(path)
    return path
  }

  variables(): Variables {
    const container = this.#options.container()
    const kept = Object.entries(container).filter(
      ([name]) => this.#options.uid !== 0 || !ROOT_GOES_WITHOUT.includes(name),
    )
    return { ...Object.fromEntries(kept), PATH: this.path(container) }
  }

  #write(path: string): void {
    const { file, warn } = this.#options
    try {
      // Renamed: a script of root's that starts just now reads the one or the other.
      replaceFileSync(file, `${path}\n`, { mode: 0o644 })
      this.#written = path
    } catch (error) {
      warn(`${file} cannot be written (${(error as Error).message}); with-contenv of root goes on with an older PATH`)
    }
  }
}
