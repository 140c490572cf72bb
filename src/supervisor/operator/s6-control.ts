import type { DesiredState } from '../../profile/state/state.ts'
import type { ToInit } from '../../protocol/init.ts'
import { childOf, type Slot } from '../../slot/slot.ts'
import type { Clock } from '../../system/clock.ts'
import type { HermesError } from '../../system/errors.ts'
import { commandActions } from '../s6/control-commands.ts'
import { phaseOf } from '../s6/view.ts'
import type { SlotEntry } from '../slots/entry.ts'
import type { SlotTable } from '../slots/table.ts'
import type { StatusFiles } from './status-files.ts'

export interface S6ControlOptions {
  readonly table: Pick<SlotTable, 'get' | 'dispatch' | 'setNormallyUp'>
  readonly statusFiles: Pick<StatusFiles, 'pause' | 'notify'>
  /** Stores a desired state. @returns the error if it could not be written */
  readonly writeDesired: (key: string, state: DesiredState) => HermesError | undefined
  readonly send: (message: ToInit) => void
  readonly clock: Clock
  readonly warn: (text: string) => void
}

/** Limits fsyncs during a flood of commands: the first is written at once, then the last one of each interval. */
const WRITE_EVERY_MS = 100

/** Obeys what is written to the slots' control FIFOs. */
export class S6Control {
  readonly #options: S6ControlOptions
  /** Slots that received `x`, until their process is gone. */
  readonly #toRenew = new Set<string>()
  /** Slots whose desired state was written a moment ago, and that state. */
  readonly #written = new Map<string, DesiredState>()

  constructor(options: S6ControlOptions) {
    this.#options = options
  }

  obey(key: string, command: string): void {
    const { table, statusFiles, send } = this.#options
    const entry = table.get(key)
    if (entry === undefined) return
    for (const action of commandActions(command, entry.slot)) {
      switch (action.type) {
        case 'event':
          table.dispatch(key, action.event)
          break
        case 'desired':
          table.setNormallyUp(key, action.state === 'running')
          if (!this.#written.has(key)) this.#write(key, action.state)
          break
        case 'signal': {
          const child = childOf(entry.slot)
          if (child === null) break
          const { signal, target } = action
          send({ type: 'signal', child: child.id, signal, target })
          // s6 counts only its commands `p` and `c` for this; `P` and `C` stop and continue the process just the same.
          if (signal === 'STOP' || signal === 'CONT') statusFiles.pause(key, signal === 'STOP')
          break
        }
        case 'renew':
          if (phaseOf(entry.slot) === 'down') this.#renew(key, entry.normallyUp)
          else this.#toRenew.add(key)
          break
      }
    }
  }

  changed({ key, slot, normallyUp }: SlotEntry, before: Slot): void {
    if (!this.#toRenew.has(key) || phaseOf(before) === 'down') return
    if (phaseOf(slot) === 'down') this.#renew(key, normallyUp)
  }

  removed(key: string): void {
    this.#toRenew.delete(key)
    this.#written.delete(key)
  }

  /** Writes all pending desired states. */
  flush(): void {
    for (const [key, state] of this.#written)
      if (this.#desiredOf(key) !== state) this.#options.writeDesired(key, this.#desiredOf(key))
    this.#written.clear()
  }

  #write(key: string, state: DesiredState): void {
    const { writeDesired, warn, clock } = this.#options
    const notKept = writeDesired(key, state)
    if (notKept !== undefined) warn(notKept.message)
    this.#written.set(key, state)
    clock.at(clock.nowMs() + WRITE_EVERY_MS, () => {
      if (!this.#written.delete(key)) return
      // Not the last command's state: an operator may have given another command in the meantime.
      if (this.#desiredOf(key) !== state) this.#write(key, this.#desiredOf(key))
    })
  }

  #desiredOf(key: string): DesiredState {
    return this.#options.table.get(key)?.normallyUp ? 'running' : 'stopped'
  }

  /** A new s6-supervise knows nothing of what was wanted, only whether there is a file `down`. */
  #renew(key: string, normallyUp: boolean): void {
    this.#toRenew.delete(key)
    this.#options.statusFiles.notify(key, 'xs')
    this.#options.table.dispatch(key, { type: 'want', wanted: normallyUp ? 'up' : 'down' })
  }
}
