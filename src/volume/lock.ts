/**
 * init's lock on run.lease: when it looks at the file, and when it tries to lock it. docs/volume-life.md is its page.
 * Pure.
 *
 *   trying    the file is being opened and locked; `from`: what the lock was before
 *   waiting   another container has the lock, or something else lies in the file's place
 *   held      the lock is ours
 *   none      there are no locks here: the supervisor's counter decides
 */

export type Lock =
  | { readonly at: 'trying'; readonly from: 'start' | 'waiting' | 'held' }
  | { readonly at: 'waiting'; readonly missed: number }
  | { readonly at: 'held' | 'none' }

/**
 * Result of a look at the file's place. `unknown`: the volume does not answer, so nothing is known of the file.
 * `gone-anew`: it is gone, and since the last look that missed it something came into its directory or left it, perhaps
 * the file that its holder made anew.
 */
export type LookResult = 'gone' | 'gone-anew' | 'ours' | 'another' | 'unknown'
/** Result of a try to lock the file. */
export type TryResult = 'held' | 'busy' | 'unsupported'

export type LockEvent =
  | { readonly type: 'seen'; readonly result: LookResult }
  /**
   * `vanished`: it is locked, and has lost its name since. No other container finds it, so the lock is worth nothing.
   */
  | { readonly type: 'tried'; readonly result: TryResult | 'vanished' }

export type LockEffect =
  /** `make`: also if the file is not there. */
  | { readonly type: 'try'; readonly make: boolean }
  | { readonly type: 'look-later' }
  /** The state is another one than before. */
  | { readonly type: 'report'; readonly state: TryResult }
  /** The file went while we held it. `again`: a new one is locked. */
  | { readonly type: 'replaced'; readonly again: boolean }

/**
 * A file that has gone is made anew by its holder at the next look. A container that waits makes one only after so
 * many.
 */
const MISSED_LOOKS = 4

/** The first try is under way. */
export const newLock: Lock = { at: 'trying', from: 'start' }

/** @returns the lock after the event, and the effects in the order in which they must be performed */
export function stepLock(lock: Lock, event: LockEvent): readonly [Lock, ...LockEffect[]] {
  switch (event.type) {
    case 'tried':
      if (lock.at !== 'trying') return [lock]
      // It was deleted between two steps of ours. The holder is the first to make it anew, this time too.
      if (event.result === 'vanished' && lock.from === 'held') return [lock, { type: 'try', make: true }]
      return tried(lock.from, event.result === 'vanished' ? 'busy' : event.result)
    case 'seen': {
      if (lock.at === 'held') {
        // The lock is on a file that no other container finds. So a new one is made before another container does.
        const isReplaced = event.result !== 'ours' && event.result !== 'unknown'
        return isReplaced
          ? [
              { at: 'trying', from: 'held' },
              { type: 'try', make: true },
            ]
          : [lock, { type: 'look-later' }]
      }
      if (lock.at !== 'waiting') return [lock]
      if (event.result === 'gone-anew') return [{ at: 'waiting', missed: 1 }, { type: 'look-later' }]
      const missedEnough = event.result === 'gone' && lock.missed + 1 >= MISSED_LOOKS
      if (event.result !== 'gone' || missedEnough)
        return [
          { at: 'trying', from: 'waiting' },
          { type: 'try', make: missedEnough },
        ]
      return [{ at: 'waiting', missed: lock.missed + 1 }, { type: 'look-later' }]
    }
  }
}

function tried(from: 'start' | 'waiting' | 'held', result: TryResult): readonly [Lock, ...LockEffect[]] {
  const next: Lock = result === 'busy' ? { at: 'waiting', missed: 0 } : { at: result === 'held' ? 'held' : 'none' }
  const isNews = from !== 'start' && (from === 'held' ? result !== 'held' : result !== 'busy')
  return [
    next,
    ...(from === 'held' ? [{ type: 'replaced', again: result === 'held' } as const] : []),
    ...(isNews ? [{ type: 'report', state: result } as const] : []),
    // Without locks it is the supervisor's counter that looks.
    ...(result === 'unsupported' ? [] : [{ type: 'look-later' } as const]),
  ]
}
