/**
 * The board as the rest of the product sees it. Each method that writes is one transaction: the change, its events, and
 * the checks against the current rows. None of them waits for another process longer than its adapter's limit; then it
 * throws an error whose {@link databaseProblem} is `busy`, and the caller decides whether to try again.
 */
import type { Clock } from '../../system/clock.ts'
import type { Attachment, NewAttachment, TaskAttachment } from '../attachments/attachment.ts'
import type { HandoverFacts, HandoverLimits } from '../handover/facts.ts'
import type { Operation } from '../operations.ts'
import type { NewRoutine, Routine } from '../routines/routine.ts'
import type { RoutineChange } from '../routines/row.ts'
import type { BoardEvent, Comment, Outcome, Run, Status, Task } from '../task.ts'
import type { Candidate, WaitingTask } from '../tick.ts'
import type { NewTask } from './input.ts'
import type { Node } from './nodes.ts'
import type { RunningRow } from './rows.ts'
import type { Seal } from './seal.ts'
import type { BoardSettings, SettingKey } from './settings.ts'
import type { ClaimLimits, TickWrite, Written } from './tick-writes.ts'
import type { Intake, Snapshot } from './transfer.ts'

export interface BoardPlace {
  readonly slug: string
  /** Its SQLite file; absent: it is in a database. */
  readonly file?: string
}

/** A board in a file. */
export interface FilePlace extends BoardPlace {
  readonly file: string
}

/** Actor and time of a change. */
export interface Actor {
  readonly name: string
  readonly wallMs: number
  /** The run that speaks, if it is a worker about its own task. */
  readonly runId?: number
}

export interface Created {
  readonly task: Task
  /** false: a task with this idempotency key was there already. */
  readonly created: boolean
}

export interface ChangeOptions {
  readonly assignee?: string | null
  readonly scheduledAtMs?: number
  readonly reason?: string
  readonly result?: string
  /** The result as JSON; the caller has checked that it fits the schema of the task. */
  readonly resultJson?: string
  /** With review, a worker's result waits until a person has approved it. */
  readonly requireReview?: boolean
  readonly expected?: Expected
}

/** A task as the caller has seen it. If it is something else by now, the change is refused. */
export type Expected = Pick<Task, 'status' | 'assignee'>

/** Texts and priority that a person can change. */
export type Editable = Pick<Task, 'title' | 'body' | 'priority'>

/** Fields that are absent stay as they are. */
export interface TaskEdit extends Partial<Editable> {
  /** As the caller has seen them: the edit is refused if another one has changed them since. */
  readonly was?: Partial<Editable>
}

export interface ListFilter {
  readonly statuses: readonly Status[]
  /** null: unassigned; absent: any assignee. */
  readonly assignee?: string | null
  /** Part of the title, in any case, or the whole id. */
  readonly search?: string
  /** Only tasks to which nothing has happened since: neither a change by a person, nor a start or an end of a run. */
  readonly quietSinceMs?: number
  readonly limit: number
}

/** The other end of a link. */
export interface Linked {
  readonly id: string
  readonly title: string
  readonly status: Status
}

export interface TaskDetails {
  readonly task: Task
  readonly parents: readonly Linked[]
  readonly children: readonly Linked[]
  readonly comments: readonly Comment[]
  /** Newest first. */
  readonly runs: readonly Run[]
  /** Oldest first. */
  readonly events: readonly BoardEvent[]
}

export type Counts = Readonly<Record<string, number>>

/** One run of a task, as far as leftover jobs need it. */
export interface Attempt {
  readonly currentRun: number | null
  readonly outcome: Outcome | null
  readonly endedAtMs: number | null
}

/** Questions and changes of commands, the dashboard and the API server. */
export interface Tasks {
  find(id: string): Promise<Task | undefined>
  /** @throws HermesError FAILED: no such task */
  require(id: string): Promise<Task>
  /** The newest first. */
  list(filter: ListFilter): Promise<readonly Task[]>
  /** The list and the number of tasks by status, in one view. */
  overview(filter: ListFilter): Promise<{ readonly tasks: readonly Task[]; readonly counts: Counts }>
  /** Everything about a task, in one view. @throws HermesError FAILED */
  details(id: string, limits: { readonly runs: number; readonly events: number }): Promise<TaskDetails>
  parents(id: string): Promise<readonly Linked[]>
  /** Newest first. @throws HermesError FAILED */
  runs(id: string, limit: number): Promise<readonly Run[]>
  /** The hand-over to the next worker of a task, in one view. @throws HermesError FAILED */
  handover(id: string, limits: HandoverLimits): Promise<HandoverFacts>
  /** Events after `afterId`, oldest first; of one task or of the whole board. */
  events(afterId: number, limit: number, taskId?: string): Promise<readonly BoardEvent[]>
  /** The id before the last `limit` events. */
  eventsTail(limit: number, taskId?: string): Promise<number>
  statusCounts(): Promise<Counts>
  /** Running tasks by assignee; '' counts unassigned ones. */
  runningByAssignee(): Promise<Counts>
  /** Ready tasks by assignee; '' counts unassigned ones. */
  readyByAssignee(): Promise<Counts>

  /** @throws HermesError for input that cannot be a task */
  create(input: NewTask, actor: Actor): Promise<Created>
  /**
   * Performs an operation.
   * @returns the task after the change
   * @throws HermesError FAILED (no such task), REFUSED (not from its status, or the acting run is not the current one)
   */
  change(operation: Operation, id: string, options: ChangeOptions, actor: Actor): Promise<Task>
  /**
   * Links two tasks.
   * @returns false: the link was there
   * @throws HermesError REFUSED for a cycle, a self-link, a child that has begun
   */
  link(parentId: string, childId: string, actor: Actor): Promise<boolean>
  /** @returns false: there was no such link */
  unlink(parentId: string, childId: string, actor: Actor): Promise<boolean>
  comment(id: string, text: string, actor: Actor): Promise<void>
  /**
   * Changes title, body or priority; the event keeps what they were.
   * @returns the task after the edit; it is the same if the edit changes nothing
   * @throws HermesError USAGE (it cannot be that), FAILED, REFUSED (closed, changed since, or not the acting run's)
   */
  edit(id: string, edit: TaskEdit, actor: Actor): Promise<Task>
  /**
   * Removes a task with its history. Only an event stays, which says so.
   * @throws HermesError FAILED, REFUSED (it is running, open tasks follow it, or it is not as expected)
   */
  remove(id: string, expected: Expected | null, actor: Actor): Promise<void>
  /** Removes up to `limit` tasks that were archived before `beforeMs`, with their history. @returns their ids */
  removeArchived(beforeMs: number, limit: number): Promise<readonly string[]>
}

/**
 * The board of a tick. A step changes a row only if it is still what the tick has read; `false` and
 * `undefined` mean that another process was quicker.
 */
export interface TickBoard {
  /** Reads the facts of a tick. @param page ready tasks in a page */
  facts(wallMs: number, page: number): Promise<TickReadings>
  /**
   * Writes in one transaction, each part only if its task is still what the tick has read. Claims keep the caps
   * exactly, however many dispatchers write at once.
   * @returns results by position; undefined: the ticks of the board are held, and nothing was written
   */
  write(writes: readonly TickWrite[], limits: ClaimLimits, wallMs: number): Promise<readonly Written[] | undefined>
  running(): Promise<readonly RunningRow[]>
  /** `todo` tasks without unfinished parents, and `scheduled` tasks whose time has come. */
  promotable(wallMs: number): Promise<readonly WaitingTask[]>
  waitingChildren(parent: string): Promise<readonly WaitingTask[]>
  /**
   * Up to `limit` ready tasks without a claim, by priority and age.
   * @param after the last one of the page before
   */
  ready(after: Candidate | null, limit: number): Promise<readonly Candidate[]>
  /** undefined: this board has no such run, or the run had another slot. */
  attempt(taskId: string, runId: number, slot: string): Promise<Attempt | undefined>
  /** The task whose current run has this slot. */
  taskOfSlot(slot: string): Promise<string | undefined>

  /** The nodes that share the board, by name; none for a board in a file. */
  nodes(): Promise<readonly Node[]>
  /** Ids of the nodes of which these were lives; of those that never had a lease, none. */
  nodesOf(instances: readonly string[]): Promise<Readonly<Record<string, string>>>
  /**
   * Makes these the profiles of this process' node, as far as no other node has them.
   * @param pools of those that are in one, by their names on the board; absent: they stay as they are
   */
  registerProfiles(names: readonly string[], pools?: Readonly<Record<string, string>>): Promise<void>
}

export interface TickReadings {
  /** The wall clock of the board, ms. */
  readonly wallMs: number
  readonly running: readonly RunningRow[]
  readonly promotable: readonly WaitingTask[]
  /** The first page; null: a full board needs none, and {@link TickBoard.ready} reads it. */
  readonly ready: readonly Candidate[] | null
}

/** Keeps the ticks of other dispatchers out. */
export interface TickLock {
  /** false: it was lost, with the connection to the database; nothing more may be started. */
  isHeld(): boolean
  release(): Promise<void>
}

export interface Board extends Tasks, TickBoard {
  readonly place: BoardPlace
  /** Settings for all nodes of the board; null: it is in a file, and config.yaml has its settings. */
  settings(): Promise<BoardSettings | null>
  /**
   * Sets a key for all nodes; undefined removes it.
   * @throws HermesError REFUSED: the board is in a file
   */
  set(key: SettingKey, value: unknown, actor: Actor): Promise<void>
  /** The files that are attached to a task, by name; none on a board in a database. @throws HermesError FAILED */
  attachments(id: string): Promise<readonly Attachment[]>
  /** The attachments of every task, by task and name. */
  allAttachments(): Promise<readonly TaskAttachment[]>
  /**
   * Attaches a file.
   * @param place puts the file in place, durably; while this runs, no other change is made
   * @throws HermesError FAILED; REFUSED: its name is taken, there are too many, the board is in a database
   */
  attach(id: string, file: NewAttachment, place: () => void, actor: Actor): Promise<void>
  /**
   * Detaches a file.
   * @param discard removes it, unless another one of its name has been attached by then
   * @throws HermesError FAILED; REFUSED: the board is in a database
   */
  detach(id: string, name: string, discard: () => void, actor: Actor): Promise<void>
  /** By name. */
  routines(): Promise<readonly Routine[]>
  /** @throws HermesError REFUSED: there is one of this name */
  addRoutine(routine: NewRoutine, actor: Actor): Promise<void>
  /** @returns false: there is none of this name */
  changeRoutine(name: string, change: RoutineChange, wallMs: number): Promise<boolean>
  removeRoutine(name: string): Promise<boolean>
  /** The wall clock of the board: that of its machine, ms. */
  wallMs(clock: Clock): Promise<number>
  /**
   * Keeps every other tick of the board out, on all its dispatchers.
   * @param waitMs how long to wait for another dispatcher
   * @returns undefined: another one holds the board
   */
  holdTicks(clock: Clock, waitMs: number): Promise<TickLock | undefined>
  /** Gives `use` one view of every row, however long that takes. Nothing else may use this object until then. */
  snapshot<T>(use: (snapshot: Snapshot) => Promise<T>): Promise<T>
  /**
   * Fills a board that has no rows, in one transaction: if `use` throws or the process ends, the board stays empty.
   * Nothing else may use this object until then.
   * @param from for a copy that is not to be used yet: the board is sealed as `copying` from there, and the rows of a
   * board that was sealed before are replaced
   * @throws HermesError REFUSED: the board has rows and is not sealed
   */
  fill<T>(use: (intake: Intake) => Promise<T>, from?: string): Promise<T>
  /**
   * Gives `use` a view as {@link snapshot} does, and keeps writers out. When `use` has returned, the board is sealed as
   * `moved`; if it throws or the process ends, the board is in use as before.
   */
  moveOut<T>(to: string, use: (snapshot: Snapshot) => Promise<T>): Promise<T>
  /** undefined: the board accepts changes. */
  seal(): Promise<Seal | undefined>
  unseal(): Promise<void>
  /** Changes whenever another process has written. @throws HermesError: a newer version has taken the board over */
  version(): Promise<number>
  /** May be called more than once. */
  close(): Promise<void>
}
