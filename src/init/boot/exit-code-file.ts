import { lchownSync, lstatSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { RuntimeIdentity } from '../../protocol/start-up.ts'
import { readSmallFile } from '../../system/files/small-file.ts'

/** The image ships it for `--user`, which could not make it. */
export const RESULTS = '/run/s6-linux-init-container-results'
const HALT = '/run/s6/basedir/bin/halt'
/** A number below 256 and a newline; a longer text is not an exit code. */
const MAX_BYTES = 16

export interface ExitCodePlaces {
  /** Directory that holds docker/halt. */
  readonly install: string
  /** The user who may set the exit code besides root; absent: root is not dropped, and we may. */
  readonly owner: RuntimeIdentity | undefined
  readonly results?: string
  readonly halt?: string
}

/**
 * s6-overlay's way to set the container's exit code: a number in `/run/s6-linux-init-container-results/exitcode`,
 * then `/run/s6/basedir/bin/halt`. init reads one number from there, through a descriptor that follows no link and
 * never blocks; a runtime user who may stop the container may also set its exit code.
 */
export class ExitCodeFile {
  readonly #file: string

  private constructor(file: string) {
    this.#file = file
  }

  /** @throws the error of the file system */
  static make({ install, owner, results = RESULTS, halt = HALT }: ExitCodePlaces): ExitCodeFile {
    clear(results)
    mkdirSync(results, { recursive: true, mode: 0o755 })
    const exitCode = new ExitCodeFile(join(results, 'exitcode'))
    exitCode.write(0)
    if (owner !== undefined) lchownSync(exitCode.#file, owner.uid, owner.gid)
    mkdirSync(dirname(halt), { recursive: true, mode: 0o755 })
    rmSync(halt, { force: true })
    // A link into the image, not a script of our own: /run may be mounted noexec.
    symlinkSync(join(install, 'docker', 'halt'), halt)
    return exitCode
  }

  /** Writes the exit code that the container will have, unless it is changed there. */
  write(code: number): void {
    writeFileSync(this.#file, `${code}\n`, { mode: 0o644 })
  }

  /** @returns what was written there; undefined: nothing that is an exit code */
  read(): number | undefined {
    const text = readSmallFile(this.#file, MAX_BYTES).text?.trim() ?? ''
    return /^\d{1,3}$/.test(text) && Number(text) <= 255 ? Number(text) : undefined
  }
}

/**
 * Keeps the directory itself: a user who may write in it, as the image ships it, need not be able to create it again.
 */
function clear(results: string): void {
  if (!lstatSync(results, { throwIfNoEntry: false })?.isDirectory()) rmSync(results, { force: true })
  else for (const name of readdirSync(results)) rmSync(join(results, name), { recursive: true, force: true })
}
