import type { BootLog } from '../../contract/logs.ts'
import { Empty, FailureMessage } from '../parts/failure.tsx'
import { Instant } from '../parts/time.tsx'
import { useApp } from '../stores/app-context.ts'
import { useLoaded } from '../stores/async.ts'

/** Lists the actions of each boot for each profile, newest first. */
export function Boots() {
  const { client, router } = useApp()
  const { value, failure, reload } = useLoaded('boots', () => client.get<BootLog>('/api/boot-log'))
  const lines = value.value?.lines
  return (
    <div class="page">
      <header class="page-head">
        <h1>Boot history</h1>
      </header>
      {failure.value && <FailureMessage failure={failure.value} again={() => void reload()} />}
      {lines?.length === 0 && (
        <Empty title="No boots recorded" hint="Each boot writes a line per profile to container-boot.log." />
      )}
      {lines !== undefined && lines.length > 0 && (
        <div class="table-box">
          <table>
            <thead>
              <tr>
                <th>When (UTC)</th>
                <th>Profile</th>
                <th>Before</th>
                <th>Ended</th>
                <th>Then</th>
                <th>Why</th>
              </tr>
            </thead>
            <tbody>
              {lines.toReversed().map(({ at, profile, prior_state, prior_exit, action, reason }) => (
                <tr key={`${at} ${profile}`}>
                  <td>
                    <Instant at={at} />
                  </td>
                  <td>
                    <a href={router.href(`/profiles/${profile}`)} data-view>
                      {profile}
                    </a>
                  </td>
                  <td>{prior_state}</td>
                  <td class={prior_exit === 'unclean' ? 'warn' : ''}>{prior_exit}</td>
                  <td>
                    <span class={`tag action-${action}`}>{action}</span>
                  </td>
                  <td class="grow muted">{reason}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  )
}
