import type { ServiceRules } from '../../services/definition.ts'
import type { SlotState } from '../../slot/slot.ts'

/** A service that stops because a reload has removed or changed its definition. */
export interface LeavingService {
  /** The rules that its process was started with: they count until it has ended. */
  readonly rules: ServiceRules
  /** `start`: with the new definition; `stay`: it had been stopped; `remove`: it is not defined any more. */
  readonly afterwards: 'start' | 'stay' | 'remove'
}

/** Services between two definitions, by name. They stop in the order of their old dependencies. */
export class LeavingServices {
  readonly #all = new Map<string, LeavingService>()
  /** Those that were asked to stop. */
  readonly #asked = new Set<string>()

  add(all: readonly LeavingService[]): void {
    for (const one of all) this.#all.set(one.rules.name, one)
  }

  get(name: string): LeavingService | undefined {
    return this.#all.get(name)
  }

  all(): readonly LeavingService[] {
    return [...this.#all.values()]
  }

  /** Takes out what has ended. @param stateOf state of a service's slot; undefined: it has none */
  takeGone(stateOf: (name: string) => SlotState | undefined): readonly LeavingService[] {
    const gone = this.all().filter(({ rules }) => isGone(stateOf(rules.name)))
    for (const { rules } of gone) {
      this.#all.delete(rules.name)
      this.#asked.delete(rules.name)
    }
    return gone
  }

  /** Names of services whose turn to stop has come: nothing that leaves depends on them. Each is named once. */
  takeStoppable(): readonly string[] {
    const needed = new Set(this.all().flatMap(({ rules }) => rules.dependsOn.map(({ name }) => name)))
    const names = [...this.#all.keys()].filter((name) => !needed.has(name) && !this.#asked.has(name))
    for (const name of names) this.#asked.add(name)
    return names
  }
}

const isGone = (state: SlotState | undefined): boolean => state === undefined || state === 'down' || state === 'parked'
