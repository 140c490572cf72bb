import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocket, WebSocketServer } from 'ws'
import type { Cancel, Clock } from '../../system/clock.ts'
import { TerminalMessage, TerminalSize } from '../api/contract.ts'
import { type AppFacts, enter } from '../http/app.ts'
import { checkChange } from '../http/guard.ts'
import { notFound, type Refused, refusalOf, unavailable } from '../http/refusals.ts'
import { requestFacts } from '../http/request-facts.ts'
import { openPty, type Pty } from './pty.ts'

export interface TerminalFacts {
  readonly clock: Clock
  readonly command: readonly [string, ...string[]]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

const PATH = '/api/terminal'
const PROTOCOL = 'hermes'
const MAX_TERMINALS = 10
const MAX_MESSAGE_BYTES = 128 * 1024
/** What may wait for a browser before the program is held back. */
const MAX_WAITING_BYTES = 256 * 1024
const PING_MS = 30_000
/** For a browser to say that it has read why. */
const FAREWELL_MS = 200
/** Close codes (RFC 6455, 7.4.1). */
const CLOSE = { normal: 1000, leaving: 1001, policy: 1008, broken: 1011 } as const

/** Programs on terminals in browsers: `hermes chat`, as the user the dashboard runs as. */
export class Terminals {
  readonly #facts: TerminalFacts
  /** With the session each belongs to; undefined where no log-in is needed. */
  readonly #open = new Map<WebSocket, string | undefined>()
  #server: WebSocketServer | undefined

  constructor(facts: TerminalFacts) {
    this.#facts = facts
  }

  /** Takes the upgrades of a server. */
  serve(server: Server, app: AppFacts): void {
    // Without a listener Node answers an upgrade (curl --http2 asks for one) as the plain request that it also is.
    if (!app.page.terminal) return
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', () => socket.destroy())
      this.#upgrade(app, request, socket, head).catch((error: unknown) => refuse(socket, refusalOf(error, app.bug)))
    })
  }

  /** Of a session that has ended. */
  closeOf(session: string): void {
    for (const [socket, of] of this.#open) if (of === session) socket.close(CLOSE.policy, 'the session has ended')
  }

  closeAll(): void {
    const { clock } = this.#facts
    for (const socket of this.#open.keys()) {
      socket.close(CLOSE.leaving, 'the dashboard ends')
      const cancel = clock.at(clock.nowMs() + FAREWELL_MS, () => socket.terminate())
      socket.once('close', cancel)
    }
  }

  async #upgrade(app: AppFacts, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const facts = requestFacts(request, app.outside)
    const { caller, viewer } = await enter(app, facts)
    if (facts.path !== PATH) throw notFound('there is no terminal here')
    // A browser lets any page open a socket to us, with our cookies: it must bring what a change must bring.
    checkChange({ ...facts, method: 'POST' }, caller)
    if (this.#open.size >= MAX_TERMINALS) throw unavailable('busy', `${MAX_TERMINALS} terminals are open already`)
    if (this.#server === undefined) {
      const { WebSocketServer } = await import('ws')
      this.#server = new WebSocketServer({
        noServer: true,
        maxPayload: MAX_MESSAGE_BYTES,
        handleProtocols: (offered) => (offered.has(PROTOCOL) ? PROTOCOL : false),
      })
    }
    this.#server.handleUpgrade(request, socket, head, (opened) => {
      this.#open.set(opened, viewer?.session)
      const cancels = [this.#keepAlive(opened)]
      if (viewer !== undefined) cancels.push(this.#endAt(opened, viewer.endsAtMs))
      opened.once('close', () => {
        for (const cancel of cancels) cancel()
        this.#open.delete(opened)
      })
      attach(opened, this.#facts)
    })
  }

  /** A browser that has vanished without a word must not keep its program. */
  #keepAlive(socket: WebSocket): Cancel {
    const { clock } = this.#facts
    let answered = true
    let cancel: Cancel = () => undefined
    const turn = (): void => {
      if (!answered) {
        socket.terminate()
        return
      }
      answered = false
      socket.ping()
      cancel = clock.at(clock.nowMs() + PING_MS, turn)
    }
    socket.on('pong', () => {
      answered = true
    })
    cancel = clock.at(clock.nowMs() + PING_MS, turn)
    return () => cancel()
  }

  #endAt(socket: WebSocket, wallMs: number): Cancel {
    const { clock } = this.#facts
    const atMs = clock.nowMs() + Math.max(0, wallMs - clock.wallMs())
    return clock.at(atMs, () => socket.close(CLOSE.policy, 'the session has ended'))
  }
}

/** The first message says how large the terminal is; then the program starts. */
function attach(socket: WebSocket, facts: TerminalFacts): void {
  let pty: Promise<Pty | undefined> | undefined
  socket.on('message', (bytes: Buffer, isBinary: boolean) => {
    // Told to close, a client may go on for a while; it is not listened to.
    if (socket.readyState !== socket.OPEN) return
    const text = isBinary ? '' : bytes.toString('utf8')
    if (pty === undefined) {
      const size = TerminalSize.safeParse(parsed(text))
      if (!size.success) return socket.close(CLOSE.policy, 'the first message is {cols, rows}')
      pty = start(socket, facts, size.data)
      return
    }
    const { data: message } = TerminalMessage.safeParse(parsed(text))
    if (message === undefined) return socket.close(CLOSE.policy, 'not understood')
    void pty.then((opened) => {
      if (message.type === 'input') opened?.write(message.data)
      else opened?.resize(message.cols, message.rows)
    })
  })
  socket.on('error', () => socket.terminate())
  socket.once('close', () => void pty?.then((opened) => opened?.end()))
}

async function start(socket: WebSocket, facts: TerminalFacts, size: TerminalSize): Promise<Pty | undefined> {
  let pty: Pty
  try {
    pty = await openPty({ ...facts, ...size }, facts.clock)
  } catch (error) {
    socket.send(Buffer.from(`no terminal can be opened on this system: ${(error as Error).message.split('\n')[0]}\r\n`))
    socket.close(CLOSE.broken, 'no terminal on this system')
    return undefined
  }
  pty.onData((data) => {
    socket.send(data, () => {
      if (socket.bufferedAmount <= MAX_WAITING_BYTES) pty.resume()
    })
    if (socket.bufferedAmount > MAX_WAITING_BYTES) pty.pause()
  })
  pty.onExit(() => socket.close(CLOSE.normal, 'the program has ended'))
  return pty
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON: no message of ours, as the schema will say.
    return undefined
  }
}

function refuse(socket: Duplex, { status, body }: Refused): void {
  const text = `${JSON.stringify(body)}\n`
  // Half open it would be nobody's any more, and hold up the end.
  socket.once('finish', () => socket.destroy())
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`,
  )
}
