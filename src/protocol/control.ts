/**
 * The control protocol: one Unix socket, newline-delimited JSON. A request `{v:1, id, op, …}` is answered by
 * `{id, ok:true, result}` or `{id, ok:false, error}`; a followed one by any number of `{id, event}` until either side
 * closes. Clients: the command line, the dashboard, the dispatcher, our s6 commands.
 */

import type { Ending } from '../slot/ending.ts'
import type { SlotState, Wanted } from '../slot/slot.ts'
import type { ErrorCode, ErrorDetail } from '../system/errors.ts'
import type { SignalName } from '../system/signals.ts'

export const CONTROL_PROTOCOL_VERSION = 1
export const MAX_REQUEST_BYTES = 1_000_000
/** Longest wait that a client may request. */
export const MAX_WAIT_MS = 86_400_000

export type Health = 'ok' | 'quiet' | 'stuck'

/**
 * A slot as every reader sees it (`--json`, dashboard). Unknown facts are absent; times RFC 3339 UTC; durations in ms.
 */
export interface SlotStatus {
  readonly slot: string
  readonly profile?: string
  readonly state: SlotState
  readonly wanted: Wanted
  readonly ready: boolean
  readonly pid?: number
  /** Time at which `state` was entered. */
  readonly since: string
  /** Starts after the first one in this container life that followed a death or an operator's restart. */
  readonly restarts: number
  readonly lastDeath?: Death
  readonly nextStartAt?: string
  /** Why it is parked, backing off or failed to start: one line. */
  readonly reason?: string
  /**
   * Whether it works, before anything is done about it (docs/gateway-health.md). Absent: it is not up, or has neither
   * `gateway.liveness` nor `gateway.on_stuck`.
   */
  readonly health?: Health
  /** The observations behind `health`, each a part of a sentence about the slot. */
  readonly evidence?: string[]
  /** The log's `current`. */
  readonly log: string
}

export type Death = { readonly at: string; readonly upMs?: number } & Ending

export interface WarningFact {
  readonly code: 'SLOT_PARKED' | 'CRASH_LOOP' | 'NOT_A_PROFILE' | 'CONFIG' | 'SERVICE' | 'VOLUME' | 'NO_SOCKET' | 'MORE'
  readonly slot?: string
  /** For NOT_A_PROFILE: the entry of profiles/. For CONFIG: the profile with the config.yaml. */
  readonly profile?: string
}

/** A warning for operators: one line, and its subject. */
export interface Warning extends WarningFact {
  readonly text: string
}

export interface PingResult {
  readonly instance: string
  readonly pid: number
  /** Lines that no log file could take since this supervisor started. Absent: none, or an older supervisor. */
  readonly linesLost?: number
}

export interface StatusResult {
  readonly manager: 's6-compatible' | 'foreground'
  readonly version: string
  readonly pid1: boolean
  readonly identity: { readonly uid: number; readonly gid: number }
  /** `waiting`: another container holds the volume, see `holder` and `holderHost`. */
  readonly phase: 'booting' | 'waiting' | 'running' | 'stopping'
  readonly holder?: string
  /** Host name of the container that holds the volume; older supervisors do not say. */
  readonly holderHost?: string
  readonly slots: readonly SlotStatus[]
  readonly warnings: readonly string[]
  /** The subject of each of `warnings`, in their order; older supervisors do not send it. */
  readonly warningFacts?: readonly WarningFact[]
  /**
   * There are gateways, all of them the built-in one, and no profile has an agent: nothing would answer. Absent for one
   * slot.
   */
  readonly needsAgent?: boolean
}

/** Result of an operator's start, stop or restart. `changed: false`: the slot already was in that state. */
export interface ActionResult {
  readonly changed: boolean
  readonly slot: SlotStatus
}

export interface ReconcileResult {
  /** One line per step that was applied; empty: nothing to do. */
  readonly steps: readonly string[]
}

/** Names of services, by what a reload does with them: it starts, stops or restarts them. */
export interface ReloadResult {
  /** Nothing was done. */
  readonly dryRun: boolean
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly changed: readonly string[]
  /** Number of services that are left alone. */
  readonly unchanged: number
}

/** A transition, or a slot that is new, for followers of `events`. */
export interface SlotEventMessage {
  readonly type: 'slot' | 'removed'
  readonly at: string
  readonly slot: SlotStatus
  /**
   * Transitions that this follower missed because it was too slow: its view of other slots may be outdated; `status`
   * gives the current one.
   */
  readonly missed?: number
}

/** A run of whole lines of one slot, raw, for followers of `logs`. `missed`: lines this follower was too slow for. */
export interface LogEventMessage {
  readonly slot: string
  readonly lines: readonly string[]
  readonly missed?: number
}

export interface JobSpec {
  /** Slot key `job-…`. */
  readonly slot: string
  readonly profile: string
  readonly command: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** File the output goes to (not copied to the container's stdout). */
  readonly logFile: string
  /** File on its stdin; absent: /dev/null. */
  readonly stdinFile?: string
  /** File that gets the job's result (a JobResult) and is removed when it is taken; its directory must exist. */
  readonly resultFile?: string
  /** Time from TERM to KILL when it is stopped; absent: 10 s, as for any slot. */
  readonly stopTimeoutMs?: number
  /** Epoch of the node's lease under which the task was claimed; absent: its board needs none. */
  readonly nodeEpoch?: number
}

export type JobResult =
  | { readonly state: 'running'; readonly pid?: number }
  /** `asked`: it was stopped by a client or because the container stops. */
  | { readonly state: 'ended'; readonly ending: Ending; readonly at: string; readonly asked?: true }

export interface Operations {
  /** `booted`: answered when the boot is over, whatever it led to; an error BOOTING for a program below init. */
  ping: { request: { booted?: boolean }; result: PingResult }
  status: { request: { slot?: string }; result: StatusResult }
  /** Heartbeat of a helper: its loop still turns. The answer says when to send the next one. */
  alive: { request: { slot: string }; result: { againMs: number } }
  /**
   * `wait`: answered when the slot is ready (parked or ended for good: error PARKED/FAILED; too late: TIMED_OUT),
   * else at once.
   */
  start: { request: SlotAction; result: ActionResult }
  stop: { request: SlotAction; result: ActionResult }
  restart: { request: SlotAction; result: ActionResult }
  signal: { request: { slot: string; signal: SignalName; group?: boolean }; result: ActionResult }
  reconcile: { request: Record<never, never>; result: ReconcileResult }
  /**
   * Takes over the definitions of the image's services by difference. Answered when what was removed or changed has
   * ended. REFUSED: a definition has a problem, or another reload is at work; nothing was done.
   */
  'reload-services': { request: { dryRun?: boolean; timeoutMs?: number }; result: ReloadResult }
  /**
   * The slot of a profile that was made or renamed a moment ago. Answered when it is there and no earlier one of its
   * name is left.
   */
  register: { request: SlotWait; result: { slot: SlotStatus } }
  /** The slot of a profile that was removed a moment ago. Answered when it is gone. */
  unregister: { request: SlotWait; result: Record<never, never> }
  /**
   * Makes a walled profile an ordinary one again. REFUSED: its gateway runs, the client is a program of the container
   * itself, or init could not give the files back; the wall then stands.
   */
  unwall: { request: { profile: string }; result: Record<never, never> }
  deaths: { request: { slot: string }; result: { deaths: readonly Death[] } }
  /** Follows: SlotEventMessage events. The result comes first. */
  events: { request: Record<never, never>; result: Record<never, never> }
  /** Follows: LogEventMessage events from now on. History is read from the files. */
  logs: { request: { slots: readonly string[] }; result: Record<never, never> }
  /** Starts a job; a slot of that name that exists is an error EXISTS. */
  job: { request: JobSpec; result: JobResult }
  'job-result': { request: { slot: string }; result: JobResult }
  /**
   * The lease of this node was renewed. Every job is stopped at `workersUntilMs` (CLOCK_BOOTTIME), unless a later one
   * comes before. A job of another epoch is refused (REFUSED, LEASE_OVER).
   */
  'node-lease': { request: { epoch: number; workersUntilMs: number }; result: Record<never, never> }
  /** Takes the result: the slot and its result file are removed, even if there is no result. */
  'job-take': { request: { slot: string }; result: JobResult }
}

export interface SlotWait {
  readonly slot: string
  readonly timeoutMs?: number
}

export interface SlotAction extends SlotWait {
  readonly wait?: boolean
  /**
   * desired_state stays unchanged: this is a step of a larger operation (rename, delete), not an operator's last
   * command.
   */
  readonly keepDesired?: boolean
}

export type Op = keyof Operations
export type Request<O extends Op = Op> = { [K in O]: RequestHead<K> & Operations[K]['request'] }[O]

interface RequestHead<O extends Op> {
  readonly v: number
  readonly id: number
  readonly op: O
  /**
   * The client is a program of the container itself and not one of `docker exec`. If it is a boot hook, the boot waits
   * for it, so it must not wait for the boot.
   */
  readonly belowInit?: boolean
  /**
   * Who makes the change, as the command says. The supervisor then writes it to the audit log. Programs that record
   * their changes themselves leave it out.
   */
  readonly by?: string
}

/** Operations of which the supervisor writes a line to the audit log, if the request has `by`. */
export const RECORDED_OPS: ReadonlySet<Op> = new Set<Op>(['start', 'stop', 'restart', 'signal', 'reload-services'])

export interface ControlError {
  readonly code: ErrorCode
  /** Detail within a code that callers distinguish; older supervisors do not send it. */
  readonly detail?: ErrorDetail
  readonly message: string
  readonly next?: string
}

export type Reply<O extends Op = Op> =
  | { readonly id: number; readonly ok: true; readonly result: Operations[O]['result'] }
  /** `id` is null when the request could not be read. */
  | { readonly id: number | null; readonly ok: false; readonly error: ControlError }

export type Event = { readonly id: number; readonly event: SlotEventMessage | LogEventMessage }
