import { createConnection, type Socket } from 'node:net'
import { LineSplitter } from '../../protocol/lines.ts'
import { type Clock, pause } from '../../system/clock.ts'
import { DATABASE_SECRET } from '../../system/dashboard-secrets.ts'
import { HermesError } from '../../system/errors.ts'
import { noFilesInDatabase } from '../attachments/attachment.ts'
import type { Board, BoardPlace, TickLock } from '../port/board.ts'
import type { Boards, OpenBoardOptions } from '../port/boards.ts'
import type { Moves } from '../port/moves.ts'
import type { Node } from '../port/nodes.ts'
import { errorOf, SERVED_METHODS, type ServedAnswer, type ServedMethod, type ServedRequest } from './served.ts'

/** While the dispatcher starts, at boot or again. With the time for an answer it stays below five seconds. */
const CONNECT_MS = 3500
const CONNECT_AGAIN_MS = 50
const ANSWER_MS = 3700
const TOTAL_MS = 4200
/** A list of all tasks is one line. */
const MAX_ANSWER_BYTES = 256 * 1024 * 1024

type Asked = ServedRequest extends infer R ? (R extends ServedRequest ? Omit<R, 'id'> : never) : never

/** Boards in a database that only the dispatcher knows. */
export class ServedBoards implements Boards {
  readonly kept = 'database'
  readonly #path: string
  readonly #clock: Clock
  #line: Promise<Line> | undefined

  /** @param path the dispatcher's socket */
  constructor(path: string, clock: Clock) {
    this.#path = path
    this.#clock = clock
  }

  place(slug: string): BoardPlace {
    return { slug }
  }

  where(): string {
    return 'the database'
  }

  async list(): Promise<readonly BoardPlace[]> {
    const slugs = (await this.#ask({ ask: 'boards' })).result as readonly string[]
    return slugs.map((slug) => ({ slug }))
  }

  async has({ slug }: BoardPlace): Promise<boolean> {
    return (await this.list()).some((board) => board.slug === slug)
  }

  async isNeverCreated(place: BoardPlace): Promise<boolean> {
    return !(await this.has(place))
  }

  async open(place: BoardPlace, { mode, warn }: OpenBoardOptions): Promise<Board> {
    const board = place.slug
    const { warnings = [] } = await this.#ask({ ask: 'open', board, mode })
    for (const text of warnings) warn(text)
    const call = async (method: ServedMethod, args: readonly unknown[]): Promise<unknown> =>
      (await this.#ask({ ask: 'call', board, mode, method, args: { ...args }, count: args.length })).result
    const calls = Object.fromEntries(
      SERVED_METHODS.map((method) => [method, (...args: readonly unknown[]) => call(method, args)]),
    ) as unknown as Pick<Board, ServedMethod>
    return {
      ...calls,
      place,
      wallMs: async () => (await this.#ask({ ask: 'time', board, mode })).result as number,
      holdTicks: (clock, waitMs) => this.holdTicks(place, clock, waitMs),
      allAttachments: async () => [],
      attach: () => Promise.reject(noFilesInDatabase(board)),
      detach: () => Promise.reject(noFilesInDatabase(board)),
      snapshot: () => refuseCopy(),
      fill: () => refuseCopy(),
      moveOut: () => refuseCopy(),
      seal: () => refuseCopy(),
      unseal: () => refuseCopy(),
      close: async () => undefined,
    }
  }

  /** On a connection of its own, since the lock ends with it. */
  async holdTicks({ slug }: BoardPlace, _: Clock, waitMs: number): Promise<TickLock | undefined> {
    const line = await connect(this.#path, this.#clock)
    const asked = { ask: 'hold', board: slug, waitMs } as const
    const isHeld = await line.ask(asked, waitMs + ANSWER_MS).catch((error) => {
      line.end()
      throw error
    })
    if (isHeld.result === true) return { isHeld: () => line.isOpen, release: async () => line.end() }
    line.end()
    return undefined
  }

  async rename({ slug }: BoardPlace, to: string): Promise<void> {
    await this.#ask({ ask: 'rename', board: slug, to })
  }

  async setAside({ slug }: BoardPlace): Promise<string> {
    return (await this.#ask({ ask: 'set-aside', board: slug })).result as string
  }

  async nodes(): Promise<readonly Node[]> {
    return (await this.#ask({ ask: 'nodes' })).result as readonly Node[]
  }

  moves(): Moves {
    const ask = async (step: 'look' | 'begin' | 'cancel', profile: string): Promise<unknown> =>
      (await this.#ask({ ask: 'move', step, profile })).result
    return {
      look: (profile) => ask('look', profile) as ReturnType<Moves['look']>,
      begin: (profile) => ask('begin', profile) as ReturnType<Moves['begin']>,
      cancel: (profile) => ask('cancel', profile) as ReturnType<Moves['cancel']>,
      // Only a dashboard does this, which has the address.
      take: async () => false,
      arrived: async () => undefined,
    }
  }

  leases(): undefined {
    return undefined
  }

  problem(error: unknown): unknown {
    return error
  }

  identity(): string {
    return 'database'
  }

  async close(): Promise<void> {
    const line = this.#line
    this.#line = undefined
    await line?.then(
      (open) => open.end(),
      () => undefined, // it never opened, and the caller has the error
    )
  }

  async #ask(asked: Asked): Promise<ServedAnswer> {
    const untilMs = this.#clock.nowMs() + TOTAL_MS
    const known = await this.#line?.catch(() => undefined)
    if (known?.isOpen !== true) this.#line = connect(this.#path, this.#clock)
    const line = await (this.#line as Promise<Line>)
    return line.ask(asked, Math.min(ANSWER_MS, untilMs - this.#clock.nowMs()))
  }
}

/** A whole board takes minutes, and the dispatcher has other things to do. */
async function refuseCopy(): Promise<never> {
  throw new HermesError('REFUSED', 'a whole board is copied only by a process that has the address of the database', {
    next: `give it the address: docker exec -e ${DATABASE_SECRET}=postgres://… CONTAINER hermes kanban …`,
  })
}

const unreachable = (why: string, cause?: unknown): HermesError =>
  new HermesError('FAILED', `the board is in a database, and the dispatcher, which leads there, ${why}`, {
    detail: 'NO_DATABASE',
    next: 'look for the slot "dispatcher" with hermes status, and at its log with hermes logs dispatcher',
    cause,
  })

async function connect(path: string, clock: Clock): Promise<Line> {
  const untilMs = clock.nowMs() + CONNECT_MS
  for (;;) {
    try {
      return new Line(await opened(path), clock)
    } catch (error) {
      if (clock.nowMs() >= untilMs) throw unreachable(`does not run (${(error as NodeJS.ErrnoException).code})`, error)
    }
    await pause(clock, CONNECT_AGAIN_MS)
  }
}

const opened = (path: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = createConnection(path)
    socket.once('error', reject)
    socket.once('connect', () => resolve(socket.off('error', reject)))
  })

interface Waiting {
  resolve(answer: ServedAnswer): void
  reject(error: Error): void
}

/** One connection to the dispatcher. */
class Line {
  readonly #socket: Socket
  readonly #clock: Clock
  readonly #waiting = new Map<number, Waiting>()
  #lastId = 0
  readonly #splitter = new LineSplitter(MAX_ANSWER_BYTES)

  constructor(socket: Socket, clock: Clock) {
    this.#socket = socket
    this.#clock = clock
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', () => undefined) // `close` follows
    socket.on('close', () => {
      for (const { reject } of this.#waiting.values()) reject(unreachable('ended before it answered'))
    })
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed
  }

  async ask(asked: Asked, timeoutMs: number): Promise<ServedAnswer> {
    const id = ++this.#lastId
    const answer = Promise.withResolvers<ServedAnswer>()
    this.#waiting.set(id, answer)
    const cancel = this.#clock.at(this.#clock.nowMs() + timeoutMs, () =>
      answer.reject(unreachable(`did not answer in ${(timeoutMs / 1000).toFixed(1)} s`)),
    )
    this.#socket.write(`${JSON.stringify({ ...asked, id })}\n`)
    try {
      const { error, ...rest } = await answer.promise
      if (error !== undefined) throw errorOf(error)
      return rest
    } finally {
      cancel()
      this.#waiting.delete(id)
    }
  }

  end(): void {
    this.#socket.destroy()
  }

  #read(chunk: Buffer): void {
    const { lines, tooLong } = this.#splitter.push(chunk)
    for (const line of lines) {
      const answer = JSON.parse(line) as ServedAnswer
      this.#waiting.get(answer.id)?.resolve(answer)
    }
    if (tooLong) this.end()
  }
}
