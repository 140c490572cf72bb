/**
 * What a slot is: plain data that is written to a file at each transition and read back after a crash of the supervisor.
 * The page of states, with every state × event pair, is docs/slots.md; `step` in step.ts is that page as code.
 *
 *   down      no process, none wanted
 *   starting  a spawn was asked for (`child` null: its answer is still on the way), or the process is not ready yet
 *   up        the process is ready
 *   stopping  the process was told to end, or its finish program runs
 *   backoff   the process died; the next start is at `startAtMs`
 *   parked    not started again until an operator says so
 *   done      a oneshot has succeeded: no process, and what it did stands
 *
 * Instants (`…AtMs`) are CLOCK_MONOTONIC milliseconds; they mean the same in the next supervisor of this boot.
 */
import type { SignalName } from '../system/signals.ts'
import type { Ending, NotRun } from './ending.ts'

/** Counts up over a container's life and is never a pid. */
export type ChildId = number

export type { Ending }

export type SlotState = 'down' | 'starting' | 'up' | 'stopping' | 'backoff' | 'parked' | 'done'
export type Wanted = 'up' | 'down' | 'once'

/** The rules of one slot; durations in ms. */
export interface SlotPolicy {
  /** `oneshot`: a success is where it stays (`done`), and its finish program is what undoes it. */
  readonly kind: 'service' | 'job' | 'oneshot'
  readonly restart: 'always' | 'on-failure' | 'never'
  readonly restartDelay: { readonly firstMs: number; readonly maxMs: number }
  readonly forgetAfterMs: number
  /** `alive`: ready after `readyAfterMs`. `announced`: by notification fd, log line or http; `startTimeoutMs` applies. */
  readonly readiness: 'alive' | 'announced'
  readonly readyAfterMs: number
  readonly startTimeoutMs: number
  /** The setting that says so, for people. */
  readonly startTimeoutKey?: string
  readonly stopSignal: SignalName
  readonly stopTimeoutMs: number
  readonly giveUpAfter: { readonly deaths: number; readonly withinMs: number } | null
  /** A finish program runs after each death, and may take so long; absent: there is none. */
  readonly finish?: {
    readonly timeoutMs: number
    /** init runs it when the container stops; else nobody does. */
    readonly atStop?: true
  }
}

/** A living process of the slot, as init names it. */
export interface Child {
  readonly id: ChildId
  readonly pid: number
  readonly startTime: number
  readonly spawnedAtMs: number
}

/** An end that nobody asked for. `upMs`: how long it had been ready; absent: it never was. */
export interface DeathRecord {
  readonly atMs: number
  /** The same instant by the wall clock, for display only. */
  readonly wallMs: number
  readonly upMs?: number
  readonly ending: Ending
}

export interface Backoff {
  readonly startAtMs: number
  readonly reason: string
  /** There was not even a process that could have died. */
  readonly unstarted?: true
  /** There was no program to run. */
  readonly notRun?: true
}

/** Where a slot goes when its process (and its finish program) is gone. */
export type Verdict =
  | { readonly to: 'down'; readonly reason?: string }
  /** `again`: counts as a restart. */
  | { readonly to: 'start'; readonly again: boolean }
  | ({ readonly to: 'backoff' } & Backoff)
  | { readonly to: 'parked'; readonly reason: string }
  | { readonly to: 'done' }

/** What is true of a slot in every state. */
export interface SlotFacts {
  readonly policy: SlotPolicy
  readonly wanted: Wanted
  /** When `state` was entered. */
  readonly sinceMs: number
  /** Number of the last spawn asked for; 0: none yet. */
  readonly request: number
  /** The end of every child up to this id has been dealt with: a report about one of them is a replay. */
  readonly lastChild: ChildId
  /** The k of the backoff rule; a long enough life and an operator's start set it to 0. */
  readonly deathsInRow: number
  /** The last {@link MAX_DEATHS}, oldest first. */
  readonly deaths: readonly DeathRecord[]
  /** The operator's last word: `giveUpAfter` counts no death before it. */
  readonly wordAtMs: number
  readonly restarts: number
  /** How the last process ended, asked for or not. */
  readonly lastEnding?: {
    readonly atMs: number
    readonly wallMs: number
    readonly pid: number
    readonly ending: Ending
    /** It had been told to end. */
    readonly asked?: true
  }
}

export type Slot = SlotFacts &
  (
    | { readonly state: 'down'; readonly reason?: string }
    /** `readyAtMs`: a process whose `spawned` was lost with a supervisor has been heard to be ready. */
    | { readonly state: 'starting'; readonly child: Child | null; readonly readyAtMs?: number }
    | { readonly state: 'up'; readonly child: Child; readonly readyAtMs: number }
    | {
        readonly state: 'stopping'
        readonly child: Child | null
        /**
         * `asked`: by an operator. `halt`: the container stops, init signals. `stray`: a process that is not wanted was found.
         * `start-timeout`, `condemned`: by the supervisor's own judgement, so its end is a death.
         */
        readonly cause: 'asked' | 'halt' | 'start-timeout' | 'condemned' | 'stray' | 'finish'
        /** Why it was condemned. */
        readonly why?: string
        /** KILL to the group then; null: sent, or not ours to send. */
        readonly killAtMs: number | null
        /** Where to go then; absent: `wanted` decides. */
        readonly verdict?: Verdict
        /** A start after this counts as a restart. */
        readonly again: boolean
        /** It had been ready; for those who are told about its process until it is gone. */
        readonly readyAtMs?: number
      }
    | ({ readonly state: 'backoff' } & Backoff)
    | { readonly state: 'parked'; readonly reason: string }
    | { readonly state: 'done' }
  )

export type SlotEvent =
  /** An operator's word (or the boot's): start, stop, run once. */
  | { readonly type: 'want'; readonly wanted: Wanted }
  | { readonly type: 'restart' }
  /** Its process is up and must not stay: it does not answer, or holds too much memory. */
  | { readonly type: 'condemned'; readonly child: ChildId; readonly why: string }
  /** The rules were read again. Deadlines are reckoned from the new ones. */
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
      /** Its last words, where they explain a slot that is parked. */
      readonly said?: string
      /** There was no program to run. */
      readonly notRun?: NotRun
    }
  /** `nowMs` may have reached {@link dueAt}. */
  | { readonly type: 'due' }
  /** A new supervisor learns from init that this child of the slot lives. */
  | { readonly type: 'adopted'; readonly child: Child; readonly readyAtMs?: number }
  /** A new supervisor has heard everything init knows: what request `request` was to start does not live. */
  | { readonly type: 'gone'; readonly request: number; readonly random: number }
  /** The container stops: nothing is started any more, and init does the signalling. */
  | { readonly type: 'halt' }

export type Effect =
  /** Ask init for a process. `program`: the service itself, or its finish program after `ending`. */
  | { readonly type: 'spawn'; readonly request: number; readonly program: 'run' | 'finish' }
  /** `cont`: follow it by CONT if the process is stopped, or it could not obey. */
  | {
      readonly type: 'signal'
      readonly child: ChildId
      readonly pid: number
      readonly signal: SignalName
      readonly target: 'process' | 'group'
      readonly cont: boolean
    }
  /** It will not run again by itself: parked, ended for good, or a job's result. Not after an operator's stop. */
  | { readonly type: 'ended'; readonly ending?: Ending; readonly reason: string }

export const MAX_DEATHS = 100

/** A slot nobody has asked anything of yet. */
export const newSlot = (policy: SlotPolicy, nowMs: number): Slot => ({
  state: 'down',
  policy,
  wanted: 'down',
  sinceMs: nowMs,
  request: 0,
  lastChild: 0,
  deathsInRow: 0,
  deaths: [],
  wordAtMs: nowMs,
  restarts: 0,
})

/** The slot's process, if it has one that we know of. */
export const childOf = (slot: Slot): Child | null =>
  slot.state === 'starting' || slot.state === 'up' || slot.state === 'stopping' ? slot.child : null

/** The supervisor itself has ended the process: nothing that an operator said. */
export const isOwnJudgement = (slot: Slot): boolean =>
  slot.state === 'stopping' && (slot.cause === 'start-timeout' || slot.cause === 'condemned')

/** A process lives in the slot, or one is on its way. */
export const isOccupied = (slot: Slot): boolean =>
  slot.state === 'starting' || slot.state === 'up' || slot.state === 'stopping'

/**
 * When the slot wants a `due` event.
 * @returns null: never, until something else happens
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
