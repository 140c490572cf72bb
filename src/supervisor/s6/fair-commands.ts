import type { Clock } from '../../system/clock.ts'
import { inNextTurn } from '../../system/next-turn.ts'

/** Time that one turn of the loop may spend on commands; other work is done between turns. */
const TURN_MS = 2

interface PendingCommands {
  readonly commands: Buffer
  at: number
  readonly done: () => void
}

/**
 * Obeys the commands that are written to many control FIFOs: one of each in turn, and only a little at a time, so that
 * a flood in one of them delays the other slots and the clients of the control socket only by moments.
 */
export class FairCommands {
  readonly #clock: Clock
  readonly #obey: (slot: string, command: string) => void
  readonly #pending = new Map<string, PendingCommands>()
  readonly #schedule = inNextTurn(() => {
    this.#runSome()
    if (this.#pending.size > 0) this.#schedule()
  })

  constructor(clock: Clock, obey: (slot: string, command: string) => void) {
    this.#clock = clock
    this.#obey = obey
  }

  /** @param done called when the last of them has been obeyed; one chunk of a slot at a time */
  add(slot: string, commands: Buffer, done: () => void): void {
    this.#pending.set(slot, { commands, at: 0, done })
    this.#schedule()
  }

  /** Obeys pending commands of one slot out of turn. @returns how many more of `most` it would have obeyed */
  runNow(slot: string, most: number): number {
    let left = most
    for (; left > 0; left--) {
      const waiting = this.#pending.get(slot)
      if (waiting === undefined) break
      this.#runOne(slot, waiting)
    }
    return left
  }

  /** The slot is gone, with its pending commands. */
  forget(slot: string): void {
    this.#pending.delete(slot)
  }

  #runSome(): void {
    const untilMs = this.#clock.nowMs() + TURN_MS
    // Round robin: an unfinished slot moves to the end, where the map's iterator reaches it again.
    for (const [slot, waiting] of this.#pending) {
      this.#runOne(slot, waiting)
      if (this.#clock.nowMs() >= untilMs) return
    }
  }

  #runOne(slot: string, waiting: PendingCommands): void {
    const command = waiting.commands[waiting.at++]
    this.#pending.delete(slot)
    if (waiting.at < waiting.commands.length) this.#pending.set(slot, waiting)
    if (command !== undefined) this.#obey(slot, String.fromCharCode(command))
    if (waiting.at >= waiting.commands.length) waiting.done()
  }
}
