import { useComputed } from '@preact/signals'
import type { Slot } from '../../../contract/slots.ts'
import { bytes, cores, ending } from '../../core/format.ts'
import { profilePath } from '../../core/route.ts'
import { Chart } from '../../parts/chart.tsx'
import { State } from '../../parts/state.tsx'
import { Ago, Since, Until } from '../../parts/time.tsx'
import { useApp } from '../../stores/app-context.ts'
import type { ProfileFacts } from '../../stores/fleet.ts'
import { SlotActions } from '../slot-actions.tsx'

const CPU_FLOOR = 0.05
const MEMORY_FLOOR = 16_000_000
const COLUMNS = 8

interface SlotRowProps {
  readonly slot: string
  /** Absent: a helper. */
  readonly profile?: ProfileFacts
}

/** One slot of the overview. It is drawn again only when this slot changes. */
export function SlotRow({ slot: key, profile }: SlotRowProps) {
  const { fleet, router } = useApp()
  const slot = useComputed(() => fleet.slots.value.get(key)).value
  const name = profile?.name ?? key
  return (
    <tbody class="slot" data-slot={key}>
      <tr>
        <td class="slot-name">
          {profile === undefined ? (
            <strong>{name}</strong>
          ) : (
            <a href={router.href(profilePath(name))} data-view>
              <strong>{name}</strong>
            </a>
          )}
          {profile?.active && (
            <span class="tag" title="The profile that commands use when -p is not given">
              active
            </span>
          )}
          {profile?.description !== undefined && <span class="slot-about">{profile.description}</span>}
        </td>
        <td class="slot-state">
          <State slot={slot} />
          {slot !== undefined && <Wanted slot={slot} />}
        </td>
        <td class="slot-uptime" data-title="Uptime">
          {slot?.state === 'up' ? <Since at={slot.since} /> : <None />}
        </td>
        <td class="slot-restarts number" data-title="Restarts">
          {slot?.restarts ?? <None />}
        </td>
        <td class={slot?.lastDeath === undefined ? 'slot-death never' : 'slot-death'} data-title="Last death">
          {slot?.lastDeath === undefined ? (
            <None />
          ) : (
            <>
              <span class="ending">{ending(slot.lastDeath)}</span> <Ago at={slot.lastDeath.at} />
            </>
          )}
        </td>
        <UsageCells slot={key} />
        <td class="slot-actions">
          <SlotActions slotKey={key} slot={slot} profile={profile?.name} />
        </td>
      </tr>
      {slot?.reason !== undefined && slot.state !== 'up' && (
        <tr>
          <td class={`slot-reason ${slot.state}`} colSpan={COLUMNS}>
            {slot.reason}
          </td>
        </tr>
      )}
    </tbody>
  )
}

/** The desired state, if it is not obvious from the current one. */
function Wanted({ slot }: { readonly slot: Slot }) {
  if (slot.state === 'backoff' && slot.nextStartAt !== undefined)
    return (
      <span class="wanted">
        <Until at={slot.nextStartAt} />
      </span>
    )
  const settled = slot.state === 'parked' || (slot.ready ? 'up' : 'down') === slot.wanted
  return settled ? null : <span class="wanted">wanted {slot.wanted}</span>
}

function UsageCells({ slot }: { readonly slot: string }) {
  const { fleet } = useApp()
  const usage = useComputed(() => fleet.usage.value.get(slot)).value
  return (
    <>
      <td class="slot-usage" data-title="CPU">
        <span>
          <span class="number">{usage === undefined ? <None /> : cores(usage.last.cpu)}</span>
          <Chart samples={usage?.cpu ?? []} floor={CPU_FLOOR} />
        </span>
      </td>
      <td class="slot-usage" data-title="Memory">
        <span>
          <span class="number">{usage === undefined ? <None /> : bytes(usage.last.memory_bytes)}</span>
          <Chart samples={usage?.memory ?? []} floor={MEMORY_FLOOR} />
        </span>
      </td>
    </>
  )
}

const None = () => <span class="none">–</span>
