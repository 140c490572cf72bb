import { useComputed } from '@preact/signals'
import type { ProfileDetails } from '../../../contract/slots.ts'
import { bytes, cores, ending, plural } from '../../core/format.ts'
import { PROFILE_TABS, type ProfileTab, profilePath } from '../../core/route.ts'
import { Empty, FailureMessage } from '../../parts/failure.tsx'
import { Remark, State } from '../../parts/state.tsx'
import { Ago, Since, Until } from '../../parts/time.tsx'
import { useApp, useMay } from '../../stores/app-context.ts'
import { useLoaded } from '../../stores/async.ts'
import { gatewaySlot } from '../../stores/fleet.ts'
import { SlotActions } from '../slot-actions.tsx'
import { Day } from './day.tsx'
import { Deaths } from './deaths.tsx'
import { LogPane } from './log-pane.tsx'
import { Sessions } from './sessions.tsx'
import { Settings } from './settings.tsx'

const TITLES: Readonly<Record<ProfileTab, string>> = {
  log: 'Log',
  deaths: 'Deaths',
  sessions: 'Sessions',
  settings: 'Settings',
}

interface ProfilePageProps {
  readonly name: string
  readonly tab: ProfileTab
  readonly until: string | undefined
}

export function ProfilePage({ name, tab, until }: ProfilePageProps) {
  const { client, fleet, router } = useApp()
  const isAdmin = useMay()('admin')
  const details = useLoaded(name, () => client.get<ProfileDetails>(`/api/profiles/${name}`))
  const key = gatewaySlot(name)
  const slot = useComputed(() => fleet.slots.value.get(key)).value
  const failure = details.failure.value
  if (failure?.status === 404)
    return (
      <div class="page">
        <Empty title={`No profile "${name}"`} hint="It may have been deleted or renamed." />
      </div>
    )
  return (
    <div class={`page profile${tab === 'log' ? ' fills' : ''}`}>
      <header class="page-head">
        <div class="title">
          <h1>{name}</h1>
          <State slot={slot} />
        </div>
        <div class="actions">
          <SlotActions slotKey={key} slot={slot} profile={name} wide />
        </div>
      </header>
      <Facts slotKey={key} />
      <About details={details.value.value} />
      <Remark slot={slot} />
      <Day key={name} profile={name} />
      <Problems problems={details.value.value?.problems ?? []} />
      {failure && <FailureMessage failure={failure} again={() => void details.reload()} />}
      <nav class="tabs" aria-label={`Parts of ${name}`}>
        {PROFILE_TABS.filter((one) => one !== 'settings' || isAdmin).map((one) => (
          <a
            key={one}
            href={router.href(profilePath(name, one))}
            data-view
            aria-current={one === tab ? 'page' : undefined}
          >
            {TITLES[one]}
          </a>
        ))}
      </nav>
      {tab === 'log' && <LogPane key={name} profile={name} until={until} />}
      {tab === 'deaths' && <Deaths key={name} profile={name} slot={slot} />}
      {tab === 'sessions' && <Sessions key={name} profile={name} />}
      {tab === 'settings' && isAdmin && <Settings key={name} profile={name} />}
      {tab === 'settings' && !isAdmin && <Empty title="Settings need the role admin" hint="Choose another part." />}
    </div>
  )
}

/** Problems in the file that is in effect. */
function Problems({ problems }: { readonly problems: readonly string[] }) {
  if (problems.length === 0) return null
  return (
    <details class="warnings">
      <summary>{plural(problems.length, 'problem')} in config.yaml: the defaults are in force there</summary>
      <ul>
        {problems.map((problem) => (
          <li key={problem}>{problem}</li>
        ))}
      </ul>
    </details>
  )
}

function Facts({ slotKey }: { readonly slotKey: string }) {
  const { fleet } = useApp()
  const slot = useComputed(() => fleet.slots.value.get(slotKey)).value
  const usage = useComputed(() => fleet.usage.value.get(slotKey)?.last).value
  return (
    <dl class="facts">
      {slot?.state === 'up' && (
        <div>
          <dt>Up</dt>
          <dd>
            <Since at={slot.since} />
          </dd>
        </div>
      )}
      {slot?.nextStartAt !== undefined && slot.state === 'backoff' && (
        <div>
          <dt>Next start</dt>
          <dd>
            <Until at={slot.nextStartAt} />
          </dd>
        </div>
      )}
      {slot?.pid !== undefined && (
        <>
          <div>
            <dt>Pid</dt>
            <dd class="number">{slot.pid}</dd>
          </div>
          <div>
            <dt>CPU</dt>
            <dd class="number">{usage ? cores(usage.cpu) : '–'}</dd>
          </div>
          <div class="roomy">
            <dt>Memory</dt>
            <dd class="number">
              {usage ? bytes(usage.memory_bytes) : '–'}{' '}
              <small>{usage && plural(usage.processes, 'process', 'processes')}</small>
            </dd>
          </div>
        </>
      )}
      <div key={slot === undefined ? 'wait' : 'restarts'}>
        <dt>Restarts</dt>
        <dd class="number">{slot?.restarts ?? '–'}</dd>
      </div>
      {slot?.lastDeath && (
        <div class="roomy">
          <dt>Last death</dt>
          <dd>
            <span class="ending">{ending(slot.lastDeath)}</span> <Ago at={slot.lastDeath.at} />
          </dd>
        </div>
      )}
    </dl>
  )
}

/** A line of its own, with its height from the start: what is below must not move when the answer comes. */
function About({ details }: { readonly details: ProfileDetails | undefined }) {
  return (
    <dl class="facts about">
      <div key={details === undefined ? 'wait' : 'agent'}>
        <dt>Agent</dt>
        <dd>{details === undefined ? '–' : (details.agent ?? 'none')}</dd>
      </div>
      {details && (
        <div>
          <dt>Directory</dt>
          <dd class="mono" title={details.directory}>
            {details.directory}
          </dd>
        </div>
      )}
    </dl>
  )
}
