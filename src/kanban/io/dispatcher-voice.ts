import { rulesInForce } from '../rules.ts'
import { Profiles, readWrittenRules } from './settings.ts'

export type Level = 'info' | 'warn' | 'error'

/** The lines of {@link DispatcherVoice.rules}. */
const OF_RULES = /^kanban dispatcher: (default_assignee=|max_in_progress_per_profile=|kanban\.|invalid )/

/** What the dispatcher says: what holds until something changes is said once, however many ticks find it so. */
export class DispatcherVoice {
  /** One line without its newline, each time. */
  readonly say: (level: Level, text: string) => void
  #said = new Set<string>()

  constructor(say: (level: Level, text: string) => void) {
    this.say = say
  }

  readonly warn = (text: string): void => this.once('warn', `kanban dispatcher: ${text}`)

  once(level: Level, line: string): void {
    if (this.#said.has(line)) return
    this.#said.add(line)
    this.say(level, line)
  }

  /** Lines that hold this are news again. */
  forget(part: string): void {
    for (const line of this.#said) if (line.includes(part)) this.#said.delete(line)
  }

  /** The values in force, and what is wrong with those that were written: at the start, and again when they change. */
  rules(home: string): void {
    const { warnings, notes } = rulesInForce(readWrittenRules(home), new Profiles(home))
    const lines = [...notes, ...warnings]
    for (const line of lines) if (!this.#said.has(line)) this.say(warnings.includes(line) ? 'warn' : 'info', line)
    this.#said = new Set([...[...this.#said].filter((line) => !OF_RULES.test(line)), ...lines])
  }
}
