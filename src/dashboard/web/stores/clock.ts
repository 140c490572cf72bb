import { type ReadonlySignal, signal } from '@preact/signals'

/** The time for whatever ticks on the page, in ms; once a second, and not while nobody looks at the page. */
export function createClock(): ReadonlySignal<number> {
  const now = signal(Date.now())
  const tick = (): void => {
    if (!document.hidden) now.value = Date.now()
  }
  setInterval(tick, 1000)
  document.addEventListener('visibilitychange', tick)
  return now
}
