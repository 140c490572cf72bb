/** Decides when the awaited states are reached (s6's s6-svwait and s6-svlisten1, as they behave in 2.11). Pure. */
import type { ReadStatus } from '../protocol/s6.ts'
import { isUp } from './status.ts'

export interface Goal {
  readonly up: boolean
  /** Ready; for a service that is down: its finish script is done. */
  readonly ready: boolean
  /** One service that is there is enough. */
  readonly any?: boolean
}

interface Seen {
  up: boolean
  ready: boolean
}

const stateAfter: Readonly<Record<string, Seen>> = {
  d: { up: false, ready: false },
  D: { up: false, ready: true },
  u: { up: true, ready: false },
  U: { up: true, ready: true },
}

/** Services on their way to one goal after the other. */
export class Watch {
  readonly #goals: Goal[]
  readonly #seen: Seen[]
  #failures = 0

  constructor(states: readonly ReadStatus[], goals: readonly Goal[]) {
    this.#goals = [...goals]
    this.#seen = states.map((state) => ({ up: isUp(state), ready: state.ready }))
    this.#advance()
  }

  /** @param service its index. An event is judged before the next one: a service that is down for a moment was down. */
  receive(service: number, event: string): void {
    const goal = this.#goals[0]
    const seen = this.#seen[service]
    if (goal === undefined || seen === undefined) return
    const { up, ready } = goal
    // A goal that can no longer be reached is not waited for: it counts as reached, and as a failure. (Until another
    // event of the service arrives.)
    const failed = (event === 'O' && up) || (event === 'x' && (seen.up !== up || seen.ready !== ready))
    const state = failed ? { up, ready } : stateAfter[event]
    if (failed) this.#failures += 1
    if (state !== undefined) this.#seen[service] = state
    this.#advance()
  }

  /** @returns undefined: wait on; else how many services failed for good, or are no longer supervised */
  get failures(): number | undefined {
    return this.#goals.length === 0 ? this.#failures : undefined
  }

  #advance(): void {
    while (this.#goals[0] !== undefined && this.#isAt(this.#goals[0])) {
      this.#goals.shift()
      // After a failure there is nothing more to wait for.
      if (this.#failures > 0) this.#goals.length = 0
    }
  }

  #isAt({ up, ready, any }: Goal): boolean {
    const isAt = (seen: Seen): boolean => seen.up === up && (!ready || seen.ready)
    return any ? this.#seen.some(isAt) : this.#seen.every(isAt)
  }
}
