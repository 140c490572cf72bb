import { type ReadonlySignal, signal } from '@preact/signals'

/** The time for ticking elements on the page, in ms; updated once a second, and not while the page is hidden. */
export function createClock(): ReadonlySignal<number> {
  const now = signal(Date.now())
  const tick = (): void => {
    if (!document.hidden) now.value = Date.now()
  }
  setInterval(tick, 1000)
  document.addEventListener('visibilitychange', tick)
  return now
}
