import { noFilesInDatabase } from '../attachments/attachment.ts'
import type { Board, BoardPlace } from '../port/board.ts'
import { noTask } from '../port/refusals.ts'
import type { Intake, Snapshot } from '../port/transfer.ts'
import { addRoutine, changeRoutine, readRoutines, removeRoutine } from '../routines/in-postgres.ts'
import { change, changeSetting, comment, createTask, link, unlink, type Writing } from './changes.ts'
import type { Client, Connection } from './connection.ts'
import { listNodes, nodesOf, registerProfiles } from './nodes.ts'
import {
  childrenOf,
  commentsOf,
  eventsAfter,
  eventsTail,
  findTask,
  handoverOf,
  lastEvents,
  listTasks,
  parentsOf,
  readSettings,
  readyByAssignee,
  rows,
  runningByAssignee,
  runsOf,
  statusCounts,
} from './queries.ts'
import { NOW, newerBoard, schemaOf, VERSION } from './schema.ts'
import { callReads, callWrites, type TickFunctions, takeTickLock, tickFunctions } from './tick-calls.ts'
import {
  readAttempt,
  readPromotable,
  readReady,
  readRunning,
  readTaskOfSlot,
  readWaitingChildren,
} from './tick-reads.ts'
import { fill, moveOut, reader, sealOf, unseal } from './transfer.ts'
import { editTask, removeArchived, removeTask } from './upkeep.ts'

type Of<M extends keyof Board> = Board[M] extends (...args: infer A) => unknown ? A : never

/** A board in PostgreSQL. All instants are those of the database's clock; those of the caller are not used. */
export class PostgresBoard implements Board {
  readonly place: BoardPlace
  readonly #connection: Connection
  readonly #s: string
  readonly #node: string | undefined
  readonly #writes: boolean
  readonly #functions: TickFunctions
  readonly close: () => Promise<void>

  /**
   * @param close called when the board is closed
   * @param node the id of the node that this process belongs to
   * @param writes it is opened to be written
   */
  constructor(
    place: BoardPlace,
    connection: Connection,
    close: () => Promise<void>,
    { node, writes }: { readonly node: string | undefined; readonly writes: boolean },
  ) {
    this.place = place
    this.close = close
    this.#connection = connection
    this.#node = node
    this.#writes = writes
    this.#s = `"${schemaOf(place.slug)}"`
    this.#functions = tickFunctions(this.#s)
  }

  find = (...[id]: Of<'find'>) => this.#read((client, s) => findTask(client, s, id))
  list = (...[filter]: Of<'list'>) => this.#read((client, s) => listTasks(client, s, filter))
  parents = (...[id]: Of<'parents'>) => this.#read((client, s) => parentsOf(client, s, id))
  events = (...args: Of<'events'>) => this.#read((client, s) => eventsAfter(client, s, ...args))
  eventsTail = (...args: Of<'eventsTail'>) => this.#read((client, s) => eventsTail(client, s, ...args))
  statusCounts = () => this.#read(statusCounts)
  runningByAssignee = () => this.#read(runningByAssignee)
  readyByAssignee = () => this.#read(readyByAssignee)

  async require(...[id]: Of<'require'>): ReturnType<Board['require']> {
    const task = await this.find(id)
    if (task === undefined) throw noTask(this.place.slug, id)
    return task
  }

  overview = (...[filter]: Of<'overview'>) =>
    this.#connection.view(async (client) => ({
      tasks: await listTasks(client, this.#s, filter),
      counts: await statusCounts(client, this.#s),
    }))

  details = (...[id, limits]: Of<'details'>) =>
    this.#connection.view(async (client) => {
      const task = await findTask(client, this.#s, id)
      if (task === undefined) throw noTask(this.place.slug, id)
      return {
        task,
        parents: await parentsOf(client, this.#s, id),
        children: await childrenOf(client, this.#s, id),
        comments: await commentsOf(client, this.#s, id),
        runs: await runsOf(client, this.#s, id, limits.runs),
        events: await lastEvents(client, this.#s, id, limits.events),
      }
    })

  async runs(...[id, limit]: Of<'runs'>): ReturnType<Board['runs']> {
    await this.require(id)
    return this.#read((client, s) => runsOf(client, s, id, limit))
  }

  handover = (...[id, limits]: Of<'handover'>) =>
    this.#connection.view(async (client) => {
      if ((await findTask(client, this.#s, id)) === undefined) throw noTask(this.place.slug, id)
      return handoverOf(client, this.#s, id, limits)
    })

  create = (...args: Of<'create'>) => this.#write((on) => createTask(on, ...args))
  change = (...args: Of<'change'>) => this.#write((on) => change(on, ...args))
  link = (...[parentId, childId]: Of<'link'>) => this.#write((on) => link(on, parentId, childId))
  unlink = (...[parentId, childId]: Of<'unlink'>) => this.#write((on) => unlink(on, parentId, childId))
  comment = (...args: Of<'comment'>) => this.#write((on) => comment(on, ...args))
  edit = (...args: Of<'edit'>) => this.#write((on) => editTask(on, ...args))
  remove = (...args: Of<'remove'>) => this.#write((on) => removeTask(on, ...args))
  removeArchived = (...args: Of<'removeArchived'>) => this.#write((on) => removeArchived(on, ...args))

  running = () => this.#read(readRunning)
  promotable = () => this.#read(readPromotable)
  waitingChildren = (...[id]: Of<'waitingChildren'>) => this.#read((client, s) => readWaitingChildren(client, s, id))
  ready = (...args: Of<'ready'>) => this.#read((client, s) => readReady(client, s, ...args))
  attempt = (...args: Of<'attempt'>) => this.#read((client, s) => readAttempt(client, s, ...args))
  taskOfSlot = (...[slot]: Of<'taskOfSlot'>) => this.#read((client, s) => readTaskOfSlot(client, s, slot))

  nodes = () => this.#read((client) => listNodes(client, this.#node))
  nodesOf = (...[instances]: Of<'nodesOf'>) => this.#read((client) => nodesOf(client, instances))
  registerProfiles = async (...[names, pools]: Of<'registerProfiles'>) => {
    const node = this.#node
    if (node !== undefined) await this.#write(({ client }) => registerProfiles(client, node, names, pools))
  }

  async facts(...[, page]: Of<'facts'>): ReturnType<Board['facts']> {
    const called = await callReads(this.#connection, this.#functions, page)
    if (called !== undefined) return called
    const [running, promotable, ready] = [await this.running(), await this.promotable(), await this.ready(null, page)]
    return { wallMs: await this.wallMs(), running, promotable, ready }
  }

  write = (...[writes, limits]: Of<'write'>) =>
    callWrites(this.#connection, this.#functions, this.place.slug, writes, limits)

  settings = () => this.#read(readSettings)
  set = (...args: Of<'set'>) => this.#write((on) => changeSetting(on, ...args))

  routines = () => this.#read(readRoutines)
  async attachments(...[id]: Of<'attachments'>): ReturnType<Board['attachments']> {
    await this.require(id)
    return []
  }
  allAttachments = async () => []
  attach = () => Promise.reject(noFilesInDatabase(this.place.slug))
  detach = () => Promise.reject(noFilesInDatabase(this.place.slug))

  addRoutine = (...[routine, { name }]: Of<'addRoutine'>) =>
    this.#write(({ client, s }) => addRoutine(client, s, routine, name))
  changeRoutine = (...[name, change]: Of<'changeRoutine'>) =>
    this.#write(({ client, s }) => changeRoutine(client, s, name, change))
  removeRoutine = (...[name]: Of<'removeRoutine'>) => this.#write(({ client, s }) => removeRoutine(client, s, name))

  wallMs = () =>
    this.#read(async (client) => {
      const [now] = await rows<{ now: number }>(client, `SELECT ${NOW} AS now`)
      return now?.now ?? 0
    })

  holdTicks = (...args: Of<'holdTicks'>) => takeTickLock(this.#connection, this.place.slug, ...args)

  snapshot = <T>(use: (snapshot: Snapshot) => Promise<T>) =>
    this.#connection.long('REPEATABLE READ, READ ONLY', (client) => use(reader(client, this.#s)))

  fill = <T>(use: (intake: Intake) => Promise<T>, from?: string) => this.#long((on) => fill(on, use, from))
  moveOut = <T>(to: string, use: (snapshot: Snapshot) => Promise<T>) => this.#long((on) => moveOut(on, to, use))
  seal = () => this.#read((client) => sealOf(client, this.place.slug))
  unseal = () => this.#write(unseal)

  /**
   * The number of the last event, and how many there are near it: one may become visible after a later one.
   * @throws HermesError FAILED: it was opened to be written, and a newer version has changed it since
   */
  version = () =>
    this.#read(async (client, s) => {
      const [found] = await rows<{ last: number; near: number; generation: number | null }>(
        client,
        `SELECT coalesce(max(id), 0) AS last, count(*) AS near,
           (SELECT schema_version FROM hermes.boards WHERE slug = $1) AS generation
         FROM ${s}.events WHERE id > (SELECT coalesce(max(id), 0) FROM ${s}.events) - 1000`,
        this.place.slug,
      )
      const generation = found?.generation ?? VERSION
      if (this.#writes && generation > VERSION) throw newerBoard(this.place.slug, generation)
      return (found?.last ?? 0) * 1001 + (found?.near ?? 0)
    })

  #on(client: Client): Writing {
    return { client, s: this.#s, slug: this.place.slug, node: this.#node }
  }

  #read<T>(work: (client: Client, s: string) => Promise<T>): Promise<T> {
    return this.#connection.use((client) => work(client, this.#s))
  }

  #long<T>(work: (on: Writing) => Promise<T>): Promise<T> {
    return this.#connection.long('READ COMMITTED', (client) => work(this.#on(client)))
  }

  #write<T>(work: (on: Writing) => Promise<T>): Promise<T> {
    return this.#connection.transaction((client) => work(this.#on(client)))
  }
}
