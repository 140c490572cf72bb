import { useEffect } from 'preact/hooks'
import type { Deaths as DeathList, Slot } from '../../../contract/slots.ts'
import { duration, ending } from '../../core/format.ts'
import { deathPath } from '../../core/route.ts'
import { Empty, FailureMessage } from '../../parts/failure.tsx'
import { Ago, Instant } from '../../parts/time.tsx'
import { useApp } from '../../stores/app-context.ts'
import { useLoaded } from '../../stores/async.ts'

/** The last deaths, the latest first; loaded again with each new one. */
export function Deaths({ profile, slot }: { readonly profile: string; readonly slot: Slot | undefined }) {
  const { client, router } = useApp()
  const { value, failure, reload } = useLoaded(profile, () => client.get<DeathList>(`/api/profiles/${profile}/deaths`))
  const last = slot?.lastDeath?.at
  useEffect(() => {
    if (value.peek() !== undefined) void reload()
  }, [last])
  if (failure.value) return <FailureMessage failure={failure.value} again={() => void reload()} />
  const deaths = value.value?.deaths
  if (deaths?.length === 0)
    return <Empty title="It has not died yet" hint="The last 100 deaths are kept until the next boot." />
  return (
    <div class="table-box">
      <table aria-busy={deaths === undefined}>
        <thead>
          <tr>
            <th>When (UTC)</th>
            <th />
            <th>How</th>
            <th>Had been up</th>
          </tr>
        </thead>
        <tbody>
          {deaths?.toReversed().map((death) => (
            <tr key={death.at}>
              <td>
                <Instant at={death.at} />
              </td>
              <td class="muted">
                <Ago at={death.at} />
              </td>
              <td>
                <a href={router.href(deathPath(profile, death.at))} data-view title="Log at that moment">
                  <span class="ending">{ending(death)}</span>
                  <span class="unseen">, log at that moment</span>
                </a>
              </td>
              <td class="number">{death.upMs === undefined ? 'never ready' : duration(death.upMs)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
