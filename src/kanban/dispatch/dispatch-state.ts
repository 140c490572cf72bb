/**
 * State of a board's ticks, kept in a small file between them, so that the board itself changes only when the work
 * does.
 */

import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock } from '../../system/clock.ts'
import { unlessCode } from '../../system/error-code.ts'
import { makeDirectory } from '../../system/files/directory.ts'
import { replaceFileSync } from '../../system/files/replace-file.ts'
import { readSmallFile } from '../../system/files/small-file.ts'
import { instantText } from '../../system/instant.ts'
import type { DispatchReport } from '../report.ts'
import { CLAIM_TTL_MS } from '../running.ts'
import { dispatchStateFile } from '../store/places.ts'

export interface DispatchState {
  /** Time of the last tick that was not a dry run. */
  readonly atMs: number
  readonly host: string
  readonly pid: number
  /**
   * Which boot of the machine, and wall clock minus monotonic clock at that tick: a jump of one against the other is
   * seen.
   */
  readonly boot: string
  readonly offsetMs: number
  /** Before this time, nothing counts as stale or expired; wall clock. */
  readonly graceUntilMs: number
  readonly report: DispatchReport | null
  readonly busy: boolean
  readonly starvedTicks: number
  readonly lastError: string | null
}

/** Clocks that were set by less are adjusted, not jumping. */
const JUMP_MS = 60_000
const MAX_STATE_BYTES = 10_000_000

/** Reads the state; undefined if there was no tick yet, or the file is not ours. */
export function readDispatchState(home: string, slug: string): DispatchState | undefined {
  const { text } = readSmallFile(dispatchStateFile(home, slug), MAX_STATE_BYTES)
  if (text === undefined) return undefined
  try {
    const value = JSON.parse(text) as Partial<DispatchState> | null
    return instantText(value?.atMs) !== undefined &&
      typeof value?.offsetMs === 'number' &&
      typeof value.graceUntilMs === 'number'
      ? (value as DispatchState)
      : undefined
  } catch {
    // A torn or foreign file is ignored; the next tick replaces it.
    return undefined
  }
}

export interface StatePlace {
  readonly home: string
  readonly board: { readonly place: { readonly slug: string } }
  readonly warn: (text: string) => void
}

/** Best kept, not worth a tick: what was started was started, whether this can be written or not. */
export function keepDispatchState({ home, board, warn }: StatePlace, state: DispatchState): void {
  const { slug } = board.place
  const file = dispatchStateFile(home, slug)
  try {
    makeDirectory(dirname(file), 0o700)
    replaceFileSync(file, `${JSON.stringify(state)}\n`, { mode: 0o600 })
  } catch (error) {
    warn(`the state of the dispatch of board ${slug} cannot be kept: ${(error as Error).message}`)
  }
}

export interface ClockReading {
  readonly boot: string
  readonly offsetMs: number
  readonly graceUntilMs: number
  /** The wall clock jumped (suspend, or set by hand) within the last TTL. */
  readonly afterJump: boolean
}

/**
 * Not read from a place that others can write, but from a kernel file, which {@link readSmallFile} refuses. '': this
 * kernel has no such file.
 */
const bootId = (): string =>
  unlessCode(['ENOENT'], () => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(), '')

/** Compares the clocks with those of the last tick. */
export function readClocks(clock: Clock, last: DispatchState | undefined): ClockReading {
  const boot = bootId()
  const wallMs = clock.wallMs()
  const offsetMs = Math.round(wallMs - clock.nowMs())
  const jumped = last !== undefined && last.boot === boot && Math.abs(offsetMs - last.offsetMs) > JUMP_MS
  const known = last?.graceUntilMs ?? 0
  const graceUntilMs = jumped ? wallMs + CLAIM_TTL_MS : known - wallMs > CLAIM_TTL_MS ? 0 : known
  return { boot, offsetMs, graceUntilMs, afterJump: wallMs < graceUntilMs }
}
