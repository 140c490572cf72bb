import type { Goals } from '../../services/plan.ts'
import type { Memory } from '../slots/memory.ts'

/** What the next supervisor of this life has to know about services besides their slots. */
export interface Kept {
  readonly goals: Goals
  /** Names of services whose schedule is on. */
  readonly scheduled: readonly string[]
  /** init has been told that the services the main program waits for are up. */
  readonly booted: boolean
}

const NAME = '.services'

/** Keeps it beside the slots' states. */
export class ServiceMemory {
  readonly #memory: Pick<Memory, 'keep'>
  readonly #warn: (text: string) => void
  #saved = ''

  constructor(memory: Pick<Memory, 'keep'>, warn: (text: string) => void) {
    this.#memory = memory
    this.#warn = warn
  }

  save({ goals, scheduled, booted }: Kept): void {
    const text = JSON.stringify({ start: [...goals.start], stop: [...goals.stop], scheduled, booted })
    if (text === this.#saved) return
    this.#memory.keep(NAME, text)
    this.#saved = text
  }

  /**
   * @param text what an earlier supervisor has kept; undefined: nothing came
   * @param isKnown whether there is a service of this name
   * @returns undefined when it is lost, which is said
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
