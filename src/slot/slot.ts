/**
 * A slot: plain data, written to a file at each transition and read back after a crash of the supervisor. The page of
 * states, with every pair of state and event, is docs/slots.md; `step` in step.ts implements it.
 *
 *   down      no process, and none desired
 *   starting  a spawn was requested (`child` null: its answer is pending), or the process is not ready yet
 *   up        the process is ready
 *   stopping  the process was asked to end, or its finish program runs
 *   backoff   the process died; the next start is at `startAtMs`
 *   parked    not started again until an operator does so
 *   done      a oneshot has succeeded: no process, and its effect remains
 *
 * Instants (`…AtMs`) are CLOCK_MONOTONIC milliseconds; they mean the same to the next supervisor of this boot.
 */
import type { SignalName } from '../system/signals.ts'
import type { Ending, NotRun } from './ending.ts'

/** Counts up over the container's life; never a pid. */
export type ChildId = number

export type { Ending }

export type SlotState = 'down' | 'starting' | 'up' | 'stopping' | 'backoff' | 'parked' | 'done'
export type Wanted = 'up' | 'down' | 'once'

/** The policy of one slot; durations in ms. */
export interface SlotPolicy {
  /** `oneshot`: success is its final state (`done`), and its finish program undoes it. */
  readonly kind: 'service' | 'job' | 'oneshot'
  readonly restart: 'always' | 'on-failure' | 'never'
  readonly restartDelay: { readonly firstMs: number; readonly maxMs: number }
  readonly forgetAfterMs: number
  /**
   * `alive`: ready after `readyAfterMs`. `announced`: by notification fd, log line or http; `startTimeoutMs` applies.
   */
  readonly readiness: 'alive' | 'announced'
  readonly readyAfterMs: number
  readonly startTimeoutMs: number
  /** Name of the setting for this limit, for messages. */
  readonly startTimeoutKey?: string
  readonly stopSignal: SignalName
  readonly stopTimeoutMs: number
  readonly giveUpAfter: { readonly deaths: number; readonly withinMs: number } | null
  /** Finish program after each death, and its time limit; absent: none. */
  readonly finish?: {
    readonly timeoutMs: number
    /** init runs it when the container stops; without this, it does not run then. */
    readonly atStop?: true
  }
}

/** A living process of the slot, as identified by init. */
export interface Child {
  readonly id: ChildId
  readonly pid: number
  readonly startTime: number
  readonly spawnedAtMs: number
}

/** An unrequested end of a process. `upMs`: how long it had been ready; absent: never. */
export interface DeathRecord {
  readonly atMs: number
  /** The same instant by the wall clock, only for display. */
  readonly wallMs: number
  readonly upMs?: number
  readonly ending: Ending
}

export interface Backoff {
  readonly startAtMs: number
  readonly reason: string
  /** The process could not even be started. */
  readonly unstarted?: true
  /** There was no program to run. */
  readonly notRun?: true
}

/** State that a slot takes when its process (and its finish program) is gone. */
export type Verdict =
  | { readonly to: 'down'; readonly reason?: string }
  /** `again`: counts as a restart. */
  | { readonly to: 'start'; readonly again: boolean }
  | ({ readonly to: 'backoff' } & Backoff)
  | { readonly to: 'parked'; readonly reason: string }
  | { readonly to: 'done' }

/** Facts of a slot in every state. */
export interface SlotFacts {
  readonly policy: SlotPolicy
  readonly wanted: Wanted
  /** Time at which `state` was entered. */
  readonly sinceMs: number
  /** Number of the last spawn request; 0: none yet. */
  readonly request: number
  /** The ends of all children up to this id have been handled: a report about one of them is a replay. */
  readonly lastChild: ChildId
  /** The k of the backoff rule; a long enough life and an operator's start reset it to 0. */
  readonly deathsInRow: number
  /** The last {@link MAX_DEATHS}, oldest first. */
  readonly deaths: readonly DeathRecord[]
  /** Time of the operator's last command: `giveUpAfter` counts no death before it. */
  readonly commandAtMs: number
  readonly restarts: number
  /** How the last process ended, requested or not. */
  readonly lastEnding?: {
    readonly atMs: number
    readonly wallMs: number
    readonly pid: number
    readonly ending: Ending
    /** It had been asked to end. */
    readonly asked?: true
  }
}

export type Slot = SlotFacts &
  (
    | { readonly state: 'down'; readonly reason?: string }
    /** `readyAtMs`: the process has reported readiness, although its `spawned` was lost with a supervisor. */
    | { readonly state: 'starting'; readonly child: Child | null; readonly readyAtMs?: number }
    | { readonly state: 'up'; readonly child: Child; readonly readyAtMs: number }
    | {
        readonly state: 'stopping'
        readonly child: Child | null
        /**
         * `asked`: by an operator. `halt`: the container stops, and init signals. `stray`: a process that should not
         * be up was found. `start-timeout`, `condemned`: stopped by the supervisor itself, so its end is a death.
         */
        readonly cause: 'asked' | 'halt' | 'start-timeout' | 'condemned' | 'stray' | 'finish'
        /** Why it was condemned, or is replaced. */
        readonly why?: string
        /** Time of KILL to the group; null: sent already, or init sends it. */
        readonly killAtMs: number | null
        /** Next state; absent: `wanted` decides. */
        readonly verdict?: Verdict
        /** A start after this counts as a restart. */
        readonly again: boolean
        /** It had been ready; kept for observers of the process until it is gone. */
        readonly readyAtMs?: number
      }
    | ({ readonly state: 'backoff' } & Backoff)
    | { readonly state: 'parked'; readonly reason: string }
    | { readonly state: 'done' }
  )

export type SlotEvent =
  /** A command of an operator (or the boot): start, stop, run once. */
  | { readonly type: 'want'; readonly wanted: Wanted }
  | { readonly type: 'restart' }
  /** Its process is up but must be replaced: it does not answer, or uses too much memory. */
  | { readonly type: 'condemned'; readonly child: ChildId; readonly why: string }
  /**
   * This process works but is to be replaced: it is old, or its files have changed. `child` may also be the last one,
   * during a backoff.
   */
  | { readonly type: 'outdated'; readonly child: ChildId; readonly why: string }
  /** The policy was read again. Deadlines are computed from the new one. */
  | { readonly type: 'configured'; readonly policy: SlotPolicy }
  | { readonly type: 'spawned'; readonly request: number; readonly child: Child }
  | { readonly type: 'spawn-failed'; readonly request: number; readonly error: string; readonly random: number }
  | { readonly type: 'ready'; readonly child: ChildId; readonly atMs: number }
  | {
      readonly type: 'exited'
      readonly child: ChildId
      readonly pid: number
      readonly ending: Ending
      readonly atMs: number
      readonly wallMs: number
      /** 0 ≤ random < 1: spreads the backoff. */
      readonly random: number
      /** Its last output, where it explains why a slot is parked. */
      readonly lastOutput?: string
      /** There was no program to run. */
      readonly notRun?: NotRun
    }
  /** `nowMs` may have reached {@link dueAt}. */
  | { readonly type: 'due' }
  /** A new supervisor learns from init that this child of the slot lives. */
  | { readonly type: 'adopted'; readonly child: Child; readonly readyAtMs?: number }
  /** A new supervisor has all of init's facts: the process of spawn request `request` does not live. */
  | { readonly type: 'gone'; readonly request: number; readonly random: number }
  /** The container stops: nothing is started any more, and init sends the signals. */
  | { readonly type: 'halt' }

export type Effect =
  /** Ask init for a process. `program`: the service itself, or its finish program after `ending`. */
  | { readonly type: 'spawn'; readonly request: number; readonly program: 'run' | 'finish' }
  /** `cont`: also send CONT, because a stopped process could not obey. */
  | {
      readonly type: 'signal'
      readonly child: ChildId
      readonly pid: number
      readonly signal: SignalName
      readonly target: 'process' | 'group'
      readonly cont: boolean
    }
  /**
   * The slot will not run again by itself: parked, ended for good, or a job's result. Not sent after an operator's
   * stop.
   */
  | { readonly type: 'ended'; readonly ending?: Ending; readonly reason: string }

export const MAX_DEATHS = 100

/** A new slot, without any command so far. */
export const newSlot = (policy: SlotPolicy, nowMs: number): Slot => ({
  state: 'down',
  policy,
  wanted: 'down',
  sinceMs: nowMs,
  request: 0,
  lastChild: 0,
  deathsInRow: 0,
  deaths: [],
  commandAtMs: nowMs,
  restarts: 0,
})

/** The slot's process, if a known one exists. */
export const childOf = (slot: Slot): Child | null =>
  slot.state === 'starting' || slot.state === 'up' || slot.state === 'stopping' ? slot.child : null

/** Its start is requested and not reported yet: the report follows within milliseconds. */
export const isInFlight = (slot: Slot): boolean => slot.state === 'starting' && slot.child === null

/** The supervisor itself has ended the process, without an operator's command. */
export const isOwnJudgement = (slot: Slot): boolean =>
  slot.state === 'stopping' && (slot.cause === 'start-timeout' || slot.cause === 'condemned')

/** A process lives in the slot, or is being started. */
export const isOccupied = (slot: Slot): boolean =>
  slot.state === 'starting' || slot.state === 'up' || slot.state === 'stopping'

/**
 * Time at which the slot needs a `due` event.
 * @returns null: not until something else happens
 */
export function dueAt(slot: Slot): number | null {
  switch (slot.state) {
    case 'starting': {
      if (slot.child === null) return null
      const { readiness, readyAfterMs, startTimeoutMs } = slot.policy
      return slot.child.spawnedAtMs + (readiness === 'alive' ? readyAfterMs : startTimeoutMs)
    }
    case 'stopping':
      return slot.killAtMs
    case 'backoff':
      return slot.startAtMs
    case 'down':
    case 'up':
    case 'parked':
    case 'done':
      return null
  }
}
