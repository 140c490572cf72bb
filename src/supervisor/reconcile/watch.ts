import { statSync } from 'node:fs'
import type { FSWatcher } from 'chokidar'
import type { Cancel, Clock } from '../../system/clock.ts'
import { directoryEntries } from '../../system/files/directory.ts'
import { homePaths } from '../../system/paths.ts'

export interface WatchOptions {
  readonly home: string
  readonly clock: Clock
  /** Something in `profiles/` may have changed: look. Never called from within `watchProfiles` itself. */
  readonly changed: () => void
  /** Called with each poll: to look at what else has to be looked at from time to time, in the same wake-up. */
  readonly polled?: () => void
  readonly warn: (text: string) => void
  /** false: poll only. */
  readonly events?: boolean
}

/** Network mounts send no events, and there may be no watches left. */
export const POLL_MS = 2000
/** The watching library is loaded when the boot is over; until then the poll is as good. */
const WATCH_AFTER_MS = 1000
/** A look at a crowded directory takes long: it takes this share of the time at most. */
const LOOK_SHARE = 0.01
/**
 * The watching library lists the directory itself at each event, and remembers every name. More names than this are
 * polled only.
 */
export const MAX_WATCHED = 5000
/** Events come in bunches: `cp -r` of a profile, a restore of fifty. */
const GATHER_MS = 50

/** Watches `profiles/` for entries that come and go, by events and by a poll. The first poll always calls `changed`. */
export function watchProfiles({ home, clock, changed, polled = () => undefined, warn, events = true }: WatchOptions): {
  close(): void
} {
  const dir = homePaths(home).profiles
  const cancels = new Map<'poll' | 'gather' | 'watch', Cancel>()
  let seen: Look | undefined
  let watcher: { readonly id: string; readonly fs: FSWatcher } | undefined
  let watching = events
  let closed = false

  const at = (what: 'poll' | 'gather' | 'watch', afterMs: number, then: () => void): void => {
    if (closed || cancels.has(what)) return
    const run = (): void => {
      cancels.delete(what)
      then()
    }
    cancels.set(what, clock.at(clock.nowMs() + afterMs, run, { coarse: what === 'poll' }))
  }
  const poll = (): void => {
    const beganAtMs = clock.nowMs()
    const now = look(dir)
    at('poll', Math.max(POLL_MS, (clock.nowMs() - beganAtMs) / LOOK_SHARE), poll)
    const same = seen !== undefined && now.signature === seen.signature
    seen = now
    if (!same) changed()
    // A watch stays with the directory it was set on; a mount or a restore puts another in its place.
    const watchable = now.id !== undefined && now.names <= MAX_WATCHED
    if (watcher !== undefined && (watcher.id !== now.id || !watchable)) unwatch()
    if (watching && watcher === undefined && watchable) at('watch', 0, watch)
    polled()
  }
  const unwatch = (): void => {
    void watcher?.fs.close()
    watcher = undefined
  }
  const watch = async (): Promise<void> => {
    const { id, names } = look(dir)
    if (id === undefined || names > MAX_WATCHED || watcher !== undefined) return
    try {
      const { watch: open } = await import('chokidar')
      if (closed || watcher !== undefined) return
      // depth 0: one watch, on profiles/ itself. Gateways write below it all day, which does not matter for slots.
      const fs = open(dir, { depth: 0, ignoreInitial: true, followSymlinks: false })
      watcher = { id, fs }
      fs.on('all', (event) => {
        if (event !== 'change') at('gather', GATHER_MS, changed)
      })
      fs.on('error', giveUp)
    } catch (error) {
      giveUp(error)
    }
  }
  const giveUp = (error: unknown): void => {
    if (!watching) return
    watching = false
    unwatch()
    warn(`${dir} cannot be watched (${String(error)}); it is looked at every ${POLL_MS / 1000} s instead`)
  }

  at('poll', POLL_MS, poll)
  if (events) at('watch', WATCH_AFTER_MS, watch)
  return {
    close() {
      closed = true
      for (const cancel of cancels.values()) cancel()
      unwatch()
    },
  }
}

interface Look {
  readonly signature: string
  /** Device and inode; undefined: not there, or out of reach. */
  readonly id: string | undefined
  readonly names: number
}

/**
 * One stat and the names, whatever the number of profiles (0.4 ms at 1,000). The names are for file systems that cache
 * times; of them a number is kept, as there may be a hundred thousand.
 */
function look(dir: string): Look {
  try {
    const { dev, ino, mtimeNs } = statSync(dir, { bigint: true })
    const id = `${dev}:${ino}`
    let names = 0
    let sum = 0
    for (const { name } of directoryEntries(dir)) {
      names++
      sum = (sum + hashOf(name)) | 0
    }
    return { id, signature: `${id}:${mtimeNs}:${names}:${sum}`, names }
  } catch (error) {
    return { id: undefined, signature: String((error as NodeJS.ErrnoException).code), names: 0 }
  }
}

/** FNV-1a. @see https://www.rfc-editor.org/rfc/rfc9923 */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}
