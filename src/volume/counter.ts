/**
 * Who holds a volume where file locks do not work (some network mounts): the holder moves a counter in run.lease, and a
 * counter that stands still for FREE_AFTER_MS of our own monotonic clock belongs to no container any more. No two
 * machines compare clocks. Frozen time does not count for one that watches, since the holder may have been frozen with
 * it; for a holder it does, since others may have watched during that time. docs/volume-life.md has more. Pure.
 *
 * | state    | means                                                  | looks again after |
 * |----------|--------------------------------------------------------|-------------------|
 * | watching | it has a holder, or had: the counter is watched        | 2 s               |
 * | claiming | it was free, our id is in it; another id may win       | 3 s               |
 * | held     | it is ours; the counter moves                          | 10 s              |
 */

/** How long a counter must have stood still. */
export const FREE_AFTER_MS = 60_000
/** A holder that cannot move its counter gives up before another may take it. */
export const GIVE_UP_AFTER_MS = 45_000

export interface LeaseText {
  /** Random, one per container life. */
  readonly instance: string
  readonly host: string
  readonly counter: number
}

/**
 * What was found in the file: its holder, `free` when it names none, `unreadable` when it could not be read or written.
 */
export type LeaseFile = LeaseText | 'free' | 'unreadable'

export type Counting =
  | ({ readonly state: 'watching'; readonly seen: LeaseFile | undefined; readonly sinceMs: number } & Undecided)
  | ({ readonly state: 'claiming'; readonly counter: number; readonly movedAtMs: number } & Undecided)
  | { readonly state: 'held'; readonly counter: number; readonly movedAtMs: number }

/**
 * Since when it has not been known which container has the volume. Slots of this container may run on it, started by a
 * supervisor that died or under a lock that can be had no more; so the counter reports once that another container has
 * the volume, and also when it cannot find that out in time.
 */
interface Undecided {
  readonly undecidedSinceMs?: number
}

export interface CountingStep {
  readonly next: Counting
  /** Put our id with this counter into the file. */
  readonly write?: number
  readonly report?: 'taken' | 'lost'
}

/** @param realMs now, with frozen time */
export const startCounting = (runningMs: number, realMs: number): Counting => ({
  state: 'watching',
  seen: undefined,
  sinceMs: runningMs,
  undecidedSinceMs: realMs,
})

export const lookAgainAfterMs: { readonly [S in Counting['state']]: number } = {
  watching: 2000,
  claiming: 3000,
  held: 10_000,
}

/** Now, without frozen time and with it. */
export interface LeaseTime {
  readonly runningMs: number
  readonly realMs: number
}

/** @param found content of the file just now */
export function stepCounting(counting: Counting, found: LeaseFile, own: string, time: LeaseTime): CountingStep {
  const ours = typeof found === 'object' && found.instance === own ? found : undefined
  const step = count(counting, found, ours, time)
  if (counting.state === 'held' || counting.undecidedSinceMs === undefined || step.next.state === 'held') return step
  const { undecidedSinceMs } = counting
  const isOthers = typeof found === 'object' && ours === undefined
  if (!isOthers && time.realMs - undecidedSinceMs < GIVE_UP_AFTER_MS)
    return { ...step, next: { ...step.next, undecidedSinceMs } }
  const { undecidedSinceMs: _, ...next } = step.next
  return { ...step, next, report: 'lost' }
}

function count(
  counting: Counting,
  found: LeaseFile,
  ours: LeaseText | undefined,
  { runningMs, realMs }: LeaseTime,
): CountingStep {
  switch (counting.state) {
    case 'watching':
      // A supervisor that comes back in the same container life goes on with what it held.
      if (ours !== undefined) return move('held', ours.counter, realMs, 'taken')
      if (found === 'free') return claim(realMs)
      if (!sameFound(counting.seen, found)) return watch(found, runningMs)
      // A counter that cannot be read does not count as standing still.
      if (found === 'unreadable' || runningMs - counting.sinceMs < FREE_AFTER_MS) return { next: counting }
      return claim(realMs)
    case 'claiming':
      // Not ours any more: another one claimed it at the same time and wrote last.
      return ours !== undefined ? move('held', counting.counter, realMs, 'taken') : watch(found, runningMs)
    case 'held':
      if (ours !== undefined || found === 'free') return move('held', counting.counter, realMs)
      if (found === 'unreadable' && realMs - counting.movedAtMs < GIVE_UP_AFTER_MS) return { next: counting }
      return { ...watch(found, runningMs), report: 'lost' }
  }
}

const move = (state: 'claiming' | 'held', counter: number, nowMs: number, report?: 'taken'): CountingStep => ({
  next: { state, counter: counter + 1, movedAtMs: nowMs },
  write: counter + 1,
  ...(report === undefined ? {} : { report }),
})

/**
 * A claim counts from the seconds of our clock, which a counter that moves once in 10 s never overtakes. So a container
 * that claims again never shows a number that it has shown before: one that slept in between would take it for a
 * counter that stands still.
 */
const claim = (nowMs: number): CountingStep => move('claiming', Math.floor(nowMs / 1000), nowMs)

const watch = (seen: LeaseFile, nowMs: number): CountingStep => ({ next: { state: 'watching', seen, sinceMs: nowMs } })

const sameFound = (a: LeaseFile | undefined, b: LeaseFile): boolean =>
  typeof a === 'object' && typeof b === 'object' ? a.instance === b.instance && a.counter === b.counter : a === b

// decides by words: the format of a file of ours
const LINE = /^hermes lease: instance=(\S{1,64}) host=(\S{1,64}) counter=(\d{1,15})\s*$/

export function parseLease(text: string): LeaseText | undefined {
  const [, instance, host, counter] = LINE.exec(text) ?? []
  if (instance === undefined || host === undefined) return undefined
  return { instance, host, counter: Number(counter) }
}

/** One line of one length, so that it is overwritten in one write and no reader sees the end of an older one. */
export const formatLease = ({ instance, host, counter }: LeaseText): string =>
  `${`hermes lease: instance=${fieldText(instance)} host=${fieldText(host)} counter=${counter}`.padEnd(255)}\n`

const fieldText = (text: string): string => text.replace(/[^\w.:-]/g, '_').slice(0, 64) || 'unknown'
