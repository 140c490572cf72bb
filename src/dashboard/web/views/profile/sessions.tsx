import type { Sessions as SessionList } from '../../../contract/settings.ts'
import { Empty, FailureMessage } from '../../parts/failure.tsx'
import { Ago, Instant } from '../../parts/time.tsx'
import { useApp } from '../../stores/app-context.ts'
import { useLoaded } from '../../stores/async.ts'

/** Conversations with the profile's agent. */
export function Sessions({ profile }: { readonly profile: string }) {
  const { client } = useApp()
  const { value, failure, reload } = useLoaded(profile, () => client.get<SessionList>('/api/sessions', { profile }))
  if (failure.value) return <FailureMessage failure={failure.value} again={() => void reload()} />
  const sessions = value.value?.sessions
  if (sessions?.length === 0)
    return <Empty title="No conversations yet" hint={`hermes -p ${profile} chat starts one`} />
  return (
    <div class="table-box">
      <table aria-busy={sessions === undefined}>
        <thead>
          <tr>
            <th>Session</th>
            <th>Title</th>
            <th class="right">Messages</th>
            <th>Last used (UTC)</th>
            <th />
          </tr>
        </thead>
        <tbody>
          {sessions?.map(({ id, title, messages, updated_at }) => (
            <tr key={id}>
              <td class="mono">{id}</td>
              <td class="grow">{title ?? <span class="none">–</span>}</td>
              <td class="number right">{messages}</td>
              <td>
                <Instant at={updated_at} />
              </td>
              <td class="muted">
                <Ago at={updated_at} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
