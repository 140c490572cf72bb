/** Banners above every view. */

import { Button } from '../parts/button.tsx'
import { Icon } from '../parts/icon.tsx'
import { useApp } from '../stores/app-context.ts'

export function InsecureBanner() {
  const { facts } = useApp()
  if (!facts.insecure) return null
  return (
    <output class="banner insecure">
      <Icon name="warning" />
      No log-in is required: anyone who can reach this address can do everything that this page can do
      (HERMES_DASHBOARD_INSECURE).
    </output>
  )
}

/** Shown when the data may be outdated. */
export function AwayBanner() {
  const { fleet, now } = useApp()
  const connection = fleet.connection.value
  if (connection.state === 'away') {
    const leftS = Math.max(0, Math.ceil((connection.retryAtMs - now.value) / 1000))
    return (
      <output class="banner away">
        <Icon name="warning" />
        <span>
          This page may be out of date: {connection.why}. {leftS > 1 ? `Trying again in ${leftS} s.` : 'Trying again.'}
        </span>
        <Button onClick={() => fleet.retryNow()}>Try now</Button>
      </output>
    )
  }
  const { phase, holder } = fleet.supervisor.value ?? {}
  const why = fleet.supervisorAway.value
    ? 'The supervisor does not answer; gateways keep running. This page may be out of date until it is back.'
    : phase === 'waiting' &&
      `Another container is using this volume (${holder ?? 'unknown'}); gateways wait here until it stops.`
  if (!why) return null
  return (
    <output class="banner away">
      <Icon name="warning" />
      <span>{why}</span>
    </output>
  )
}

export function NoticeList() {
  const { notices } = useApp()
  return (
    <ul class="notices" aria-live="polite">
      {notices.list.value.map(({ id, tone, text, next }) => (
        <li key={id} class={`notice ${tone}`}>
          <div>
            <p>{text}</p>
            {next !== undefined && <p class="hint">{next}</p>}
          </div>
          <Button icon="close" label="Dismiss" tone="quiet" onClick={() => notices.dismiss(id)} />
        </li>
      ))}
    </ul>
  )
}
