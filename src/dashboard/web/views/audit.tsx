import type { Audit as AuditLog } from '../../contract/access.ts'
import { Empty, FailureMessage } from '../parts/failure.tsx'
import { Instant } from '../parts/time.tsx'
import { useApp } from '../stores/app-context.ts'
import { useLoaded } from '../stores/async.ts'

/** Lists who has changed what, newest first. */
export function Audit() {
  const { client } = useApp()
  const { value, failure, reload } = useLoaded('audit', () => client.get<AuditLog>('/api/audit'))
  const entries = value.value?.entries
  return (
    <div class="page">
      <header class="page-head">
        <h1>Audit log</h1>
      </header>
      {failure.value && <FailureMessage failure={failure.value} again={() => void reload()} />}
      {entries?.length === 0 && (
        <Empty title="No changes recorded" hint="Each change by a person or a program writes a line to audit.log." />
      )}
      {entries !== undefined && entries.length > 0 && (
        <div class="table-box">
          <table>
            <thead>
              <tr>
                <th>When (UTC)</th>
                <th>Who</th>
                <th>By</th>
                <th>Action</th>
                <th>Target</th>
                <th>Result</th>
              </tr>
            </thead>
            <tbody>
              {entries.toReversed().map(({ time, actor, via, action, target, result, more }, index) => (
                <tr key={entries.length - index}>
                  <td>
                    <Instant at={time} />
                  </td>
                  <td>{actor}</td>
                  <td>{via}</td>
                  <td>{action}</td>
                  <td class="mono">{target ?? '–'}</td>
                  <td class={`grow ${result === 'done' ? '' : 'warn'}`}>
                    {result}
                    {more !== undefined && `, and ${more} more`}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  )
}
