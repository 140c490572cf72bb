/**
 * Data of a board. Instants are Unix milliseconds, because they must mean the same after a reboot and on another
 * machine.
 *
 *   triage     an idea; does not run until it is promoted or assigned
 *   todo       waits for its parents
 *   scheduled  waits for its time
 *   ready      waits for the dispatcher
 *   running    a worker has it (or a person who set this status by hand)
 *   review     the work is done and waits for a person's approval
 *   blocked    waits for a person: too many failures, or blocked by command
 *   done       finished; never runs again
 *   archived   hidden
 */
export const STATUSES = [
  'triage',
  'todo',
  'scheduled',
  'ready',
  'running',
  'blocked',
  'review',
  'done',
  'archived',
] as const

export type Status = (typeof STATUSES)[number]

export const isStatus = (text: string): text is Status => (STATUSES as readonly string[]).includes(text)

/** A parent in one of these holds its children back no longer. */
export const isClosed = (status: Status): boolean => status === 'done' || status === 'archived'

/**
 * `scratch`: `workspace/<task id>` in the assignee's profile, made at the first run. `dir`: a directory that was named.
 */
export type WorkspaceKind = 'scratch' | 'dir'

/** The assignee that any profile may stand in for; no profile has this name. */
export const ANY = 'any'

export interface Task {
  readonly id: string
  /** Order of creation on this board. */
  readonly seq: number
  readonly title: string
  readonly body: string
  /** null: unassigned. */
  readonly assignee: string | null
  readonly status: Status
  /** Higher goes first. */
  readonly priority: number
  readonly createdBy: string
  readonly createdAtMs: number
  /** Of the current or last run. */
  readonly startedAtMs: number | null
  readonly completedAtMs: number | null
  readonly scheduledAtMs: number | null
  readonly workspaceKind: WorkspaceKind
  readonly workspacePath: string | null
  readonly claimLock: string | null
  readonly claimExpiresAtMs: number | null
  readonly workerPid: number | null
  /** Field 22 of /proc/pid/stat: together with the pid it identifies a process for good. */
  readonly workerStartTime: number | null
  readonly heartbeatAtMs: number | null
  /** Failures in a row; a success and an unblock reset it to 0. */
  readonly failures: number
  readonly lastError: string | null
  readonly maxRuntimeMs: number | null
  /** The task's own failure limit. */
  readonly maxRetries: number | null
  /** Labels that its node must have, sorted: `gpu`, `region=eu`. */
  readonly needs: readonly string[]
  /** Started at most once: after that, only a person makes it ready again. */
  readonly once: boolean
  readonly result: string | null
  /** JSON Schema that the result must fit, as JSON; null: the result is any text. */
  readonly resultSchema: string | null
  /** The result as JSON. */
  readonly resultJson: string | null
  readonly idempotencyKey: string | null
  readonly currentRun: number | null
  /** Quota and authentication errors in a row, and until when nothing is tried after the last one. */
  readonly pauses: number
  readonly pausedUntilMs: number | null
  readonly succeededAtMs: number | null
  /** Time of the last change or comment by a person (or a worker of another task). */
  readonly changedAtMs: number
  /** Parents that are neither done nor archived. */
  readonly openParents: number
}

/** How an attempt ended. `reclaimed`: taken back, independent of the quality of the work. */
export type Outcome =
  | 'completed'
  | 'blocked'
  | 'crashed'
  | 'timed_out'
  | 'stale'
  | 'rate_limited'
  | 'reclaimed'
  | 'spawn_failed'

/** One attempt. `endedAtMs` null: it is the task's current run. */
export interface Run {
  readonly id: number
  readonly taskId: string
  readonly profile: string
  readonly outcome: Outcome | null
  readonly startedAtMs: number
  readonly endedAtMs: number | null
  /** Machine (a container's name), and life of the container, that it ran in. */
  readonly host: string
  readonly instance: string
  readonly slot: string
  readonly exitCode: number | null
  readonly signal: string | null
  readonly summary: string | null
  readonly error: string | null
}

export interface Comment {
  readonly id: number
  readonly author: string
  readonly body: string
  readonly atMs: number
}

export interface BoardEvent {
  /** Counts up over the board's life. */
  readonly id: number
  readonly taskId: string
  readonly runId: number | null
  readonly kind: string
  readonly payload: Readonly<Record<string, unknown>>
  readonly atMs: number
}

/** Status of a task that only its parents can hold back. */
export const readyOrTodo = (openParents: number): 'ready' | 'todo' => (openParents > 0 ? 'todo' : 'ready')

/** The transient slot a worker runs in; one per attempt, so a late report can never be taken for another run's. */
export const jobSlot = (taskId: string, runId: number): string => `job-${taskId}-${runId}`

/** The task and run of a job slot; undefined if the slot belongs to no board. */
export function parseJobSlot(slot: string): { readonly taskId: string; readonly runId: number } | undefined {
  const found = /^job-(t_[0-9a-f]{8})-(\d{1,15})$/.exec(slot)
  return found ? { taskId: found[1] ?? '', runId: Number(found[2]) } : undefined
}
