import type { Cancel, Clock } from '../../system/clock.ts'
import { inNextTurn } from '../../system/next-turn.ts'
import { below } from '../../system/paths.ts'
import type { ControlNative } from './control-fifo.ts'
import { FairCommands } from './fair-commands.ts'
import { ControlDir } from './supervise-dir.ts'

export interface SlotControlsOptions {
  /** The scan directory. */
  readonly dir: string
  readonly native: ControlNative
  readonly clock: Clock
  /** One control command of s6-svc, in the order written; unknown ones too. */
  readonly command: (slot: string, command: string) => void
  /** Runs what may fail for a slot; a failure is reported, and not thrown. */
  readonly attempt: (slot: string, act: () => void) => void
  /** Lock and control FIFO of the slot are open: it counts as supervised. */
  readonly opened: (slot: string) => void
}

/** Number that is opened at a time, between other work: at 1,000 slots they would hold up the boot. */
const OPENED_PER_TURN = 10
/** A lock that another process holds is tried again after this. */
const LOCK_AGAIN_MS = 1000
/** More than a process writes just before it ends; in a flood, the rest takes its turn. */
const OBEYED_BEFORE_END = 100

/** Locks and control FIFOs of the slots: opens them, and obeys the commands that come through them. */
export class SlotControls {
  readonly #options: SlotControlsOptions
  readonly #open = new Map<string, ControlDir>()
  readonly #toOpen = new Set<string>()
  /** Slots whose lock another process holds. */
  readonly #busy = new Set<string>()
  readonly #commands: FairCommands
  readonly #openLater = inNextTurn(() => this.#openSome())
  #cancelRetry: Cancel | undefined
  #closed = false

  constructor(options: SlotControlsOptions) {
    this.#options = options
    this.#commands = new FairCommands(options.clock, options.command)
  }

  /** Opens lock and control FIFO on a later turn, unless they are open. */
  openSoon(slot: string): void {
    if (this.#closed || this.#open.has(slot)) return
    this.#toOpen.add(slot)
    this.#openLater()
  }

  /** Opens now what {@link openSoon} was asked to open. */
  openNow(slot: string): void {
    if (this.#toOpen.delete(slot) && !this.#openOne(slot)) this.#retryLater(slot)
  }

  /** Obeys the commands in the slot's FIFO out of turn, at most a hundred. */
  obeyWritten(slot: string): void {
    const control = this.#open.get(slot)
    let left = OBEYED_BEFORE_END
    do left = this.#commands.runNow(slot, left)
    while (left > 0 && control?.readNow())
  }

  /** Closes what is open in a directory that was made anew, and opens it there. */
  reopen(slot: string): void {
    this.#close(slot)
    this.openSoon(slot)
  }

  /** Closes lock and control FIFO, and drops the slot's commands. */
  remove(slot: string): void {
    this.#close(slot)
    this.#toOpen.delete(slot)
    this.#busy.delete(slot)
    this.#commands.forget(slot)
  }

  close(): void {
    this.#closed = true
    this.#cancelRetry?.()
    this.#toOpen.clear()
    for (const control of this.#open.values()) control.close()
    this.#open.clear()
  }

  #close(slot: string): void {
    this.#open.get(slot)?.close()
    this.#open.delete(slot)
  }

  #openSome(): void {
    let left = OPENED_PER_TURN
    for (const slot of this.#toOpen) {
      if (left-- === 0) break
      this.openNow(slot)
    }
    if (this.#toOpen.size > 0) this.#openLater()
  }

  #retryLater(slot: string): void {
    const { clock } = this.#options
    this.#busy.add(slot)
    this.#cancelRetry ??= clock.at(clock.nowMs() + LOCK_AGAIN_MS, () => this.#openBusy())
  }

  #openBusy(): void {
    this.#cancelRetry = undefined
    for (const slot of this.#busy) this.openSoon(slot)
    this.#busy.clear()
  }

  /** @returns false: another process holds the lock */
  #openOne(slot: string): boolean {
    const { attempt, dir, native, opened } = this.#options
    let isFree = true
    attempt(slot, () => {
      const control = ControlDir.open(below(dir, slot, 'supervise'), 0o644, native, (commands, done) =>
        this.#commands.add(slot, commands, done),
      )
      isFree = control !== undefined
      if (control === undefined) return
      this.#open.set(slot, control)
      opened(slot)
    })
    return isFree
  }
}
