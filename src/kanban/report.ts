/** The actions of a tick, done or planned: the shape of `hermes kanban dispatch --json`, and its text. */
import type { GuardReason } from './guard.ts'

export interface DispatchReport {
  readonly reclaimed: number
  readonly promoted: number
  readonly spawned: readonly { readonly task_id: string; readonly assignee: string; readonly workspace: string }[]
  readonly skipped_per_profile_capped: readonly {
    readonly task_id: string
    readonly assignee: string
    readonly current: number
  }[]
  /** Absent while the board has no pools. */
  readonly skipped_pool_capped?: readonly {
    readonly task_id: string
    readonly assignee: string
    readonly pool: string
    readonly current: number
  }[]
  /** Only if there are any. */
  readonly skipped_missing_labels?: readonly { readonly task_id: string; readonly missing: readonly string[] }[]
  /** Tasks of profiles whose budget is spent; only if there are any. */
  readonly skipped_budget_spent?: readonly { readonly task_id: string; readonly assignee: string }[]
  readonly auto_assigned_default: readonly string[]
  readonly skipped_unassigned: readonly string[]
  readonly skipped_nonspawnable: readonly string[]
  /** Tasks of profiles that another node has; absent on a board of one node. */
  readonly skipped_elsewhere?: readonly {
    readonly task_id: string
    readonly assignee: string
    readonly node: string
  }[]
  readonly skipped_unconfigured: readonly string[]
  readonly crashed: readonly string[]
  readonly timed_out: readonly string[]
  readonly stale: readonly string[]
  readonly auto_blocked: readonly string[]
  readonly rate_limited: readonly string[]
  readonly respawn_guarded: readonly { readonly task_id: string; readonly reason: GuardReason }[]
  readonly skipped_locked: boolean
}

type Writable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] | undefined ? E[] : T[K] }
export type ReportDraft = Writable<DispatchReport>

export const emptyReport = (): ReportDraft => ({
  reclaimed: 0,
  promoted: 0,
  spawned: [],
  skipped_per_profile_capped: [],
  auto_assigned_default: [],
  skipped_unassigned: [],
  skipped_nonspawnable: [],
  skipped_unconfigured: [],
  crashed: [],
  timed_out: [],
  stale: [],
  auto_blocked: [],
  rate_limited: [],
  respawn_guarded: [],
  skipped_locked: false,
})

/** Facts that only the text contains. */
export interface ReportContext {
  readonly dryRun: boolean
  readonly defaultAssignee: string | null
  /** Assignee of each task in `skipped_unconfigured`. */
  readonly assigneeOf: (taskId: string) => string | null
}

/** @returns lines with a newline each; the first three always, the others when there is something to say */
export function reportText(report: DispatchReport, { dryRun, defaultAssignee, assigneeOf }: ReportContext): string {
  const lines = [
    `Reclaimed: ${report.reclaimed}`,
    `Promoted: ${report.promoted}`,
    `Spawned: ${report.spawned.length}`,
    ...report.spawned.map(
      ({ task_id, assignee, workspace }) =>
        `  - ${task_id} -> ${assignee} @ ${workspace === '' ? '-' : workspace}${dryRun ? ' (dry)' : ''}`,
    ),
    ...named(`Auto-assigned to kanban.default_assignee='${defaultAssignee ?? ''}'`, report.auto_assigned_default),
    ...named('Skipped (unassigned)', report.skipped_unassigned),
    ...report.skipped_per_profile_capped.map(
      ({ task_id, assignee, current }) => `Deferred (${assignee} at per-profile cap, ${current} running): ${task_id}`,
    ),
    ...(report.skipped_pool_capped ?? []).map(
      ({ task_id, pool, current }) => `Deferred (pool ${pool} at cap, ${current} running): ${task_id}`,
    ),
    ...(report.skipped_missing_labels ?? []).map(
      ({ task_id, missing }) => `Deferred (this node lacks ${missing.join(', ')}): ${task_id}`,
    ),
    ...(report.skipped_budget_spent ?? []).map(
      ({ task_id, assignee }) => `Deferred (the budget of ${assignee} is spent): ${task_id}`,
    ),
    ...named('Skipped (non-spawnable assignee — terminal lane, OK)', report.skipped_nonspawnable),
    ...elsewhere(report),
    ...unconfigured(report.skipped_unconfigured, assigneeOf),
    ...report.respawn_guarded.map(({ task_id, reason }) => `Deferred (respawn guard, ${reason}): ${task_id}`),
    ...named('Crashed', report.crashed),
    ...named('Timed out', report.timed_out),
    ...named('Stale', report.stale),
    ...named('Auto-blocked', report.auto_blocked),
    ...named('Rate limited', report.rate_limited),
    ...(report.skipped_locked ? ['Skipped: another dispatcher holds this board'] : []),
  ]
  return lines.map((line) => `${line}\n`).join('')
}

const named = (title: string, ids: readonly string[]): readonly string[] =>
  ids.length === 0 ? [] : [`${title}: ${ids.join(', ')}`]

const elsewhere = ({ skipped_elsewhere = [] }: DispatchReport): readonly string[] =>
  [...Map.groupBy(skipped_elsewhere, ({ node }) => node)].map(
    ([node, members]) => `Left to node ${node}: ${members.map(({ task_id }) => task_id).join(', ')}`,
  )

const unconfigured = (ids: readonly string[], assigneeOf: (id: string) => string | null): readonly string[] =>
  [...Map.groupBy(ids, (id) => assigneeOf(id) ?? '?')].map(
    ([assignee, members]) => `Skipped (no agent configured): ${members.join(', ')} (${assignee})`,
  )
