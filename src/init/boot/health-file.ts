import { rmSync, writeFileSync } from 'node:fs'

/**
 * The file that `hermes healthcheck` reads before it starts a Node process: it exists while the supervisor answers
 * init's pings, and contains the line that the command prints. The engine checks every three seconds, so the good
 * answer must cost next to nothing.
 *
 * It is written when the answer changes, not at each ping: if the run directory is on a disk, a write every few
 * seconds would never let that disk sleep. If it cannot be written, the command asks the supervisor itself.
 */
export class HealthFile {
  readonly #path: string
  #pid: number | undefined

  /** @param path in a directory that only init can write; the boot has removed what an earlier init left there */
  constructor(path: string) {
    this.#path = path
  }

  /** @param pid the supervisor that answers; undefined: none does */
  set(pid: number | undefined): void {
    if (pid === this.#pid) return
    this.#pid = pid
    rmSync(this.#path, { force: true })
    if (pid === undefined) return
    try {
      writeFileSync(this.#path, `healthy: the supervisor (pid ${pid}) answers\n`, { mode: 0o644, flag: 'wx' })
    } catch {
      // For example a full disk. Without the file the command asks the supervisor, which is slower but equally
      // correct.
      this.#pid = undefined
    }
  }
}
