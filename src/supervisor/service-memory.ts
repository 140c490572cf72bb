import { join } from 'node:path'
import type { Goals } from '../services/plan.ts'
import { readSmallFile } from '../system/small-file.ts'
import { replace } from './service-files.ts'

/** What the next supervisor of this life has to know about services besides their slots. */
export interface Kept {
  readonly goals: Goals
  /** Names of services whose schedule is on. */
  readonly scheduled: readonly string[]
  /** init has been told that the services the main program waits for are up. */
  readonly booted: boolean
}

/** A dot in front: no slot has such a name. */
const FILE = '.services'
/** Names of services, each at most three times. */
const MAX_BYTES = 4_000_000

/** Keeps it in a file among the slots' states. */
export class ServiceMemory {
  readonly #file: string
  readonly #warn: (text: string) => void
  #saved = ''

  constructor(dir: string, warn: (text: string) => void) {
    this.#file = join(dir, FILE)
    this.#warn = warn
  }

  save({ goals, scheduled, booted }: Kept): void {
    const text = JSON.stringify({ start: [...goals.start], stop: [...goals.stop], scheduled, booted })
    if (text === this.#saved) return
    try {
      replace(this.#file, text, 0o600)
      this.#saved = text
    } catch (error) {
      this.#warn(`what services wait for cannot be written: ${(error as Error).message}`)
    }
  }

  /** @param isKnown whether there is a service of this name @returns undefined when it is lost, which is said */
  load(isKnown: (name: string) => boolean): Kept | undefined {
    const { text, problem = 'is not there' } = readSmallFile(this.#file, MAX_BYTES)
    try {
      if (text === undefined) throw new Error(`${this.#file} ${problem}`)
      const { start, stop, scheduled, booted } = JSON.parse(text) as {
        start: string[]
        stop: string[]
        scheduled: string[]
        booted: boolean
      }
      const goals = { start: new Set(start.filter(isKnown)), stop: new Set(stop.filter(isKnown)) }
      return { goals, scheduled: scheduled.filter(isKnown), booted }
    } catch (error) {
      this.#warn(`what services wait for is lost, they start as at boot: ${(error as Error).message}`)
      return undefined
    }
  }
}
