/** Failures of single tasks in a tick, and their texts. */
import { HermesError } from '../../system/errors.ts'

/** Failed actions, with the tasks in place of `*`. */
const TEXTS = {
  extend: 'the claim of * could not be extended',
  end: 'the end of * could not be recorded',
  promote: '* could not be promoted',
  assign: '* could not be assigned',
  spawn: '* could not be started',
  process: 'the process of * could not be recorded',
  release: '* could not be released after a failed start',
  stop: 'the worker of * could not be stopped',
  forget: 'the kept result of * could not be removed',
} as const

export type TickProblem = keyof typeof TEXTS

/** One line per kind and cause, however many tasks share it. */
export class TickProblems {
  readonly #tasks = new Map<string, { readonly problem: TickProblem; readonly cause: string; readonly ids: string[] }>()
  /** The last cause; null: nothing failed. */
  last: string | null = null

  add(problem: TickProblem, id: string, error: unknown): void {
    const cause = causeOf(error)
    this.last = cause
    const key = `${problem} ${cause}`
    const known = this.#tasks.get(key)
    if (known === undefined) this.#tasks.set(key, { problem, cause, ids: [id] })
    else known.ids.push(id)
  }

  /** @param board its slug */
  lines(board: string): readonly string[] {
    return [...this.#tasks.values()].map(({ problem, cause, ids: [first = '', ...more] }) => {
      const who = more.length === 0 ? first : `${first} and ${more.length} more`
      const what = TEXTS[problem].replace('*', () => who)
      return `board "${board}": ${what}: ${cause}; the next tick tries again`
    })
  }
}

/** Returns the message of an expected error, and the stack of a bug. */
function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const known = error instanceof HermesError || 'code' in error
  return known ? error.message : (error.stack ?? error.message)
}
