import { descendants, isZombie, type ProcessFacts } from '../../system/programs/proc.ts'
import type { LivingChild } from './children.ts'

const NAMED = 10

export interface StoppedNamespace {
  /** We end every process of the namespace; otherwise only our descendants. */
  readonly pid1: boolean
  readonly ownPid: number
}

export interface RemainingOptions {
  readonly container: StoppedNamespace
  readonly processes: () => readonly ProcessFacts[]
  readonly children: () => readonly LivingChild[]
  readonly mainPid: () => number | undefined
  /** Spared until the logs are drained. */
  readonly supervisorPid: () => number | undefined
  readonly log: (text: string) => void
}

/** A process that has to end, as messages name it. */
export interface Left {
  readonly pid: number
  readonly name: string
  /** The slot whose session it runs in. */
  readonly slot?: string | undefined
}

/** The processes that are still there while the container stops. */
export class Remaining {
  readonly #options: RemainingOptions
  /** The process table could not be read, which was logged. */
  #isBlind = false

  constructor(options: RemainingOptions) {
    this.#options = options
  }

  /** The processes that have to end besides us and the supervisor. Zombies have ended. */
  others(): readonly ProcessFacts[] {
    const { container, supervisorPid } = this.#options
    const { pid1, ownPid } = container
    const all = this.#processes()
    const mine = pid1 ? all : descendants(all, ownPid)
    return mine.filter((one) => one.pid !== ownPid && one.pid !== supervisorPid() && !isZombie(one))
  }

  /**
   * If the process table cannot be read because no descriptor is left, only the processes that we have started are
   * known.
   */
  #processes(): readonly ProcessFacts[] {
    const { processes, children, mainPid, container, log } = this.#options
    const { ownPid } = container
    try {
      return processes()
    } catch (error) {
      if (!this.#isBlind) log(`only slots and the main program are waited for: ${(error as Error).message}`)
      this.#isBlind = true
      const main = mainPid()
      return [...children().map(({ pid }) => pid), ...(main === undefined ? [] : [main])].map((pid) =>
        unseen(pid, ownPid),
      )
    }
  }

  left(): readonly Left[] {
    const slots = new Map(this.#options.children().map(({ pid, slot }) => [pid, slot]))
    const main = this.#options.mainPid()
    return this.others().map(({ pid, comm, session }) => ({
      pid,
      name: slots.get(pid) ?? (pid === main ? `the main program (${comm})` : comm),
      slot: slots.get(session),
    }))
  }
}

const unseen = (pid: number, ppid: number): ProcessFacts => ({
  pid,
  ppid,
  comm: '?',
  state: '?',
  pgrp: pid,
  session: pid,
  terminal: 0,
  foreground: -1,
  startTime: 0,
  cpuTicks: 0,
  waitedTicks: 0,
  residentPages: 0,
})

/** For the log. */
export const listed = (left: readonly Left[]): string => joined(left.map(({ pid, name }) => `${name} (pid ${pid})`))

/** A person at a keyboard knows slots by their names. */
export const named = (left: readonly Left[]): string => joined([...new Set(left.map(({ name, slot }) => slot ?? name))])

function joined(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).join(', ')
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown
}
