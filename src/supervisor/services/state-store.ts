import type { Goals } from '../../services/plan.ts'
import type { StateStore } from '../slots/state-store.ts'

/** Facts about services, besides their slots, for the next supervisor of this container's life. */
export interface Kept {
  readonly goals: Goals
  /** Names of services whose schedule is active. */
  readonly scheduled: readonly string[]
  /** init has been notified that the services for the main program are up. */
  readonly booted: boolean
}

const NAME = '.services'

/** Keeps it next to the slots' states. */
export class ServiceStateStore {
  readonly #stateStore: Pick<StateStore, 'keep'>
  readonly #warn: (text: string) => void
  #saved = ''

  constructor(stateStore: Pick<StateStore, 'keep'>, warn: (text: string) => void) {
    this.#stateStore = stateStore
    this.#warn = warn
  }

  save({ goals, scheduled, booted }: Kept): void {
    const text = JSON.stringify({ start: [...goals.start], stop: [...goals.stop], scheduled, booted })
    if (text === this.#saved) return
    this.#stateStore.keep(NAME, text)
    this.#saved = text
  }

  /**
   * @param text data from an earlier supervisor; undefined: there was none
   * @param isKnown whether a service of this name exists
   * @returns undefined when the data is lost, which is logged
   */
  parse(text: string | undefined, isKnown: (name: string) => boolean): Kept | undefined {
    try {
      const { start, stop, scheduled, booted } = JSON.parse(text ?? 'null') as Record<string, unknown>
      const names = (list: unknown): string[] => (list as readonly string[]).filter(isKnown)
      const goals = { start: new Set(names(start)), stop: new Set(names(stop)) }
      return { goals, scheduled: names(scheduled), booted: booted === true }
    } catch (error) {
      this.#warn(`what services wait for is lost, they start as at boot: ${(error as Error).message}`)
      return undefined
    }
  }
}
