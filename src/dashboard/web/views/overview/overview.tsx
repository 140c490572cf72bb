import { computed, type ReadonlySignal, useComputed, useSignal } from '@preact/signals'
import { useMemo } from 'preact/hooks'
import type { Slot } from '../../../contract/slots.ts'
import { bytes, cores, plural } from '../../core/format.ts'
import { type Wish, wished } from '../../core/slot-order.ts'
import { Button } from '../../parts/button.tsx'
import { useInSteps } from '../../parts/in-steps.ts'
import { useApp } from '../../stores/app-context.ts'
import { gatewaySlot, isGateway, type ProfileFacts } from '../../stores/fleet.ts'
import { CreateProfile } from './create-profile.tsx'
import { SlotRow } from './slot-row.tsx'
import { Tools } from './tools.tsx'

export function Overview() {
  const creating = useSignal(false)
  return (
    <div class="page">
      <header class="page-head">
        <h1>Overview</h1>
        <Button needs="admin" icon="plus" tone="main" onClick={() => (creating.value = true)}>
          New profile
        </Button>
      </header>
      <Summary />
      <Warnings />
      <Slots />
      {creating.value && <CreateProfile onClose={() => (creating.value = false)} />}
    </div>
  )
}

/** From the top down: what comes late is drawn below what is there, and moves nothing. */
function Slots() {
  const { fleet } = useApp()
  // The warnings above them come with the supervisor's state.
  const headed =
    fleet.supervisor.value !== undefined || fleet.supervisorAway.value || fleet.connection.value.state === 'away'
  const wish = useSignal<Wish>({ text: '', state: 'all', sort: 'name' })
  const profiles = useShown(wish.value, headed).value
  const drawn = useInSteps(profiles.length)
  const busy = !headed || fleet.profiles.value === undefined || drawn < profiles.length
  const helpers = fleet.helpers.value
  const isService = (slot: string): boolean => slot.startsWith('service-')
  return (
    <>
      <section aria-labelledby="profiles-title">
        <h2 id="profiles-title" class="section-title">
          Profiles
        </h2>
        <Tools wish={wish} shown={profiles.map(({ name }) => name)} />
        <table class="slots" role="table" aria-labelledby="profiles-title" aria-busy={busy}>
          <SlotsHead first="Profile" />
          {profiles.slice(0, drawn).map((profile) => (
            <SlotRow key={profile.name} slot={gatewaySlot(profile.name)} profile={profile} />
          ))}
        </table>
      </section>
      {!busy && <Others title="Services" slots={helpers.filter(isService)} />}
      {!busy && <Others title="Helpers" slots={helpers.filter((slot) => !isService(slot))} />}
    </>
  )
}

/**
 * The profiles to show. Usage changes every two seconds, and rows that follow it could not be clicked: it counts at the
 * moment when the order is chosen.
 */
function useShown(wish: Wish, headed: boolean): ReadonlySignal<readonly ProfileFacts[]> {
  const { fleet } = useApp()
  return useMemo(
    () =>
      computed(() => {
        const slots = wish.state === 'all' ? fleet.slots.peek() : fleet.slots.value
        const usage = fleet.usage.peek()
        const look = (name: string) => ({
          slot: slots.get(gatewaySlot(name)),
          usage: usage.get(gatewaySlot(name))?.last,
        })
        return wished((headed && fleet.profiles.value) || [], look, wish)
      }),
    [wish, headed, fleet],
  )
}

/** Slots that belong to no profile. */
function Others({ title, slots }: { readonly title: 'Services' | 'Helpers'; readonly slots: readonly string[] }) {
  const id = `${title.toLowerCase()}-title`
  if (slots.length === 0) return null
  return (
    <section aria-labelledby={id}>
      <h2 id={id} class="section-title">
        {title}
      </h2>
      <table class="slots" role="table" aria-labelledby={id}>
        <SlotsHead first={title.slice(0, -1)} />
        {slots.map((slot) => (
          <SlotRow key={slot} slot={slot} />
        ))}
      </table>
    </section>
  )
}

/** The roles here and in a row say what the elements are: with `display: grid` some browsers forget it. */
function SlotsHead({ first }: { readonly first: string }) {
  return (
    <thead role="rowgroup">
      <tr role="row">
        {[first, 'State', 'Uptime', 'Restarts', 'Last death', 'CPU', 'Memory'].map((title) => (
          <th key={title} role="columnheader" scope="col">
            {title}
          </th>
        ))}
        <th role="columnheader" scope="col">
          <span class="unseen">Actions</span>
        </th>
      </tr>
    </thead>
  )
}

function Summary() {
  const { fleet } = useApp()
  const sums = useComputed(() => {
    const gateways = [...fleet.slots.value.values()].filter(isGateway)
    const count = (...states: readonly string[]) => gateways.filter(({ state }) => states.includes(state)).length
    const used = [...fleet.usage.value.values()].map(({ last }) => last)
    return {
      total: gateways.length,
      up: count('up'),
      parked: count('parked'),
      backoff: count('backoff'),
      workers: [...fleet.slots.value.values()].filter(isWorkerAtWork).length,
      known: used.length > 0,
      cpu: used.reduce((sum, { cpu }) => sum + cpu, 0),
      memory: used.reduce((sum, { memory_bytes }) => sum + memory_bytes, 0),
      processes: used.reduce((sum, { processes }) => sum + processes, 0),
    }
  }).value
  return (
    <dl class="summary">
      <div>
        <dt>Running</dt>
        <dd>
          {sums.up}
          <small> of {sums.total}</small>
        </dd>
      </div>
      <div class={sums.backoff > 0 ? 'tone-backoff' : ''}>
        <dt>Backing off</dt>
        <dd>{sums.backoff}</dd>
      </div>
      <div class={sums.parked > 0 ? 'tone-parked' : ''}>
        <dt>Parked</dt>
        <dd>{sums.parked}</dd>
      </div>
      <div>
        <dt>Workers</dt>
        <dd>{sums.workers}</dd>
      </div>
      <div>
        <dt>CPU</dt>
        <dd>{sums.known ? cores(sums.cpu) : '–'}</dd>
      </div>
      <div>
        <dt>Memory</dt>
        <dd>{sums.known ? bytes(sums.memory) : '–'}</dd>
      </div>
      <div>
        <dt>Processes</dt>
        <dd>{sums.known ? sums.processes : '–'}</dd>
      </div>
    </dl>
  )
}

const isWorkerAtWork = ({ slot, pid }: Slot): boolean => slot.startsWith('job-') && pid !== undefined

function Warnings() {
  const { fleet } = useApp()
  const warnings = fleet.supervisor.value?.warnings ?? []
  if (warnings.length === 0) return null
  return (
    <details class="warnings" open={warnings.length < 3}>
      <summary>{plural(warnings.length, 'warning')}</summary>
      <ul>
        {warnings.map((warning) => (
          <li key={warning}>{warning}</li>
        ))}
      </ul>
    </details>
  )
}
