import { ago, dayTime, duration } from '../core/format.ts'
import { useApp } from '../stores/app-context.ts'

/** Time since an instant, ticking. */
export function Since({ at }: { readonly at: string }) {
  const { now } = useApp()
  return (
    <time class="number" dateTime={at} title={at}>
      {duration(now.value - Date.parse(at))}
    </time>
  )
}

/** Time since an event ("ago"), ticking. */
export function Ago({ at }: { readonly at: string }) {
  const { now } = useApp()
  return (
    <time class="number" dateTime={at} title={at}>
      {ago(now.value - Date.parse(at))}
    </time>
  )
}

/** Time until an instant, ticking. */
export function Until({ at }: { readonly at: string }) {
  const { now } = useApp()
  const leftMs = Date.parse(at) - now.value
  return (
    <time class="number" dateTime={at} title={at}>
      {leftMs > 0 ? `in ${duration(leftMs)}` : 'now'}
    </time>
  )
}

/** An instant in UTC. */
export function Instant({ at }: { readonly at: string }) {
  return (
    <time class="number" dateTime={at} title={at}>
      {dayTime(at)}
    </time>
  )
}
