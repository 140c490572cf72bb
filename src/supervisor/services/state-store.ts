import type { Goals } from '../../services/plan.ts'
import type { StateStore } from '../slots/state-store.ts'
import type { KeptReload } from './service-replacement.ts'

/** Facts about services, besides their slots, for the next supervisor of this container's life. */
export interface Kept {
  readonly goals: Goals
  /** Names of services whose schedule is active. */
  readonly scheduled: readonly string[]
  /** init has been notified that the services for the main program are up. */
  readonly booted: boolean
  /** A reload that is at work. */
  readonly reload?: KeptReload | undefined
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

  save({ goals, scheduled, booted, reload }: Kept): void {
    const text = JSON.stringify({ start: [...goals.start], stop: [...goals.stop], scheduled, booted, reload })
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
      const { start, stop, scheduled, booted, reload } = JSON.parse(text ?? 'null') as Record<string, unknown>
      const names = (list: unknown): string[] => (list as readonly string[]).filter(isKnown)
      const goals = { start: new Set(names(start)), stop: new Set(names(stop)) }
      // Out of reach of others, and written by a supervisor of this container's life: by this version.
      return { goals, scheduled: names(scheduled), booted: booted === true, reload: reload as KeptReload | undefined }
    } catch (error) {
      this.#warn(`what services wait for is lost, they start as at boot: ${(error as Error).message}`)
      return undefined
    }
  }
}
