/** The board for a caller who may not see all profiles: the tasks that are assigned to profiles of the caller. */
import { NOTHING, type Rights, sees } from '../../access/scope.ts'
import { parseAssignee } from '../../kanban/port/assignee.ts'
import type { Board, Counts, Linked, ListFilter } from '../../kanban/port/board.ts'
import type { Task } from '../../kanban/task.ts'
import { forbidden } from '../gate/refusals.ts'
import { noProfile } from '../gate/rights.ts'

type Limits = Pick<Rights, 'profiles'>

export const seesTask = (task: Task | undefined, limits: Limits = NOTHING): boolean =>
  task !== undefined && sees(limits, task.assignee ?? undefined)

/** Counts are of the whole board, so they are left out for a caller who sees a part of it. */
export async function visibleTasks(
  board: Board,
  filter: ListFilter,
  limits: Limits = NOTHING,
): Promise<{ readonly tasks: readonly Task[]; readonly counts: Counts }> {
  if (limits.profiles === undefined) return board.overview(filter)
  const tasks: Task[] = []
  for (const assignee of limits.profiles) {
    if (filter.assignee !== undefined && filter.assignee !== assignee) continue
    tasks.push(...(await board.overview({ ...filter, assignee })).tasks)
  }
  return { tasks: tasks.sort((a, b) => b.createdAtMs - a.createdAtMs).slice(0, filter.limit), counts: {} }
}

export async function visibleLinks(
  board: Board,
  links: readonly Linked[],
  limits: Limits = NOTHING,
): Promise<readonly Linked[]> {
  if (limits.profiles === undefined) return links
  const seen: Linked[] = []
  for (const link of links) if (seesTask(await board.find(link.id), limits)) seen.push(link)
  return seen
}

/**
 * A task that such a caller creates or assigns stays one that the caller sees.
 * @throws Refused 403 without an assignee, 404 for a profile that the caller may not see
 */
export function checkAssignee(assignee: string | null | undefined, { profiles }: Limits = NOTHING): void {
  if (profiles === undefined) return
  if (assignee == null)
    throw forbidden('insufficient_scope', 'a task without an assignee needs a caller who may see all profiles')
  if (!profiles.has(parseAssignee(assignee))) throw noProfile()
}
