/** Which events get a message of their own, and which share one. Pure. */

/** The events of a target in the current minute. */
export interface Window {
  /** Unix ms. */
  readonly startMs: number
  readonly events: number
}

export const WINDOW_MS = 60_000
/** Messages of a target in a minute; further events go into one digest at its end. */
export const ALONE_IN_WINDOW = 10
/** Messages of a target that wait for it; while there are more, events only go into digests. */
export const MOST_WAITING = 500

/** @returns the window with this event, and whether the event gets a message of its own */
export function admit(
  before: Window | undefined,
  wallMs: number,
): { readonly window: Window; readonly alone: boolean } {
  const isOver = before === undefined || wallMs >= before.startMs + WINDOW_MS || wallMs < before.startMs
  if (!isOver) {
    const window = { ...before, events: before.events + 1 }
    return { window, alone: window.events <= ALONE_IN_WINDOW }
  }
  // A storm that goes on is a digest a minute; the first minute without one ends it.
  const goesOn = before !== undefined && before.events > ALONE_IN_WINDOW && wallMs < before.startMs + 2 * WINDOW_MS
  return { window: { startMs: wallMs, events: goesOn ? ALONE_IN_WINDOW + 1 : 1 }, alone: !goesOn }
}
