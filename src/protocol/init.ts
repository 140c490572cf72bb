/**
 * The protocol between init (mechanism, root) and the supervisor (policy, the runtime user): newline-delimited JSON over one
 * inherited socket pair. init treats the supervisor as hostile, so a request carries a slot key and a few range-checked
 * scalars, never a path, an argument, a uid or an environment. Both sides import this file.
 *
 * Instants (`…AtMs`) are milliseconds of the clock that both processes share (src/system/clock.ts).
 */

import type { Frozen } from '../system/clock.ts'

export const INIT_PROTOCOL_VERSION = 1
/** Longest line either side accepts. The longest honest one, `welcome` with 4,096 children, stays below. */
export const MAX_LINE_BYTES = 1_000_000
/** init refuses to hold more living children than this. */
export const MAX_CHILDREN = 4096
/** Sequenced events init keeps for a supervisor that does not acknowledge; beyond it refuses to spawn. */
export const MAX_UNACKNOWLEDGED = 10_000
export const MAX_NOTIFICATION_FD = 63
/** What a supervisor may leave with init: so many texts, so many bytes together. A slot's state takes 1 to 15 KB. */
export const MAX_KEPT = 20_000
export const MAX_KEPT_BYTES = 64_000_000
/** What a supervisor leaves with init besides the states of its slots. A dot in front: no slot has such a name. */
export const KEPT_MEMORIES = ['.booted', '.reconcile', '.services'] as const
/** A slot key, or one of {@link KEPT_MEMORIES}. */
export type KeptName = string
/** The longest time that a setting may name: what the settings take, init takes. */
export const LONGEST_MS = 366 * 86_400_000

/** Counts up over a container's life and is never a pid. */
export type ChildId = number

export interface ChildFacts {
  readonly child: ChildId
  readonly slot: string
  readonly pid: number
  /** Field 22 of /proc/pid/stat, in clock ticks: with the pid it names a process for good. */
  readonly startTime: number
  readonly spawnedAtMs: number
  /** When the newline came on the notification fd; absent: not yet, or the slot has none. */
  readonly readyAtMs?: number
}

/** How a process ended: facts from wait(2), one or the other. */
export type Ending = { readonly exitCode: number } | { readonly signal: SignalName }

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
      /** From that signal to KILL; for a finish program from its start, without a signal. */
      readonly stopTimeoutMs: number
      /** fd on which the child writes a newline when it is ready; null: it has none. */
      readonly notificationFd: number | null
      /** Kill what is left of the process group when the child has died. */
      readonly killLeftovers: boolean
      /** The finish program of a service instead of the service itself. Other slots have one program. */
      readonly program?: 'finish'
    }
  | {
      readonly type: 'signal'
      readonly child: ChildId
      readonly signal: SignalName
      readonly target: 'process' | 'group'
    }
  /**
   * Write this down, before anything that was sent after it is done: the state of a slot, or one of {@link KEPT_MEMORIES}. The next
   * supervisor gets it back as `kept`. init does not look into the text.
   */
  | { readonly type: 'keep'; readonly name: KeptName; readonly text: string }
  /** The slot is gone for good: its state is forgotten; its log FIFO is closed and unlinked unless a child of it lives. */
  | { readonly type: 'forget'; readonly slot: string }
  /** s6's letters for those who listen to the slot and whom only init may tell. */
  | { readonly type: 'letters'; readonly slot: string; readonly letters: string }
  /** Everything up to and including `seq` has been dealt with and need not be replayed. */
  | { readonly type: 'ack'; readonly seq: number }
  | { readonly type: 'pong'; readonly n: number }
  /** End the container with this code (an essential slot has ended). */
  /** `exitCode` null: an operator said so, as with TERM; the main program has a say in the code. */
  | { readonly type: 'shutdown'; readonly exitCode: number | null; readonly reason: string }
  /** Answer to `stop`: every log is drained to its file. */
  | { readonly type: 'drained' }
  /** The boot has come as far as it can: the volume is filled and every profile has its slot, or all of that waits for the volume. */
  | { readonly type: 'booted' }
  /** The services the main program waits for have come up, or cannot. */
  | { readonly type: 'services-up' }
  /** Give known files of the volume back to the runtime user, as at boot; answered by `repaired`. */
  | { readonly type: 'repair' }
  /** Only where file locks do not work: the counter in run.lease has decided. */
  | { readonly type: 'lease'; readonly state: 'taken' | 'lost' }

export type ToSupervisor =
  /** What an earlier supervisor of this life has left, or why it cannot be read. All of them come before `welcome`. */
  | { readonly type: 'kept'; readonly name: KeptName; readonly text: string }
  | { readonly type: 'kept'; readonly name: KeptName; readonly problem: string }
  | {
      readonly type: 'welcome'
      readonly v: number
      readonly children: readonly ChildFacts[]
      /** What of the boot is behind us, for a supervisor that comes back. */
      readonly begun: boolean
      readonly lease: LeaseState
      /**
       * How many unacknowledged events follow at once. When they have arrived, a spawn that is neither among `children` nor
       * among them never happened: its request died with the supervisor that made it.
       */
      readonly replay: number
      /** Both processes leave it out of their clocks. */
      readonly frozen: Frozen
    }
  | { readonly type: 'spawned'; readonly request: number; readonly facts: ChildFacts }
  /** An answer, not an event: a supervisor that comes later has not asked, and finds no child. */
  | { readonly type: 'spawn-failed'; readonly request: number; readonly slot: string; readonly error: string }
  | Sequenced
  /** The boot stages are done and the volume is ours: seed, reconcile, start. */
  | { readonly type: 'begin' }
  | { readonly type: 'lease'; readonly state: LeaseState }
  /** The container stops; init signals the slots itself. Answer `drained` when every log is written. */
  | { readonly type: 'stop' }
  | { readonly type: 'reconcile' }
  /** What could be given back has been. */
  | { readonly type: 'repaired' }
  | { readonly type: 'ping'; readonly n: number; readonly frozen: Frozen }
  /** A line for supervisor.log that init has already put on the console. */
  | { readonly type: 'note'; readonly level: 'info' | 'warn' | 'error'; readonly text: string }

/**
 * `held`: the lock is ours. `busy`: another container holds the volume. `unsupported`: no locks here, the supervisor decides by
 * the counter. `none`: this life takes no lease (the main program is `dashboard`), so it makes no gateway slots.
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

export const SIGNALS = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  STKFLT: 16,
  CHLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  VTALRM: 26,
  PROF: 27,
  WINCH: 28,
  IO: 29,
  PWR: 30,
  SYS: 31,
  // Real-time signals as the C library numbers them; it keeps the two below RTMIN to itself, but anybody can send them.
  'RTMIN-2': 32,
  'RTMIN-1': 33,
  RTMIN: 34,
  'RTMIN+1': 35,
  'RTMIN+2': 36,
  'RTMIN+3': 37,
  'RTMIN+4': 38,
  'RTMIN+5': 39,
  'RTMIN+6': 40,
  'RTMIN+7': 41,
  'RTMIN+8': 42,
  'RTMIN+9': 43,
  'RTMIN+10': 44,
  'RTMIN+11': 45,
  'RTMIN+12': 46,
  'RTMIN+13': 47,
  'RTMIN+14': 48,
  'RTMIN+15': 49,
  'RTMIN+16': 50,
  'RTMIN+17': 51,
  'RTMIN+18': 52,
  'RTMIN+19': 53,
  'RTMIN+20': 54,
  'RTMIN+21': 55,
  'RTMIN+22': 56,
  'RTMIN+23': 57,
  'RTMIN+24': 58,
  'RTMIN+25': 59,
  'RTMIN+26': 60,
  'RTMIN+27': 61,
  'RTMIN+28': 62,
  'RTMIN+29': 63,
  'RTMIN+30': 64,
} as const
export type SignalName = keyof typeof SIGNALS

/** The name of a signal number, 1 to 64; others have none. */
export const signalName = (number: number): SignalName | undefined =>
  (Object.keys(SIGNALS) as SignalName[]).find((name) => SIGNALS[name] === number)

/** `TERM`, `term`, `SIGTERM` and `15` all name the same signal. */
export function parseSignal(text: string): SignalName | undefined {
  const word = text.trim().toUpperCase().replace(/^SIG/, '')
  if (/^\d{1,2}$/.test(word)) return signalName(Number(word))
  return Object.hasOwn(SIGNALS, word) ? (word as SignalName) : undefined
}

/**
 * A slot key: what names a slot on the wire, in /run/service and in file names. No slash, no leading dot, so it can never
 * leave the directory it is joined to.
 */
export const isSlotKey = (value: unknown): value is string =>
  typeof value === 'string' && /^[a-z0-9][a-z0-9_-]{0,99}$/.test(value)

export const isKeptName = (value: unknown): value is KeptName =>
  isSlotKey(value) || KEPT_MEMORIES.some((name) => name === value)

const isWhole = (value: unknown, min: number, max: number): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max
export const isSignal = (value: unknown): value is SignalName =>
  typeof value === 'string' && Object.hasOwn(SIGNALS, value)
const isText = (value: unknown, maxLength: number): value is string =>
  typeof value === 'string' && value.length <= maxLength
const MAX_ID = Number.MAX_SAFE_INTEGER

/** What each message from the supervisor must hold; a message that fails its check is reported and dropped. */
const checks: { readonly [T in ToInit['type']]: (m: Record<string, unknown>) => boolean } = {
  hello: (m) => m.v === INIT_PROTOCOL_VERSION,
  spawn: (m) =>
    isWhole(m.request, 0, MAX_ID) &&
    isSlotKey(m.slot) &&
    isSignal(m.stopSignal) &&
    isWhole(m.stopTimeoutMs, 0, LONGEST_MS) &&
    (m.notificationFd === null || isWhole(m.notificationFd, 3, MAX_NOTIFICATION_FD)) &&
    typeof m.killLeftovers === 'boolean' &&
    (m.program === undefined || m.program === 'finish'),
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
  lease: (m) => m.state === 'taken' || m.state === 'lost',
}

/**
 * One line from the supervisor.
 * @returns the message, or a text that says what is wrong with it
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

/** Where a stream of the container ends up, and how to write to it without ever blocking (docs/ARCHITECTURE.md, "Logs"). */
export interface ConsoleSink {
  readonly fd: number
  /**
   * `stream`: a private O_NONBLOCK description. `shared`: the inherited one, asked for room (poll) before each write of at most
   * 4096 bytes. `file`: never blocks. `socket`: send(MSG_DONTWAIT). `none`: closed, write nothing.
   */
  readonly kind: 'stream' | 'shared' | 'file' | 'socket' | 'none'
}

/** What init tells the supervisor at its start: JSON, its only argument. File descriptors are inherited. */
export interface SupervisorStart {
  readonly protocolFd: number
  /** Listening control socket, bound by init; absent when it could not be made. */
  readonly controlFd?: number
  readonly stdout: ConsoleSink
  readonly stderr: ConsoleSink
  readonly home: string
  readonly runDir: string
  readonly layout: 'image' | 'private'
  /** Random, one per container life. */
  readonly instance: string
  readonly hostname: string
  /** We are PID 1 of our namespace. */
  readonly pid1: boolean
  /** Slots run as this identity; equal to our own where nothing is dropped. */
  readonly identity: RuntimeIdentity
  /** Root is dropped on the way to the slots (started as root through /init), and by the supervisor itself. */
  readonly dropped: boolean
  /** `npm start`: counts as an operator's start of the default gateway. */
  readonly foreground: boolean
  /** The main program's words, empty when there is none: `dashboard` makes no gateway slots. */
  readonly main: readonly string[]
}

export interface RuntimeIdentity {
  readonly uid: number
  readonly gid: number
  readonly groups: readonly number[]
  readonly user: string
  /** HOME of every child. */
  readonly home: string
}
