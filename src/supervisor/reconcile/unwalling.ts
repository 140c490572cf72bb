import type { ToInit, ToSupervisor } from '../../protocol/init.ts'
import { isOccupied } from '../../slot/slot.ts'
import { type Clock, inTime } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import { gatewaySlot } from '../../system/paths.ts'
import type { ProfileWalls } from '../launch/profile-walls.ts'
import type { SlotTable } from '../slots/table.ts'

/** init walks through the profile's directory. */
const TIMEOUT_MS = 60_000

type Answer = Extract<ToSupervisor, { type: 'unwalled' }>

export interface UnwallingOptions {
  readonly walls: Pick<ProfileWalls, 'remove' | 'restore'>
  readonly table: Pick<SlotTable, 'get'>
  readonly clock: Clock
  readonly send: (message: ToInit) => void
}

/** Takes walls down: out of the record first, then init gives the files back to the runtime user. */
export class Unwalling {
  readonly #options: UnwallingOptions
  readonly #waiting = new Map<string, PromiseWithResolvers<Answer>>()

  constructor(options: UnwallingOptions) {
    this.#options = options
  }

  /** @throws HermesError REFUSED, EXISTS, FAILED, TIMED_OUT */
  async run(profile: string): Promise<void> {
    const { walls, table } = this.#options
    const slot = table.get(gatewaySlot(profile))?.slot
    if (slot !== undefined && isOccupied(slot))
      throw new HermesError('REFUSED', `the gateway of "${profile}" runs, so its wall stays`, {
        next: `hermes -p ${profile} gateway stop`,
      })
    if (this.#waiting.has(profile))
      throw new HermesError('EXISTS', `the wall of "${profile}" is being taken down already`)
    const wall = walls.remove(profile)
    if (wall === undefined) throw new HermesError('REFUSED', `profile "${profile}" is not walled`)
    try {
      await this.#givenBack(profile)
    } catch (error) {
      // init starts nothing of it now; with its record it can be taken down again.
      walls.restore(profile, wall)
      throw error
    }
  }

  async #givenBack(profile: string): Promise<void> {
    const { clock, send } = this.#options
    const waiting = Promise.withResolvers<Answer>()
    this.#waiting.set(profile, waiting)
    try {
      send({ type: 'unwall', profile })
      if (!(await inTime(clock, TIMEOUT_MS, waiting.promise)))
        throw new HermesError('TIMED_OUT', `init has not taken the wall of "${profile}" down in ${TIMEOUT_MS / 1000} s`)
    } finally {
      this.#waiting.delete(profile)
    }
    const { problem } = await waiting.promise
    if (problem !== undefined) throw new HermesError('FAILED', `the wall of "${profile}" stays: ${problem}`)
  }

  answer(message: Answer): void {
    this.#waiting.get(message.profile)?.resolve(message)
  }
}
