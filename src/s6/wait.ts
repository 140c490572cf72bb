import type { Clock } from '../system/clock.ts'
import type { Native } from '../system/native/native.ts'
import { exitCodes, S6Error } from './error.ts'
import { readState } from './service-dir.ts'
import { type Subscription, subscribe } from './subscription.ts'
import { type Goal, Watch } from './watch.ts'

export interface WaitOptions {
  readonly native: Pick<Native, 'mkfifo'>
  readonly clock: Clock
  /** 0: no limit. */
  readonly timeoutMs: number
  /** Done once everything is listened to, before the waiting begins. */
  readonly then?: () => void
}

/**
 * Waits for slots to reach one goal after the other.
 * @throws S6Error 99 when the time is up, 111; the number of those that failed when some did
 */
export async function waitFor(dirs: readonly string[], goals: readonly Goal[], options: WaitOptions): Promise<void> {
  const { native, clock, timeoutMs } = options
  const subscriptions: Subscription[] = []
  const outcome = Promise.withResolvers<number | 'late'>()
  let watch: Watch | undefined
  const hear = (service: number, events: string): void => {
    for (const event of events) watch?.receive(service, event)
    if (watch?.failures !== undefined) outcome.resolve(watch.failures)
  }
  const cancel = timeoutMs === 0 ? undefined : clock.at(clock.nowMs() + timeoutMs, () => outcome.resolve('late'))
  try {
    for (const [service, dir] of dirs.entries())
      subscriptions.push(subscribe(dir, native, clock.wallMs(), (events) => hear(service, events)))
    // Events come in on a later turn of the loop: none is heard before the states are known.
    watch = new Watch(dirs.map(readState), goals)
    options.then?.()
    const result = watch.failures ?? (await outcome.promise)
    if (result === 'late') throw new S6Error(exitCodes.timedOut, 'timed out')
    if (result > 0) throw new S6Error(result, 'some services failed permanently or are no longer supervised')
  } finally {
    cancel?.()
    for (const subscription of subscriptions) subscription.close()
  }
}
