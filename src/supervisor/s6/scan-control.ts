import { join } from 'node:path'
import type { Cancel, Clock } from '../../system/clock.ts'
import { makeDirectory } from '../../system/files/directory.ts'
import { scanAction } from './control-commands.ts'
import type { ControlNative } from './control-fifo.ts'
import { ControlDir } from './supervise-dir.ts'

export interface ScanControlOptions {
  /** The scan directory. */
  readonly dir: string
  readonly native: ControlNative
  readonly clock: Clock
  readonly warn: (text: string) => void
  /** Looks at the disk again. */
  readonly reconcile: () => void
  /** Stops the container. */
  readonly stop: () => void
  /** Ends this supervisor alone; init starts another, and the slots live on. */
  readonly end: () => void
}

/** A lock that another process holds is tried again after this. */
const LOCK_AGAIN_MS = 1000
/** Minimum time between two looks at the disk during a flood of commands. */
const LOOK_EVERY_MS = 100

/** `.s6-svscan` of the scan directory: lock and control FIFO, for s6-svscanctl. */
export class ScanControl {
  readonly #options: ScanControlOptions
  #control: ControlDir | undefined
  #alarm: Cancel | undefined
  #warned = false

  constructor(options: ScanControlOptions) {
    this.#options = options
    this.#open()
  }

  close(): void {
    this.#alarm?.()
    this.#control?.close()
    this.#control = undefined
  }

  #open(): void {
    const { dir, native, clock } = this.#options
    const own = join(dir, '.s6-svscan')
    try {
      makeDirectory(own, 0o700)
      this.#control = ControlDir.open(own, 0o600, native, (commands, done) => this.#obey(commands, done))
    } catch (error) {
      this.#options.warn(`${own}: ${(error as Error).message}; s6-svscanctl does not work, everything else does`)
      return
    }
    if (this.#control === undefined) this.#alarm = clock.at(clock.nowMs() + LOCK_AGAIN_MS, () => this.#open())
  }

  #obey(commands: Buffer, done: () => void): void {
    const { warn, reconcile, stop, end, clock } = this.#options
    const actions = new Set<ReturnType<typeof scanAction>>()
    for (const byte of commands) actions.add(scanAction(String.fromCharCode(byte)))
    if (actions.has(null) && !this.#warned) {
      this.#warned = true
      warn('.s6-svscan/control was written something that is not a command of s6-svscanctl; it is ignored')
    }
    if (actions.has('reconcile')) reconcile()
    if (actions.has('stop')) stop()
    if (actions.has('end-supervisor')) end()
    // The next look covers all commands that arrive in the meantime.
    this.#alarm = clock.at(clock.nowMs() + LOOK_EVERY_MS, done)
  }
}
