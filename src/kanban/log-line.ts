/** The dispatcher's own lines. */
import type { DispatchReport } from './report.ts'

/**
 * One line about a tick; undefined if nothing happened. Tasks that only wait are omitted: they would be logged every
 * minute.
 */
export function tickLine(board: string, report: DispatchReport): string | undefined {
  const parts = [
    ...(report.spawned.length === 0
      ? []
      : [`spawned ${report.spawned.map(({ task_id, assignee }) => `${task_id} -> ${assignee}`).join(', ')}`]),
    ...(report.reclaimed === 0 ? [] : [`reclaimed ${report.reclaimed}`]),
    ...(report.promoted === 0 ? [] : [`promoted ${report.promoted}`]),
    ...named('auto-assigned', report.auto_assigned_default),
    ...named('crashed', report.crashed),
    ...named('timed out', report.timed_out),
    ...named('stale', report.stale),
    ...named('auto-blocked', report.auto_blocked),
    ...named('rate limited', report.rate_limited),
  ]
  return parts.length === 0 ? undefined : `kanban dispatcher: board ${board}: ${parts.join('; ')}`
}

const named = (title: string, ids: readonly string[]): readonly string[] =>
  ids.length === 0 ? [] : [`${title} ${ids.join(', ')}`]
