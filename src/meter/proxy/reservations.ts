import type { MeterHolder } from '../../profile/environment/metered.ts'
import type { Spent } from '../budget.ts'

/** A request that is on its way, and what it may use. */
export interface Reservation {
  readonly holder: MeterHolder
  readonly estimate: Spent
}

/** The requests on their way, by profile, and those that wait for them. A meter that starts again has none. */
export class Reservations {
  readonly #open = new Map<string, Set<Reservation>>()
  /** In the order in which they came. */
  readonly #waiting = new Map<string, Set<() => void>>()

  of(profile: string): readonly Reservation[] {
    return [...(this.#open.get(profile) ?? [])]
  }

  /** @returns gives it back, once the request is counted */
  add(reservation: Reservation): () => void {
    const { profile } = reservation.holder
    const open = this.#open.get(profile) ?? new Set()
    this.#open.set(profile, open.add(reservation))
    return () => {
      if (!open.delete(reservation)) return
      if (open.size === 0) this.#open.delete(profile)
      for (const wake of this.#waiting.get(profile) ?? []) wake()
      this.#waiting.delete(profile)
    }
  }

  /** Resolves when a reservation of the profile was given back, or the client has gone. */
  async change(profile: string, gone: AbortSignal): Promise<void> {
    if (gone.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiting = this.#waiting.get(profile) ?? new Set()
    this.#waiting.set(profile, waiting.add(resolve))
    const wake = (): void => resolve()
    gone.addEventListener('abort', wake)
    await promise
    gone.removeEventListener('abort', wake)
    waiting.delete(resolve)
  }
}
