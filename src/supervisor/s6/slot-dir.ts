import { chmodSync, existsSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { isSlotKey } from '../../protocol/init.ts'
import { DEATH_BYTES, encodeStatus, type ServiceStatus, tallyDeath } from '../../protocol/s6.ts'
import type { Ending } from '../../slot/ending.ts'
import type { Clock } from '../../system/clock.ts'
import { replaceFileSync } from '../../system/files/replace-file.ts'
import { readSmallBytes, readSmallFile } from '../../system/files/small-file.ts'
import { below } from '../../system/paths.ts'
import { encodeBytes } from '../../system/text/byte-text.ts'
import type { ControlNative } from './control-fifo.ts'
import { SlotControls } from './slot-controls.ts'
import { buildSlotDir, type SlotDirShape, sameShape, updateSlotDir } from './slot-dir-files.ts'
import { type Event, notifySubscribers } from './supervise-dir.ts'

export type { ServiceStatus } from '../../protocol/s6.ts'
export type { SlotDirShape } from './slot-dir-files.ts'

export interface SlotDirsOptions {
  /** The scan directory. */
  readonly dir: string
  readonly native: ControlNative
  readonly clock: Clock
  readonly warn: (text: string) => void
  /** One control command of s6-svc, in the order written; unknown ones too. */
  readonly command: (slot: string, command: string) => void
  /** Notifies listeners that only init may notify. */
  readonly notifyOthers: (slot: string, events: string) => void
}

interface Entry {
  shape: SlotDirShape
  status?: ServiceStatus
  /** A failure was reported. */
  warned: boolean
}

/** Number of deaths that are kept without a file `max-death-tally`, and the maximum it can request; both as in s6. */
const DEATHS = 100
const MOST_DEATHS = 4096
/** Maximum that init accepts at once. */
const MAX_EVENTS = 1000

/**
 * Slot directories in s6's layout. Nothing here throws but `writeRun`: what fails is reported once per slot, and the
 * slot works on.
 */
export class SlotDirs {
  readonly #options: SlotDirsOptions
  readonly #entries = new Map<string, Entry>()
  readonly #controls: SlotControls

  constructor(options: SlotDirsOptions) {
    this.#options = options
    this.#controls = new SlotControls({
      ...options,
      attempt: (slot, act) => this.#attempt(slot, act),
      opened: (slot) => this.#notify(slot, [{ code: 's' }]),
    })
  }

  /**
   * Makes the directory, or brings the one there is up to date. Cheap when nothing changed. Lock and control FIFO
   * follow on a later turn.
   */
  ensure(slot: string, shape: SlotDirShape): void {
    const entry = this.#entries.get(slot)
    if (entry !== undefined && sameShape(entry.shape, shape)) return
    const next: Entry = entry ?? { shape, warned: false }
    this.#entries.set(slot, next)
    this.#attempt(slot, () => {
      if (existsSync(below(this.#dir(slot), 'type'))) updateSlotDir(this.#dir(slot), shape, entry?.shape)
      else this.#build(slot, shape)
      next.shape = shape
    })
    this.#controls.openSoon(slot)
  }

  /**
   * Opens lock and control FIFO now, unless they are open: for a program that is about to start, which may ask at once
   * whether its slot is supervised, or write a command. s6-supervise opens them before the first start, too.
   */
  openNow(slot: string): void {
    this.#controls.openNow(slot)
  }

  /** @throws the error of the file system: without it the slot cannot start */
  writeRun(slot: string, script: string): void {
    this.#orRebuild(slot, () => replaceFileSync(below(this.#dir(slot), 'run'), encodeBytes(script), { mode: 0o700 }))
  }

  /**
   * Writes the status, then sends subscribers the events that led to it: a client that subscribes and then reads
   * misses nothing.
   * @param events events since the last status, in order
   */
  writeStatus(slot: string, status: ServiceStatus, events: readonly Event[]): void {
    const entry = this.#entries.get(slot)
    if (entry === undefined) return
    entry.status = status
    this.#attempt(slot, () => {
      const file = below(this.#dir(slot), 'supervise', 'status')
      this.#orRebuild(slot, () => replaceFileSync(file, encodeStatus(status), { mode: 0o644 }))
      if (events.length > 0) this.#notify(slot, events)
    })
  }

  /** Whether a tool waits for events of the slot, or an earlier one has left its FIFO behind. */
  hasSubscribers(slot: string): boolean {
    try {
      return readdirSync(below(this.#dir(slot), 'event')).length > 0
    } catch {
      return true // Unknown: writeStatus reports the reason.
    }
  }

  /**
   * Obeys the commands in the slot's control FIFO out of turn, at most a hundred. s6-supervise reads that FIFO before
   * each start, so that a command which a program gave before it ended (`s6-svc -O .` in `finish`) counts for the next
   * start. Here the report of the end comes through init, and may come first.
   */
  obeyWritten(slot: string): void {
    this.#controls.obeyWritten(slot)
  }

  /** Adds to `supervise/death_tally`, which s6-svdt and s6-permafailon read. @param atMs Unix ms */
  recordDeath(slot: string, ending: Ending, atMs: number): void {
    this.#attempt(slot, () => {
      const file = below(this.#dir(slot), 'supervise', 'death_tally')
      // Content that is not a valid tally is replaced by a new one.
      const { bytes: tally } = readSmallBytes(file, MOST_DEATHS * DEATH_BYTES)
      const next = tallyDeath(tally ?? Buffer.alloc(0), ending, atMs, this.#deathsKept(slot))
      replaceFileSync(file, next, { mode: 0o644 })
    })
  }

  /**
   * Notifies subscribers that the slot is gone and removes the directory, even one that another supervisor has made.
   * @param events events that no status shows any more
   */
  remove(slot: string, events: readonly Event[] = []): void {
    this.#notifyOfEnd(slot, events)
    this.#controls.remove(slot)
    this.#attempt(slot, () => {
      // Renamed first, so that a partial slot directory is never visible.
      const scratch = below(this.#options.dir, `.${slot}.old`)
      rmSync(scratch, { recursive: true, force: true })
      if (existsSync(this.#dir(slot))) renameSync(this.#dir(slot), scratch)
      rmSync(scratch, { recursive: true, force: true })
    })
    this.#entries.delete(slot)
  }

  /** Existing slot directories, no matter which process made them; [] if the scan directory is missing. */
  list(): string[] {
    try {
      const entries = readdirSync(this.#options.dir, { withFileTypes: true })
      return entries.filter((entry) => entry.isDirectory() && isSlotKey(entry.name)).map((entry) => entry.name)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#options.warn(`${this.#options.dir}: ${String(error)}`)
      return []
    }
  }

  /**
   * Notifies subscribers that supervision has ended, and closes every descriptor; the directories stay for the next
   * supervisor.
   */
  close(): void {
    for (const slot of this.#entries.keys()) this.#notifyOfEnd(slot, [])
    this.#controls.close()
    this.#entries.clear()
  }

  #notifyOfEnd(slot: string, events: readonly Event[]): void {
    this.#attempt(slot, () => {
      if (existsSync(below(this.#dir(slot), 'event'))) this.#notify(slot, [...events, { code: 'x' }])
    })
  }

  #notify(slot: string, events: readonly Event[]): void {
    const { clock, notifyOthers } = this.#options
    const forOthers = notifySubscribers(below(this.#dir(slot), 'event'), events, clock.wallMs())
    if (forOthers !== '') notifyOthers(slot, forOthers.slice(0, MAX_EVENTS))
  }

  /** A file that does not hold such a number counts as none, as in s6. */
  #deathsKept(slot: string): number {
    const { text } = readSmallFile(below(this.#dir(slot), 'max-death-tally'), 16)
    return text !== undefined && /^\d+(\n|$)/.test(text) ? Math.min(Number.parseInt(text, 10), MOST_DEATHS) : DEATHS
  }

  #dir(slot: string): string {
    return below(this.#options.dir, slot)
  }

  #build(slot: string, shape: SlotDirShape): void {
    const { dir, clock } = this.#options
    const status = this.#entries.get(slot)?.status
    buildSlotDir(this.#dir(slot), below(dir, `.${slot}.new`), shape, status ?? neverStarted(shape, clock.wallMs()))
  }

  /**
   * Another process of the runtime user may have removed the directory or taken its mode away: neither `rm -rf
   * /run/service/*` nor `chmod 0 /run/service` must keep a gateway from starting.
   */
  #orRebuild(slot: string, act: () => void): void {
    try {
      act()
    } catch (error) {
      const entry = this.#entries.get(slot)
      const code = (error as NodeJS.ErrnoException).code
      if (entry === undefined || !['ENOENT', 'ENOTDIR', 'EACCES'].includes(code ?? '')) throw error
      if (code === 'EACCES') this.#openUp(slot)
      else {
        this.#build(slot, entry.shape)
        this.#controls.reopen(slot)
      }
      act()
    }
  }

  /** From the outside in. @throws if one of them is not ours, or missing */
  #openUp(slot: string): void {
    for (const [dir, mode] of [
      [this.#options.dir, 0o755],
      [this.#dir(slot), 0o755],
      [below(this.#dir(slot), 'supervise'), 0o700],
    ] as const)
      chmodSync(dir, mode)
  }

  #attempt(slot: string, act: () => void): void {
    const entry = this.#entries.get(slot)
    try {
      act()
      if (entry !== undefined) entry.warned = false
    } catch (error) {
      if (entry?.warned) return
      if (entry !== undefined) entry.warned = true
      this.#options.warn(
        `${this.#dir(slot)}: ${(error as Error).message}; the slot works, s6's commands may not see it as it is`,
      )
    }
  }
}

const neverStarted = (shape: SlotDirShape, atMs: number): ServiceStatus => ({
  pid: null,
  finishing: false,
  ready: true,
  wantedUp: shape.normallyUp,
  paused: false,
  changedAtMs: atMs,
  readyAtMs: atMs,
})
