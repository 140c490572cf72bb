import type { Cancel, Clock } from '../system/clock.ts'
import type { Readiness } from './launch.ts'

/** How often an address is asked, and how long it may take to answer. */
const HTTP_EVERY_MS = 250
const HTTP_PATIENCE_MS = 2000

export interface Watcher {
  /** Whole lines the process has written. */
  lines(wholeLines: Buffer): void
  close(): void
}

/**
 * Watches for a readiness that only the supervisor can see: a line in the log, or an address that answers.
 * Being alive is a matter of the slot's clock, and the notification fd is init's.
 * @param ready called at most once
 */
export function watchReadiness(
  readiness: Readiness,
  clock: Clock,
  ready: () => void,
  warn: (text: string) => void,
): Watcher | undefined {
  switch (readiness.by) {
    case 'log':
      return watchLog(readiness.pattern, ready, warn)
    case 'http':
      return pollHttp(readiness.url, clock, ready)
    case 'alive':
    case 'fd':
      return undefined
  }
}

function watchLog(pattern: string, ready: () => void, warn: (text: string) => void): Watcher | undefined {
  let wanted: RegExp | undefined
  try {
    wanted = new RegExp(pattern, 'u')
  } catch (error) {
    warn(`gateway.ready.log: ${(error as Error).message}`)
    return undefined
  }
  return {
    lines(wholeLines) {
      if (
        wanted === undefined ||
        !wholeLines
          .toString('utf8')
          .split('\n')
          .some((line) => wanted?.test(line))
      )
        return
      wanted = undefined
      ready()
    },
    close() {
      wanted = undefined
    },
  }
}

function pollHttp(url: string, clock: Clock, ready: () => void): Watcher {
  let cancel: Cancel | undefined
  let closed = false
  let abort: AbortController | undefined
  const again = (): void => {
    if (!closed) cancel = clock.at(clock.nowMs() + HTTP_EVERY_MS, ask)
  }
  const ask = (): void => {
    abort = new AbortController()
    answers(url, abort.signal, clock).then(
      (yes) => {
        if (closed) return
        if (!yes) return again()
        closed = true
        ready()
      },
      again, // refused, reset, too slow: not ready yet
    )
  }
  ask()
  return {
    lines() {
      // Lines say nothing about an address.
    },
    close() {
      closed = true
      cancel?.()
      abort?.abort()
    },
  }
}

/** Whether a GET is answered with a status below 400. node:http, because the global fetch costs 10 MB at its first use. */
async function answers(url: string, signal: AbortSignal, clock: Clock): Promise<boolean> {
  const { get } = url.startsWith('https:') ? await import('node:https') : await import('node:http')
  return new Promise((resolve, reject) => {
    const request = get(url, { signal, agent: false }, (response) => {
      response.resume() // an unread body would keep the socket
      stopWaiting()
      resolve((response.statusCode ?? 500) < 400)
    })
    const stopWaiting = clock.at(clock.nowMs() + HTTP_PATIENCE_MS, () => request.destroy(new Error('too slow')))
    request.on('error', (error) => {
      stopWaiting()
      reject(error)
    })
  })
}
