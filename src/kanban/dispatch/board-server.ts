/** The dispatcher's socket: it does what programs ask that do not know the database's address. */
import { rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { LineSplitter } from '../../protocol/lines.ts'
import type { Cancel, Clock } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import type { TickLock } from '../port/board.ts'
import type { Boards } from '../port/boards.ts'
import { parseSlug, refuseDefaultBoard } from '../store/places.ts'
import { SERVED_METHODS, type ServedAnswer, type ServedRequest, servedError } from '../store/served.ts'

/** A task with the longest texts, as JSON. */
const MAX_LINE_BYTES = 8_000_000
const LOCK_LOOK_MS = 500

export interface BoardServerOptions {
  readonly boards: Boards
  /** In a directory of the runtime user's. */
  readonly path: string
  readonly clock: Clock
  readonly warn: (text: string) => void
}

/** @returns once it listens; close() ends every connection */
export async function serveBoards(options: BoardServerOptions): Promise<{ close(): void }> {
  const { path } = options
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    serveOne(socket, options)
  })
  // Of a dispatcher that was killed.
  rmSync(path, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  return {
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

function serveOne(socket: Socket, options: BoardServerOptions): void {
  const locks: TickLock[] = []
  let looking: Cancel | undefined
  const look = (): void => {
    looking?.()
    looking = options.clock.at(options.clock.nowMs() + LOCK_LOOK_MS, look)
    if (locks.some((lock) => !lock.isHeld())) socket.destroy()
  }
  const held: Held = {
    add: (lock) => {
      locks.push(lock)
      // It may have gone while the lock was waited for.
      if (socket.destroyed) void lock.release()
      else look()
    },
  }
  const splitter = new LineSplitter(MAX_LINE_BYTES)
  socket.on('error', () => undefined) // `close` follows
  socket.once('close', () => {
    looking?.()
    for (const lock of locks) void lock.release()
  })
  socket.on('data', (chunk: Buffer) => {
    const { lines, tooLong } = splitter.push(chunk)
    for (const line of lines) void answer(line, held, options).then((text) => text === undefined || socket.write(text))
    if (tooLong) socket.destroy()
  })
}

interface Held {
  add(lock: TickLock): void
}

/** @returns a line; undefined: what was sent is not a request */
async function answer(line: string, held: Held, options: BoardServerOptions): Promise<string | undefined> {
  let request: ServedRequest | null
  try {
    request = JSON.parse(line) as ServedRequest | null
  } catch {
    return undefined
  }
  if (typeof request?.id !== 'number') return undefined
  const { id } = request
  return `${JSON.stringify({ ...(await perform(request, held, options)), id })}\n`
}

async function perform(
  request: ServedRequest,
  held: Held,
  options: BoardServerOptions,
): Promise<Omit<ServedAnswer, 'id'>> {
  try {
    return await work(request, held, options)
  } catch (error) {
    if (error instanceof HermesError) return { error: servedError(error) }
    options.warn(`a bug, while a program asked for "${request.ask}": ${(error as Error).stack ?? error}`)
    return { error: servedError(new HermesError('FAILED', `a bug in the dispatcher: ${(error as Error).message}`)) }
  }
}

async function work(
  request: ServedRequest,
  held: Held,
  { boards, clock }: BoardServerOptions,
): Promise<Omit<ServedAnswer, 'id'>> {
  if (request.ask === 'boards') return { result: (await boards.list()).map(({ slug }) => slug) }
  if (request.ask === 'nodes') return { result: await boards.nodes() }
  if (request.ask === 'move') {
    const { step, profile } = request
    if (!['look', 'begin', 'cancel'].includes(step)) throw new HermesError('BAD_REQUEST', 'a move has no such step')
    return { result: await boards.moves()?.[step](String(profile)) }
  }
  const place = boards.place(String(request.board))
  if (request.ask === 'hold') {
    const lock = await boards.holdTicks(place, clock, request.waitMs)
    if (lock !== undefined) held.add(lock)
    return { result: lock !== undefined }
  }
  if (request.ask === 'rename') {
    refuseDefaultBoard(place.slug)
    await boards.rename(place, parseSlug(String(request.to)), clock)
    return {}
  }
  if (request.ask === 'set-aside') {
    refuseDefaultBoard(place.slug)
    return { result: await boards.setAside(place, clock) }
  }
  const warnings: string[] = []
  const board = await boards.open(place, { mode: request.mode, warn: (text) => warnings.push(text) })
  switch (request.ask) {
    case 'open':
      return { warnings }
    case 'time':
      return { result: await board.wallMs(clock) }
    case 'call': {
      const { method, args, count } = request
      // Any process of the runtime user may send anything.
      if (!SERVED_METHODS.includes(method)) throw new HermesError('BAD_REQUEST', 'a board has no such method')
      const list = Array.from({ length: Math.min(count, 10) }, (_, at) => args[at])
      const run = board[method] as (...args: readonly unknown[]) => Promise<unknown>
      return { result: await run.apply(board, list) }
    }
    default:
      throw new HermesError('BAD_REQUEST', 'the dispatcher does not know this request')
  }
}
