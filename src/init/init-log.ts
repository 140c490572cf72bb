import type { ToSupervisor } from '../protocol/init.ts'
import type { Level } from '../system/level.ts'
import type { OwnConsole } from './processes/own-console.ts'
import type { SupervisorProcess } from './programs/supervisor-process.ts'

/** Lines for the supervisor's log that may wait until there is one. */
const MAX_WAITING = 100

/** Logs init's messages: on the console at once, and in the supervisor's log as soon as a supervisor listens. */
export class InitLog {
  readonly #own: OwnConsole
  readonly #supervisor: () => Pick<SupervisorProcess, 'listens' | 'send'> | undefined
  readonly #waiting: ToSupervisor[] = []

  constructor(own: OwnConsole, supervisor: () => Pick<SupervisorProcess, 'listens' | 'send'> | undefined) {
    this.#own = own
    this.#supervisor = supervisor
  }

  log(level: Level, text: string): void {
    this.#own.line(level, text)
    const note: ToSupervisor = { type: 'note', level, text }
    const supervisor = this.#supervisor()
    if (supervisor?.listens) supervisor.send(note)
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(note)
  }

  /** A supervisor has connected: passes on the messages that have waited. */
  catchUp(): void {
    for (const note of this.#waiting.splice(0)) this.#supervisor()?.send(note)
  }
}
