import type { DispatchReport } from '../../../../kanban/report.ts'
import { Dialog } from '../../parts/dialog.tsx'
import { FailureMessage } from '../../parts/failure.tsx'
import { useApp } from '../../stores/app-context.ts'
import { useLoaded } from '../../stores/async.ts'

/** Shows what the dispatcher would do now; nothing is written. */
export function DispatchPreview({
  board,
  onClose,
}: {
  readonly board: string | undefined
  readonly onClose: () => void
}) {
  const { client } = useApp()
  const { value, failure, reload } = useLoaded(board ?? '', () =>
    client.send<DispatchReport>('POST', '/api/kanban/dispatch', { dry_run: true }, { board }),
  )
  const report = value.value
  return (
    <Dialog title="What the next tick would do" onClose={onClose}>
      {failure.value && <FailureMessage failure={failure.value} again={() => void reload()} />}
      {report && (
        <>
          <dl class="report">
            {linesOf(report).map(([title, what]) => (
              <div key={title}>
                <dt>{title}</dt>
                <dd class={what.length === 0 ? 'none' : 'mono'}>{what.length === 0 ? 'none' : what.join(', ')}</dd>
              </div>
            ))}
          </dl>
          {report.skipped_locked && <p>Another dispatcher holds this board.</p>}
          <p class="hint">A dry run: nothing was written. On the command line: hermes kanban dispatch --dry-run</p>
        </>
      )}
    </Dialog>
  )
}

/** The first three always, the others when there is something to say, as the command prints them. */
function linesOf(report: DispatchReport): readonly (readonly [string, readonly string[]])[] {
  const capped = report.skipped_per_profile_capped.map(
    ({ task_id, assignee, current }) => `${task_id} (${assignee}, ${current} running)`,
  )
  const rest: readonly (readonly [string, readonly string[]])[] = [
    ['Auto-assigned', report.auto_assigned_default],
    ['Unassigned', report.skipped_unassigned],
    ['At per-profile cap', capped],
    [
      'Pool at its cap',
      (report.skipped_pool_capped ?? []).map(
        ({ task_id, pool, current }) => `${task_id} (${pool}, ${current} running)`,
      ),
    ],
    [
      'Labels are missing',
      (report.skipped_missing_labels ?? []).map(({ task_id, missing }) => `${task_id} (${missing.join(', ')})`),
    ],
    ['Budget is spent', (report.skipped_budget_spent ?? []).map(({ task_id, assignee }) => `${task_id} (${assignee})`)],
    ['Assignee is not a profile', report.skipped_nonspawnable],
    ['No agent configured', report.skipped_unconfigured],
    ['Resting', report.respawn_guarded.map(({ task_id, reason }) => `${task_id} (${reason})`)],
    ['Crashed', report.crashed],
    ['Timed out', report.timed_out],
    ['Stale', report.stale],
    ['Auto-blocked', report.auto_blocked],
    ['Rate limited', report.rate_limited],
  ]
  return [
    ['Reclaimed', report.reclaimed === 0 ? [] : [String(report.reclaimed)]],
    ['Promoted', report.promoted === 0 ? [] : [String(report.promoted)]],
    ['Spawned', report.spawned.map(({ task_id, assignee }) => `${task_id} → ${assignee}`)],
    ...rest.filter(([, what]) => what.length > 0),
  ]
}
