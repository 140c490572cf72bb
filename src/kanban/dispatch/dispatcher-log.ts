import type { Level } from '../../system/level.ts'
import type { Installation } from '../installation.ts'
import { Profiles } from '../nodes/profiles.ts'
import { rulesInForce } from '../rules.ts'
import { readWrittenRules } from './settings.ts'

/** Subject of a line. `tick:` is the trouble of single tasks on this board, `board:` that of the board as a whole. */
export type Topic = 'dispatcher' | 'rules' | `tick:${string}` | `board:${string}`

/**
 * Logs for the dispatcher. A condition that holds until something changes is logged once, however many ticks find it.
 */
export class DispatcherLog {
  /** One line without its newline, each time. */
  readonly log: (level: Level, text: string) => void
  readonly #logged = new Map<string, Topic>()

  constructor(log: (level: Level, text: string) => void) {
    this.log = log
  }

  readonly warn = (text: string, topic: Topic = 'dispatcher'): void => this.once('warn', text, topic)

  once(level: Level, text: string, topic: Topic): void {
    const line = `kanban dispatcher: ${text}`
    if (this.#logged.has(line)) return
    this.#logged.set(line, topic)
    this.log(level, line)
  }

  /** Lines about this are news again. */
  forget(topic: Topic): void {
    for (const [line, about] of this.#logged) if (about === topic) this.#logged.delete(line)
  }

  /** The values in force, and what is wrong with those that were written: at the start, and again when they change. */
  rules({ home, nodeLabels }: Pick<Installation, 'home' | 'nodeLabels'>): void {
    const { warnings, notes } = rulesInForce(readWrittenRules(home), new Profiles(home), { nodeLabels })
    const lines = [...notes, ...warnings]
    for (const line of lines) if (!this.#logged.has(line)) this.log(warnings.includes(line) ? 'warn' : 'info', line)
    this.forget('rules')
    for (const line of lines) this.#logged.set(line, 'rules')
  }
}
