import { useComputed } from '@preact/signals'
import type { Slot } from '../../../contract/slots.ts'
import { bytes, cores, ending, remarkOf } from '../../core/format.ts'
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
  const remark = slot && remarkOf(slot)
  return (
    <tbody class="slot" role="rowgroup" data-slot={key}>
      <tr role="row">
        <td role="cell" class="slot-name">
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
        <td role="cell" class="slot-state">
          <State slot={slot} />
          {slot !== undefined && <Wanted slot={slot} />}
        </td>
        <td role="cell" class="slot-uptime" data-title="Uptime">
          {slot?.state === 'up' ? <Since at={slot.since} /> : none()}
        </td>
        <td role="cell" class="slot-restarts number" data-title="Restarts">
          {slot?.restarts ?? none()}
        </td>
        <td
          role="cell"
          class={slot?.lastDeath === undefined ? 'slot-death never' : 'slot-death'}
          data-title="Last death"
        >
          {slot?.lastDeath === undefined ? (
            none()
          ) : (
            <>
              <span class="ending">{ending(slot.lastDeath)}</span> <Ago at={slot.lastDeath.at} />
            </>
          )}
        </td>
        <UsageCells slot={key} />
        <td role="cell" class="slot-actions">
          <SlotActions slotKey={key} slot={slot} profile={profile?.name} />
        </td>
      </tr>
      {remark !== undefined && (
        <tr role="row">
          <td role="cell" class={`slot-reason ${remark.tone}`} colSpan={COLUMNS}>
            {remark.text}
          </td>
        </tr>
      )}
    </tbody>
  )
}

/** When it starts next, or the desired state, if it is not obvious from the current one. */
function Wanted({ slot }: { readonly slot: Slot }) {
  if ((slot.state === 'backoff' || slot.state === 'down') && slot.nextStartAt !== undefined)
    return (
      <span class="wanted">
        {slot.state === 'down' && 'runs '}
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
      <td role="cell" class="slot-usage" data-title="CPU">
        <span>
          <span class="number">{usage === undefined ? none() : cores(usage.last.cpu)}</span>
          {usage !== undefined && <Chart samples={usage.cpu} floor={CPU_FLOOR} />}
        </span>
      </td>
      <td role="cell" class="slot-usage" data-title="Memory">
        <span>
          <span class="number">{usage === undefined ? none() : bytes(usage.last.memory_bytes)}</span>
          {usage !== undefined && <Chart samples={usage.memory} floor={MEMORY_FLOOR} />}
        </span>
      </td>
    </>
  )
}

/** A function and no component, of which there would be thousands. */
const none = () => <span class="none">–</span>
