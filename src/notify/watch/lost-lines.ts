/** Lines of slots that no log file could take. Pure. */
import type { PingResult } from '../../protocol/control.ts'
import type { Observed } from '../notification.ts'
import type { Note } from '../outbox/outbox.ts'

export const LOST_LINES_NOTE = 'lost-lines'

/** The number that was reported last, and of which supervisor it was. */
interface Known {
  readonly supervisor: string
  readonly lines: number
}

/** @param known as the outbox has it */
export function lookAtLostLines(
  known: unknown,
  { instance, pid, linesLost = 0 }: PingResult,
  home: string,
  wallMs: number,
): { readonly notes: readonly Note[]; readonly observed: readonly Observed[] } {
  const supervisor = `${instance} ${pid}`
  const before = (known ?? { supervisor, lines: 0 }) as Known
  // The count of another supervisor begins anew.
  const more = before.supervisor === supervisor ? linesLost - before.lines : linesLost
  if (more <= 0) return { notes: [], observed: [] }
  const lines = more === 1 ? '1 line' : `${more} lines`
  const text = `${lines} of output could not be written to log files; free some space or repair the directory: df -h ${home}/logs`
  return {
    notes: [{ subject: LOST_LINES_NOTE, value: { supervisor, lines: linesLost } satisfies Known }],
    observed: [{ event: 'lines_lost', atMs: wallMs, text }],
  }
}
