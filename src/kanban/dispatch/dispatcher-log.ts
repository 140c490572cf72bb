import type { Level } from '../../system/level.ts'
import type { RulesInForce } from '../rules.ts'

/** Subject of a line. `tick:` is the trouble of single tasks on this board, `board:` that of the board as a whole. */
export type Topic = 'dispatcher' | `rules:${string}` | `tick:${string}` | `routines:${string}` | `board:${string}`

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

  /**
   * The values in force on a board, and what is wrong with those that were written: at the start, and again when they
   * change.
   */
  rules({ warnings, notes }: Pick<RulesInForce, 'warnings' | 'notes'>, slug: string): void {
    const lines = [...notes, ...warnings]
    for (const line of lines) if (!this.#logged.has(line)) this.log(warnings.includes(line) ? 'warn' : 'info', line)
    this.forget(`rules:${slug}`)
    for (const line of lines) this.#logged.set(line, `rules:${slug}`)
  }
}
