import type { SlotState } from '../../slot/slot.ts'
import { inNextTurn } from '../../system/next-turn.ts'
import { type LeavingService, LeavingServices } from './leaving-services.ts'

/** A reload that is at work, for the next supervisor. */
export interface KeptReload {
  /** Of the definitions that it leads to: if init has others, it has not taken them, and nothing has happened. */
  readonly generation: number
  readonly leaving: readonly LeavingService[]
  /** New services, until they are registered. */
  readonly fresh: readonly string[]
}

export interface ServiceReplacementOptions {
  /** State of a service's slot; undefined: it has none. */
  readonly stateOf: (name: string) => SlotState | undefined
  readonly stop: (name: string) => void
  /** These have ended. */
  readonly gone: (services: readonly LeavingService[]) => void
}

/** Stops what a reload has removed or changed, and reports what has ended. */
export class ServiceReplacement {
  readonly #options: ServiceReplacementOptions
  readonly #leaving = new LeavingServices()
  #kept: KeptReload | undefined
  #done = Promise.withResolvers<void>()

  constructor(options: ServiceReplacementOptions) {
    this.#options = options
  }

  get kept(): KeptReload | undefined {
    return this.#kept && { ...this.#kept, leaving: [...this.#kept.leaving] }
  }

  /** The service is between two definitions. */
  leaving(name: string): LeavingService | undefined {
    return this.#leaving.get(name)
  }

  prepare(reload: KeptReload): void {
    this.#kept = reload
    this.#done = Promise.withResolvers()
  }

  drop(): void {
    this.#kept = undefined
    this.#done.resolve()
  }

  /** The definitions are in force. @returns the services that are new */
  begin(): readonly string[] {
    const { leaving = [], fresh = [], generation = 0 } = this.#kept ?? {}
    this.#leaving.add(leaving)
    this.#kept = { generation, leaving, fresh: [] }
    this.settleSoon()
    return fresh
  }

  whenDone(): Promise<void> {
    return this.#done.promise
  }

  /** In a turn of its own: a slot that has just changed is not removed while others still learn of the change. */
  readonly settleSoon = inNextTurn(() => this.#settle())

  #settle(): void {
    if (this.#kept === undefined) return
    const { stateOf, stop, gone } = this.#options
    const ended = this.#leaving.takeGone(stateOf)
    const isDone = this.#leaving.all().length === 0
    this.#kept = isDone ? undefined : { ...this.#kept, leaving: this.#leaving.all() }
    if (ended.length > 0 || isDone) gone(ended)
    if (isDone) this.#done.resolve()
    for (const name of this.#leaving.takeStoppable()) stop(name)
  }
}
