import type { Journal } from '../../log/io/journal.ts'
import type { JobSpec } from '../../protocol/control.ts'
import type { ToInit } from '../../protocol/init.ts'
import { rediscoveredSlot } from '../../slot/moves.ts'
import { type Effect, isOccupied, newSlot, type Slot, type SlotEvent } from '../../slot/slot.ts'
import { step } from '../../slot/step.ts'
import type { Clock } from '../../system/clock.ts'
import type { DirId } from '../../system/files/dir-id.ts'
import type { Kernel } from '../../system/native/child-ending.ts'
import { isStopped } from '../../system/programs/proc.ts'
import type { HealthReport } from '../checks/liveness.ts'
import type { Launch } from '../launch/launch.ts'
import type { Launcher } from '../launch/launcher.ts'
import type { SlotDirs } from '../s6/slot-dir.ts'
import type { SlotEntry, SlotObserver } from './entry.ts'
import type { SlotLogs } from './logs.ts'
import { SlotMonitor, type SlotMonitorOptions } from './monitor.ts'
import { SerialQueue } from './serial-queue.ts'
import { SlotStarts } from './starts.ts'
import type { StateStore } from './state-store.ts'
import { parseSlot, type StoredSlot, saveSlot } from './store.ts'

export interface SlotTableOptions {
  /** Reports how the command of a check ended. */
  readonly kernel?: Kernel
  /** The container's main program is what this slot would run: nothing starts it. */
  readonly heldSlot?: string | undefined
  readonly clock: Clock
  readonly send: (message: ToInit) => void
  readonly stateStore: Pick<StateStore, 'keep'>
  /** Parts that a run of a slot needs: its script, its directory, its log. */
  readonly runs: SlotRuns
  /** An unexpected exception is logged there; the slot stays unchanged and the others continue. */
  readonly journal: Pick<Journal, 'info' | 'warn' | 'error'>
  readonly openRequests: SlotMonitorOptions['openRequests']
  /** 0 ≤ n < 1 */
  readonly random: () => number
  /** The event is a start that has to wait: nothing happens now. Called at each event: it may refer to the table. */
  readonly holds?: (entry: SlotEntry, event: SlotEvent) => boolean
  /** Called at each event: it refers to the table itself. */
  readonly observer: () => SlotObserver
}

export interface SlotRuns {
  readonly launcher: Launcher
  readonly dirs: Pick<SlotDirs, 'ensure' | 'openNow' | 'writeRun'>
  readonly logs: SlotLogs
}

interface Working {
  key: string
  slot: Slot
  launch: Launch
  sinceWallMs: number
  normallyUp: boolean
  job?: JobSpec
  startedIn?: DirId
  removing: boolean
}

type Perform = {
  readonly [K in Effect['type']]: (working: Working, effect: Extract<Effect, { readonly type: K }>) => void
}

/** Events after which a slot may start: its files are read again first. */
const MAY_START: ReadonlySet<SlotEvent['type']> = new Set(['want', 'restart', 'due', 'exited', 'spawn-failed'])

/** The slots at work: feeds events to the state machine, stores the state, performs the effects. */
export class SlotTable {
  readonly #options: SlotTableOptions
  readonly #slots = new Map<string, Working>()
  readonly #steps: SerialQueue
  readonly #perform: Perform
  readonly #monitor: SlotMonitor
  readonly #starts: SlotStarts
  #reportedHeld = false
  /** A new slot that is being started with the rules that it was made with. */
  #justRead: Working | undefined

  constructor(options: SlotTableOptions) {
    this.#options = options
    this.#steps = new SerialQueue((error) =>
      options.journal.error(`a bug: ${error instanceof Error ? error.stack : String(error)}`),
    )
    const perform = {
      spawn: (working, effect) => this.#spawn(working, effect),
      signal: (_working, { child, pid, signal, target, cont }) => {
        options.send({ type: 'signal', child, signal, target })
        if (cont && isStopped(pid)) options.send({ type: 'signal', child, signal: 'CONT', target: 'process' })
      },
      ended: (working, effect) => options.observer().ended(working, effect),
    } satisfies Perform
    this.#perform = perform
    const { clock, kernel, runs, send, openRequests, journal } = options
    this.#starts = new SlotStarts({ ...runs, send })
    this.#monitor = new SlotMonitor({
      clock,
      kernel,
      log: (level, text) => journal[level](text),
      openRequests,
      launcher: runs.launcher,
      dispatch: (key, event) => this.dispatch(key, event),
    })
  }

  /** By name, including `gateway-default`. */
  entries(): readonly SlotEntry[] {
    return [...this.#slots.values()]
  }

  get(key: string): SlotEntry | undefined {
    return this.#slots.get(key)
  }

  /**
   * Makes a slot; nothing happens if it is there already.
   * @param start wanted up, or once for a job; else it is down
   */
  register(key: string, start = false, job?: JobSpec): SlotEntry {
    const known = this.#slots.get(key)
    if (known !== undefined) return known
    const { clock, runs } = this.#options
    const { launcher } = runs
    const launch = launcher.launch(key, job)
    const slot = newSlot(launch.policy, clock.nowMs())
    const working = this.#add(key, {
      slot,
      launch,
      sinceWallMs: clock.wallMs(),
      normallyUp: start && job === undefined,
      ...(job && { job }),
    })
    if (start) {
      this.#justRead = working
      this.dispatch(key, { type: 'want', wanted: job === undefined ? 'up' : 'once' })
      this.#justRead = undefined
      // Its start may have to wait for others: it is there, and down.
      if (working.slot !== slot) return working
    }
    this.#save(working)
    this.#starts.prepare(working)
    this.#options.observer().registered(working)
    return working
  }

  /** Sets whether it starts with the container; does not start or stop it now. */
  setNormallyUp(key: string, normallyUp: boolean): void {
    const working = this.#slots.get(key)
    if (working === undefined || working.normallyUp === normallyUp) return
    working.normallyUp = normallyUp
    this.#save(working)
    this.#starts.prepare(working)
  }

  /** Removes the slot as soon as its process is gone; the process is stopped. */
  remove(key: string): void {
    const working = this.#slots.get(key)
    if (working === undefined) return
    working.removing = true
    this.dispatch(key, { type: 'want', wanted: 'down' })
    this.#removeIfGone(working)
  }

  /** Every event of a slot goes through here, one after the other: what an effect or an observer causes comes next. */
  dispatch(key: string, event: SlotEvent): void {
    if (key === this.#options.heldSlot && asksForStart(event)) {
      // A loop of `s6-svc -u` is not a flood of lines.
      if (!this.#reportedHeld)
        this.#options.journal.warn(`${key} is not started: the container's main program is this gateway`)
      this.#reportedHeld = true
      return
    }
    this.#steps.run(() => {
      const working = this.#slots.get(key)
      if (working !== undefined) this.#happen(working, event)
    })
  }

  /**
   * Restores a slot from an earlier supervisor of this life, before `welcome`.
   * @throws Error if the text is not the state of a slot; there is then no slot
   */
  restore(key: string, text: string): SlotEntry {
    const stored = parseSlot(text)
    return this.#add(key, { ...stored, launch: stored.launch ?? this.#options.runs.launcher.launch(key, stored.job) })
  }

  /** The restored state is unusable: as if the slot had never existed. */
  unrestore(key: string): void {
    this.#slots.delete(key)
  }

  /**
   * A process of it lives, but its file is lost. A profile's slot lives on; one that cannot be named any more (a job)
   * is stopped and forgotten.
   */
  rediscover(key: string): void {
    const { clock, runs } = this.#options
    const { launcher } = runs
    const launch = launcher.launch(key)
    const known = launcher.isKnown(key)
    const slot = known ? rediscoveredSlot(launch.policy, clock.nowMs()) : newSlot(launch.policy, clock.nowMs())
    this.#add(key, { slot, launch, sinceWallMs: clock.wallMs(), normallyUp: known }).removing = !known
  }

  /** Reads the lines of the slot. @param continued a process of it may have written before we came */
  openLog(key: string, continued: boolean): void {
    const working = this.#slots.get(key)
    if (working === undefined) return
    const place = this.#options.runs.launcher.logPlace(key, working.job)
    this.#options.runs.logs.open(key, place, continued, (lines) => this.#monitor.lines(key, lines))
  }

  /** Whether its process works, as far as that is watched. */
  health(key: string): HealthReport | undefined {
    return this.#monitor.health(key)
  }

  /** Names of the secrets that its start waits for; undefined: it does not. */
  awaitedSecrets(key: string): readonly string[] | undefined {
    return this.#monitor.awaitedSecrets(key)
  }

  /** Sets the alarm and the watcher that the slot's state requires, if no event has done so. */
  attend(key: string): void {
    const working = this.#slots.get(key)
    if (working !== undefined) this.#monitor.follow(working)
  }

  // ---- one event ----

  #happen(working: Working, event: SlotEvent): void {
    const { clock } = this.#options
    if (MAY_START.has(event.type)) this.#configure(working)
    if (this.#options.holds?.(working, event)) return
    const before = working.slot
    const [after, ...effects] = step(before, event, clock.nowMs())
    if (after !== before) {
      working.slot = after
      if (after.state !== before.state) working.sinceWallMs = clock.wallMs()
      if (effects.some(({ type }) => type === 'spawn')) this.#noteDirectory(working)
      if (!isReportedToNextSupervisor(event, after)) this.#save(working)
    }
    // Also without a change: the policy may have changed, and an alarm for the old one is set again.
    this.#monitor.follow(working)
    for (const effect of effects) this.#do(working, effect)
    if (after !== before) this.#options.observer().changed({ entry: working, before, event })
    this.#removeIfGone(working)
  }

  #noteDirectory(working: Working): void {
    const dir = this.#options.runs.launcher.directory(working.key)
    if (dir === undefined) delete working.startedIn
    else working.startedIn = dir
  }

  #do<E extends Effect>(working: Working, effect: E): void {
    // The table has an entry for each type; TypeScript cannot see that it is the entry of this one.
    const perform = this.#perform[effect.type] as (working: Working, effect: Effect) => void
    perform(working, effect)
  }

  /** Never throws: an event must not be lost because a file could not be read. The slot then keeps its policy. */
  #configure(working: Working): void {
    if (working === this.#justRead) return
    let launch: Launch
    try {
      launch = this.#options.runs.launcher.launch(working.key, working.job)
    } catch (error) {
      this.#options.journal.warn(
        `${working.key} keeps the rules it had, the new ones cannot be read: ${(error as Error).message}`,
      )
      return
    }
    if (JSON.stringify(launch) === JSON.stringify(working.launch)) return
    working.launch = launch
    // Not dispatched: it is part of the following event, and is written with it.
    working.slot = step(working.slot, { type: 'configured', policy: launch.policy }, this.#options.clock.nowMs())[0]
  }

  #spawn(working: Working, { request, program }: Extract<Effect, { type: 'spawn' }>): void {
    const { key } = working
    if (program === 'finish') this.#options.observer().finishing(working)
    try {
      this.#starts.ask(working, request, program)
    } catch (error) {
      // ENOSPC in the run directory, or an argument that cannot be passed to a shell. init was not asked.
      this.dispatch(key, {
        type: 'spawn-failed',
        request,
        error: (error as Error).message,
        random: this.#options.random(),
      })
    }
  }

  /**
   * Updates the slot's directory from its policy and its stored desired state; takes it over after a supervisor's
   * start.
   */
  describe(key: string): void {
    const working = this.#slots.get(key)
    if (working !== undefined) this.#starts.prepare(working)
  }

  #save({ key, slot, launch, sinceWallMs, normallyUp, job, startedIn }: Working): void {
    const optional = { ...(job && { job }), ...(startedIn && { startedIn }) }
    saveSlot(this.#options.stateStore, key, { slot, launch, sinceWallMs, normallyUp, ...optional })
  }

  #add(key: string, stored: StoredSlot & { readonly launch: Launch }): Working {
    const working: Working = { ...stored, key, removing: false }
    this.#slots.set(key, working)
    return working
  }

  #removeIfGone(working: Working): void {
    const { key } = working
    if (!working.removing || isOccupied(working.slot) || this.#slots.get(key) !== working) return
    this.#monitor.forget(key)
    this.#slots.delete(key)
    this.#options.runs.logs.close(key)
    this.#options.runs.launcher.forget(key)
    this.#options.send({ type: 'forget', slot: key })
    this.#options.observer().removed(working)
  }
}

const asksForStart = (event: SlotEvent): boolean =>
  event.type === 'restart' || (event.type === 'want' && event.wanted !== 'down')

/**
 * The requested process exists: init will report everything new about the slot to the next supervisor anyway, and the
 * event has no effects, so a boot of many slots saves one file each.
 */
const isReportedToNextSupervisor = (event: SlotEvent, after: Slot): boolean =>
  event.type === 'spawned' && after.state === 'starting'
