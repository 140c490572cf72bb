import {
  addAttachment,
  dropAttachment,
  type Note,
  readAllAttachments,
  readAttachments,
} from '../attachments/in-sqlite.ts'
import type { Actor, Attempt, Board, FilePlace } from '../port/board.ts'
import { settingsInFile } from '../port/refusals.ts'
import type { Intake, Snapshot } from '../port/transfer.ts'
import { addRoutine, changeRoutine, readRoutines, removeRoutine } from '../routines/in-sqlite.ts'
import { change, createTask, editTask } from './changes.ts'
import { record } from './events.ts'
import { comment, link, unlink } from './links.ts'
import {
  childrenOf,
  commentsOf,
  eventsAfter,
  eventsTail,
  findTask,
  handoverOf,
  listTasks,
  parentsOf,
  readyByAssignee,
  requireTask,
  runningByAssignee,
  runsOf,
  statusCounts,
} from './queries.ts'
import { removeArchived, removeTask } from './remove.ts'
import { requireUnsealed, sealOf, unseal } from './seal.ts'
import type { Tables } from './tables.ts'
import {
  readAttempt,
  readPromotable,
  readReady,
  readRunning,
  readTaskOfSlot,
  readWaitingChildren,
} from './tick-facts.ts'
import { takeTickLock } from './tick-lock.ts'
import { writeTick } from './tick-write.ts'
import { fill, moveOut, snapshot } from './transfer.ts'

type Of<M extends keyof Board> = Board[M] extends (...args: infer A) => unknown ? A : never

/**
 * A board in a file. better-sqlite3 answers at once, so each method is one synchronous transaction, and nothing else of
 * this process can come in between.
 */
export class SqliteBoard implements Board {
  readonly place: FilePlace
  readonly #tables: Tables

  constructor(tables: Tables) {
    this.place = tables.place
    this.#tables = tables
  }

  find = async (...args: Of<'find'>) => findTask(this.#tables, ...args)
  require = async (...args: Of<'require'>) => requireTask(this.#tables, ...args)
  list = async (...args: Of<'list'>) => listTasks(this.#tables, ...args)
  parents = async (...args: Of<'parents'>) => parentsOf(this.#tables, ...args)
  events = async (...args: Of<'events'>) => eventsAfter(this.#tables, ...args)
  eventsTail = async (...args: Of<'eventsTail'>) => eventsTail(this.#tables, ...args)
  statusCounts = async () => statusCounts(this.#tables)
  runningByAssignee = async () => runningByAssignee(this.#tables)
  readyByAssignee = async () => readyByAssignee(this.#tables)

  async overview(...[filter]: Of<'overview'>): ReturnType<Board['overview']> {
    return this.#tables.read(() => ({ tasks: listTasks(this.#tables, filter), counts: statusCounts(this.#tables) }))
  }

  async details(...[id, limits]: Of<'details'>): ReturnType<Board['details']> {
    const tables = this.#tables
    return tables.read(() => ({
      task: requireTask(tables, id),
      parents: parentsOf(tables, id),
      children: childrenOf(tables, id),
      comments: commentsOf(tables, id),
      runs: runsOf(tables, id, limits.runs),
      events: eventsAfter(tables, eventsTail(tables, limits.events, id), limits.events, id),
    }))
  }

  async runs(...[id, limit]: Of<'runs'>): ReturnType<Board['runs']> {
    requireTask(this.#tables, id)
    return runsOf(this.#tables, id, limit)
  }

  async handover(...[id, limits]: Of<'handover'>): ReturnType<Board['handover']> {
    return this.#tables.read(() => {
      requireTask(this.#tables, id)
      return handoverOf(this.#tables, id, limits)
    })
  }

  create = async (...args: Of<'create'>) => createTask(this.#tables, ...args)
  change = async (...args: Of<'change'>) => change(this.#tables, ...args)
  link = async (...args: Of<'link'>) => link(this.#tables, ...args)
  unlink = async (...args: Of<'unlink'>) => unlink(this.#tables, ...args)
  comment = async (...args: Of<'comment'>) => comment(this.#tables, ...args)
  edit = async (...args: Of<'edit'>) => editTask(this.#tables, ...args)
  remove = async (...args: Of<'remove'>) => removeTask(this.#tables, ...args)
  removeArchived = async (...args: Of<'removeArchived'>) => removeArchived(this.#tables, ...args)

  running = async () => readRunning(this.#tables)
  promotable = async (...args: Of<'promotable'>) => readPromotable(this.#tables, ...args)
  waitingChildren = async (...args: Of<'waitingChildren'>) => readWaitingChildren(this.#tables, ...args)
  ready = async (...args: Of<'ready'>) => readReady(this.#tables, ...args)
  attempt = async (...args: Of<'attempt'>): Promise<Attempt | undefined> => readAttempt(this.#tables, ...args)
  taskOfSlot = async (...args: Of<'taskOfSlot'>) => readTaskOfSlot(this.#tables, ...args)

  nodes = async () => []
  nodesOf = async () => ({})
  registerProfiles = async () => undefined

  facts = async (...[wallMs]: Of<'facts'>): ReturnType<Board['facts']> => ({
    wallMs,
    running: readRunning(this.#tables),
    promotable: readPromotable(this.#tables, wallMs),
    ready: null,
  })
  write = async (...args: Of<'write'>) => writeTick(this.#tables, ...args)

  settings = async () => null
  async set(): Promise<void> {
    throw settingsInFile(this.place.slug)
  }

  async attachments(...[id]: Of<'attachments'>): ReturnType<Board['attachments']> {
    return this.#tables.read(() => {
      requireTask(this.#tables, id)
      return readAttachments(this.#tables, id)
    })
  }

  allAttachments = async () => readAllAttachments(this.#tables)

  async attach(...[id, file, place, actor]: Of<'attach'>): Promise<void> {
    this.#tables.write(() => {
      requireTask(this.#tables, id)
      addAttachment(this.#tables, id, file, place, actor, this.#note(id, actor))
    })
  }

  async detach(...[id, name, discard, actor]: Of<'detach'>): Promise<void> {
    const tables = this.#tables
    tables.write(() => {
      requireTask(tables, id)
      dropAttachment(tables, id, name, actor, this.#note(id, actor))
    })
    // Only now: if the process ended before the commit, the file would still be listed. Under the lock, because
    // another one may be attached under that name.
    tables.write(() => {
      if (readAttachments(tables, id).every((one) => one.name !== name)) discard()
    })
  }

  #note =
    (id: string, { wallMs, runId }: Actor): Note =>
    (kind, payload) =>
      record(this.#tables, id, kind, wallMs, payload, runId ?? null)

  routines = async () => readRoutines(this.#tables)
  addRoutine = async (...[routine, { name, wallMs }]: Of<'addRoutine'>) =>
    this.#unsealed((tables) => addRoutine(tables, routine, name, wallMs))
  changeRoutine = async (...args: Of<'changeRoutine'>) => this.#unsealed((tables) => changeRoutine(tables, ...args))
  removeRoutine = async (...args: Of<'removeRoutine'>) => this.#unsealed((tables) => removeRoutine(tables, ...args))

  /** Tables that are made when they are needed have no triggers that would refuse changes of a board that has moved. */
  #unsealed<T>(change: (tables: Tables) => T): T {
    return this.#tables.write(() => {
      requireUnsealed(this.#tables)
      return change(this.#tables)
    })
  }

  wallMs = async (...[clock]: Of<'wallMs'>) => clock.wallMs()
  holdTicks = (...args: Of<'holdTicks'>) => takeTickLock(this.place, ...args)
  snapshot = <T>(use: (snapshot: Snapshot) => Promise<T>) => snapshot(this.#tables, use)
  fill = <T>(use: (intake: Intake) => Promise<T>, from?: string) => fill(this.#tables, use, from)
  moveOut = <T>(to: string, use: (snapshot: Snapshot) => Promise<T>) => moveOut(this.#tables, to, use)
  seal = async () => sealOf(this.#tables)
  unseal = async () => this.#tables.write(() => unseal(this.#tables))
  version = async () => this.#tables.dataVersion()
  close = async () => this.#tables.close()
}
