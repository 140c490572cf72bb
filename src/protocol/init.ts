/**
 * The protocol between init (mechanism, root) and the supervisor (policy, the runtime user): newline-delimited JSON
 * over one inherited socket pair. init treats the supervisor as hostile, so a request carries a slot key and a few
 * range-checked scalars, never a path, an argument, a uid or an environment. Both sides import this file.
 *
 * Instants (`…AtMs`) are milliseconds of the clock that both processes share (src/system/clock.ts).
 */

import type { Ending } from '../slot/ending.ts'
import type { ChildId } from '../slot/slot.ts'
import type { Frozen } from '../system/clock.ts'
import { isSignal, type SignalName } from '../system/signals.ts'

export const INIT_PROTOCOL_VERSION = 1
/** Longest line either side accepts. The longest honest one, `welcome` with 4,096 children, stays below. */
export const MAX_LINE_BYTES = 1_000_000
/** init refuses to hold more living children than this. */
export const MAX_CHILDREN = 4096
/** Sequenced events init keeps for a supervisor that does not acknowledge; beyond it refuses to spawn. */
export const MAX_UNACKNOWLEDGED = 10_000
export const MAX_NOTIFICATION_FD = 63
/**
 * Limits for data that a supervisor leaves with init: number of texts, and total bytes. A slot's state takes 1 to 15
 * KB.
 */
export const MAX_KEPT = 20_000
export const MAX_KEPT_BYTES = 64_000_000
/**
 * Data that a supervisor leaves with init besides the states of its slots. The leading dot cannot occur in a slot's
 * name.
 */
export const KEPT_MEMORIES = ['.booted', '.reconcile', '.schedules', '.services', '.waiting', '.node-lease'] as const
/** A slot key, or one of {@link KEPT_MEMORIES}. */
export type KeptName = string
/** The longest time that a setting may name: what the settings take, init takes. */
export const LONGEST_MS = 366 * 86_400_000

export interface ChildFacts {
  readonly child: ChildId
  readonly slot: string
  readonly pid: number
  /** Field 22 of /proc/pid/stat, in clock ticks: together with the pid it identifies a process for good. */
  readonly startTime: number
  readonly spawnedAtMs: number
  /** Time of the newline on the notification fd; absent: not yet received, or the slot has no such fd. */
  readonly readyAtMs?: number
}

export type ToInit =
  | { readonly type: 'hello'; readonly v: number }
  /**
   * Run `/run/service/<slot>/run` as the runtime user; for `service-<name>` the program that init's own table names.
   * Answered by `spawned`, `spawn-failed`.
   */
  | {
      readonly type: 'spawn'
      readonly request: number
      readonly slot: string
      /** Sent by init when the container stops. */
      readonly stopSignal: SignalName
      /** Time from that signal to KILL; for a finish program, from its start, without a signal. */
      readonly stopTimeoutMs: number
      /** fd on which the child writes a newline when it is ready; null: it has none. */
      readonly notificationFd: number | null
      /** Kill what is left of the process group when the child has died. */
      readonly killLeftovers: boolean
      /** The finish program of a service instead of the service itself. Other slots have one program. */
      readonly program?: 'finish'
      /**
       * The profile of this gateway is walled: it must run as its own user, whom init takes from its own look at the
       * record. Of a profile that init knows as walled this is true, whatever the message says.
       */
      readonly walled?: boolean
    }
  | {
      readonly type: 'signal'
      readonly child: ChildId
      readonly signal: SignalName
      readonly target: 'process' | 'group'
    }
  /**
   * Write this down, before anything that was sent after it is done: the state of a slot, or one of {@link
   * KEPT_MEMORIES}. The next supervisor gets it back as `kept`. init does not look into the text.
   */
  | { readonly type: 'keep'; readonly name: KeptName; readonly text: string }
  /** The slot is gone for good: forget its state; close and unlink its log FIFO unless a child of it still lives. */
  | { readonly type: 'forget'; readonly slot: string }
  /** s6's letters for listeners of the slot whom only init may notify. */
  | { readonly type: 'letters'; readonly slot: string; readonly letters: string }
  /** All events up to and including `seq` have been handled and need not be replayed. */
  | { readonly type: 'ack'; readonly seq: number }
  | { readonly type: 'pong'; readonly n: number }
  /** End the container with this code (an essential slot has ended). */
  /** `exitCode` null: requested by an operator, as with TERM; the main program's exit code counts too. */
  | { readonly type: 'shutdown'; readonly exitCode: number | null; readonly reason: string }
  /** Answer to `stop`: every log is drained to its file. */
  | { readonly type: 'drained' }
  /**
   * The boot has come as far as it can: the volume is filled and every profile has its slot, or all of that waits for
   * the volume.
   */
  | { readonly type: 'booted' }
  /** The services the main program waits for have come up, or cannot. */
  | { readonly type: 'services-up' }
  /** Read the definitions of the image's services again; answered by `services-read`. */
  | { readonly type: 'read-services'; readonly request: number }
  /** Take the definitions that were read for this request; answered by `services-applied`. */
  | { readonly type: 'apply-services'; readonly request: number }
  /**
   * The record of this walled profile is removed: end the processes that are left of it and give its files back;
   * answered by `unwalled`.
   */
  | { readonly type: 'unwall'; readonly profile: string }
  /** Give known files of the volume back to the runtime user, as at boot; answered by `repaired`. */
  | { readonly type: 'repair' }
  /**
   * Only where file locks do not work: the counter in run.lease has decided. `unwritable`: the lease is free, but the
   * runtime user cannot write it.
   */
  | { readonly type: 'lease'; readonly state: 'taken' | 'lost' | 'unwritable' }

export type ToSupervisor =
  /**
   * Data that an earlier supervisor of this container's life left, or the reason why it cannot be read. All such
   * messages come before `welcome`.
   */
  | { readonly type: 'kept'; readonly name: KeptName; readonly text: string }
  | { readonly type: 'kept'; readonly name: KeptName; readonly problem: string }
  | {
      readonly type: 'welcome'
      readonly v: number
      readonly children: readonly ChildFacts[]
      /** Stages of the boot that are done, for a supervisor that was restarted. */
      readonly begun: boolean
      /** `unknown`: the first look at the lock has no answer yet; `lease` follows. */
      readonly lease: LeaseState | 'unknown'
      /**
       * Number of unacknowledged events that follow at once. Once they have arrived, a spawn that is neither among
       * `children` nor among them never happened: its request died with the supervisor that made it.
       */
      readonly replay: number
      /** Both processes leave it out of their clocks. */
      readonly frozen: Frozen
    }
  | { readonly type: 'spawned'; readonly request: number; readonly facts: ChildFacts }
  /** An answer, not an event: a later supervisor has not asked, and finds no child. */
  | { readonly type: 'spawn-failed'; readonly request: number; readonly slot: string; readonly error: string }
  | Sequenced
  /** The boot stages are done and the volume is ours: create initial files, reconcile, start. */
  | { readonly type: 'begin' }
  | { readonly type: 'lease'; readonly state: LeaseState }
  /** The container stops; init signals the slots itself. Answer `drained` when every log is written. */
  | { readonly type: 'stop' }
  | { readonly type: 'reconcile' }
  /** They are in a file beside those in force, unless there is a `problem`. */
  | { readonly type: 'services-read'; readonly request: number; readonly problem?: string }
  /** They are in force, unless there is a `problem`: then nothing has changed. */
  | { readonly type: 'services-applied'; readonly request: number; readonly problem?: string }
  /** The profile is an ordinary one, unless there is a `problem`. */
  | { readonly type: 'unwalled'; readonly profile: string; readonly problem?: string }
  /** Known files have been given back to the runtime user, as far as possible. */
  | { readonly type: 'repaired' }
  | { readonly type: 'ping'; readonly n: number; readonly frozen: Frozen }
  /** A line for supervisor.log that init has already put on the console. */
  | { readonly type: 'note'; readonly level: 'info' | 'warn' | 'error'; readonly text: string }

/**
 * `held`: the lock is ours. `busy`: another container holds the volume. `unsupported`: no locks on this file system;
 * the supervisor decides by the counter. `none`: this container takes no lease (the main program is `dashboard`), so
 * it creates no gateway slots.
 */
export type LeaseState = 'held' | 'busy' | 'unsupported' | 'none'

/** Events init keeps until they are acknowledged and replays, in order, after the next `welcome`. */
export type Sequenced =
  | {
      readonly type: 'exit'
      readonly seq: number
      readonly child: ChildId
      readonly slot: string
      readonly pid: number
      readonly ending: Ending
      readonly atMs: number
      /** Something was left of the process group and was killed. */
      readonly leftoversKilled: boolean
    }
  | {
      readonly type: 'ready'
      readonly seq: number
      readonly child: ChildId
      readonly slot: string
      readonly atMs: number
    }

/**
 * A slot key: what names a slot on the wire, in /run/service and in file names. No slash, no leading dot, so it can
 * never leave the directory it is joined to.
 */
export const isSlotKey = (value: unknown): value is string =>
  typeof value === 'string' && /^[a-z0-9][a-z0-9_-]{0,99}$/.test(value)

export const isKeptName = (value: unknown): value is KeptName =>
  isSlotKey(value) || KEPT_MEMORIES.some((name) => name === value)

const isWhole = (value: unknown, min: number, max: number): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max
const isText = (value: unknown, maxLength: number): value is string =>
  typeof value === 'string' && value.length <= maxLength
const MAX_ID = Number.MAX_SAFE_INTEGER

/** The required shape of each message from the supervisor; a message that fails its check is reported and dropped. */
const checks: { readonly [T in ToInit['type']]: (m: Record<string, unknown>) => boolean } = {
  hello: (m) => m.v === INIT_PROTOCOL_VERSION,
  spawn: (m) =>
    isWhole(m.request, 0, MAX_ID) &&
    isSlotKey(m.slot) &&
    isSignal(m.stopSignal) &&
    isWhole(m.stopTimeoutMs, 0, LONGEST_MS) &&
    (m.notificationFd === null || isWhole(m.notificationFd, 3, MAX_NOTIFICATION_FD)) &&
    typeof m.killLeftovers === 'boolean' &&
    (m.program === undefined || m.program === 'finish') &&
    (m.walled === undefined || typeof m.walled === 'boolean'),
  signal: (m) => isWhole(m.child, 1, MAX_ID) && isSignal(m.signal) && (m.target === 'process' || m.target === 'group'),
  keep: (m) => isKeptName(m.name) && typeof m.text === 'string',
  forget: (m) => isSlotKey(m.slot),
  letters: (m) => isSlotKey(m.slot) && isText(m.letters, 1000) && /^[suUdDOx]+$/.test(m.letters),
  ack: (m) => isWhole(m.seq, 0, MAX_ID),
  pong: (m) => isWhole(m.n, 0, MAX_ID),
  shutdown: (m) => (m.exitCode === null || isWhole(m.exitCode, 0, 255)) && isText(m.reason, 1000),
  drained: () => true,
  booted: () => true,
  'services-up': () => true,
  repair: () => true,
  unwall: (m) => isSlotKey(m.profile),
  'read-services': (m) => isWhole(m.request, 0, MAX_ID),
  'apply-services': (m) => isWhole(m.request, 0, MAX_ID),
  lease: (m) => m.state === 'taken' || m.state === 'lost' || m.state === 'unwritable',
}

/**
 * Parses one line from the supervisor.
 * @returns the message, or a text that describes what is wrong with it
 */
export function parseToInit(line: string): ToInit | string {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return `not JSON: ${line.slice(0, 80)}`
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return `not an object: ${line.slice(0, 80)}`
  const message = value as Record<string, unknown>
  const type = message.type
  if (typeof type !== 'string' || !Object.hasOwn(checks, type)) return `unknown type: ${line.slice(0, 80)}`
  return checks[type as ToInit['type']](message) ? (value as ToInit) : `bad ${type}: ${line.slice(0, 200)}`
}

/** One line from init, which the supervisor trusts: it is root, and its parent. @throws SyntaxError */
export const parseToSupervisor = (line: string): ToSupervisor => JSON.parse(line) as ToSupervisor

export const encodeMessage = (message: ToInit | ToSupervisor): string => `${JSON.stringify(message)}\n`
