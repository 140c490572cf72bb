/** An event stream that reconnects automatically. */
import type { ServerEvent } from '../core/event-stream.ts'
import { retryDelayMs } from '../core/retry.ts'
import { type Client, Failure } from './client.ts'

export type Connection =
  | { readonly state: 'connecting' | 'live' }
  | { readonly state: 'away'; readonly retryAtMs: number; readonly why: string }

export interface Following {
  close(): void
  /** Does not wait for the next try. */
  retryNow(): void
}

/**
 * @param on.event called with each event
 * @param on.opened the stream flows, for the first time or again
 * @param on.changed state of the connection, for the user
 */
export function follow(
  client: Client,
  path: string,
  on: {
    event(event: ServerEvent): void
    opened?(): void
    changed?(connection: Connection): void
  },
): Following {
  const closing = new AbortController()
  let hurry: () => void = () => undefined
  const run = async (): Promise<void> => {
    let failures = 0
    while (!closing.signal.aborted) {
      on.changed?.({ state: 'connecting' })
      let why = 'the connection ended'
      try {
        const events = client.events(path, closing.signal, () => {
          failures = 0
          on.changed?.({ state: 'live' })
          on.opened?.()
        })
        for await (const event of events) on.event(event)
      } catch (error) {
        if (closing.signal.aborted) return
        if (error instanceof Failure) {
          if (error.status === 404) return // what is followed is gone: its page says so
          why = error.message
        } else reportError(error) // a bug of ours: the console shows it, and the page goes on
      }
      failures += 1
      const delayMs = retryDelayMs(failures, Math.random())
      on.changed?.({ state: 'away', retryAtMs: Date.now() + delayMs, why })
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, delayMs)
        hurry = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
  void run()
  return {
    close() {
      closing.abort()
      hurry()
    },
    retryNow: () => hurry(),
  }
}
