import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import type { WebSocket, WebSocketServer } from 'ws'
import { DONE } from '../../access/audit-entry.ts'
import type { Cancel, Clock } from '../../system/clock.ts'
import { ROUTES } from '../contract/routes.ts'
import { MAX_INPUT_CHARS, TerminalMessage, TerminalSize } from '../contract/terminal.ts'
import { checkChange } from '../gate/guard.ts'
import { badHandshake, notFound, refusalOf, unavailable, withCookies } from '../gate/refusals.ts'
import { requestFacts } from '../gate/request-facts.ts'
import { checkScope } from '../gate/rights.ts'
import { refuse } from '../http/answers.ts'
import { type AppFacts, enter } from '../http/app.ts'
import { whoIs } from '../http/recorded.ts'
import { answerUpgrade, wantsTerminal } from '../http/upgrade.ts'
import { openPty, type Pty } from './pty.ts'

export interface TerminalFacts {
  readonly clock: Clock
  readonly command: readonly [string, ...string[]]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** Called for each terminal of a session. */
  readonly onOpen: (session: string) => void
}

const PROTOCOL = 'hermes'
const MAX_TERMINALS = 10
/** In JSON, a character can take six bytes; MAX_INPUT_CHARS is in the contract. */
const MAX_MESSAGE_BYTES = 6 * MAX_INPUT_CHARS + 1024
/** Maximum of data that waits for a browser before the program is held back, and the other way round. */
const MAX_WAITING_BYTES = 256 * 1024
const PING_MS = 30_000
/** Time for a browser to confirm that it has read the reason. */
const CLOSE_TIMEOUT_MS = 200
/** Close codes (RFC 6455, 7.4.1). */
const CLOSE = { normal: 1000, leaving: 1001, policy: 1008, broken: 1011 } as const

/** Programs on terminals in browsers: `hermes chat`, as the user the dashboard runs as. */
export class Terminals {
  readonly #facts: TerminalFacts
  /** The session of each terminal; undefined where no log-in is needed. */
  readonly #open = new Map<WebSocket, string | undefined>()
  #server: Promise<WebSocketServer> | undefined
  /** Cookies of a session that its upgrade request has renewed, for the answer. */
  readonly #cookies = new WeakMap<IncomingMessage, readonly string[]>()

  constructor(facts: TerminalFacts) {
    this.#facts = facts
  }

  /** Takes the upgrades of a server. */
  serve(server: Server, app: AppFacts): void {
    server.on('upgrade', (request, stream, head) => {
      // Typed for servers on other streams; this one is on TCP.
      const socket = stream as Socket
      socket.on('error', () => socket.destroy())
      this.#upgrade(app, request, socket, head).catch((error: unknown) => this.#refuse(app, request, socket, error))
    })
  }

  /** The sessions that have terminals. */
  sessions(): readonly (string | undefined)[] {
    return [...this.#open.values()]
  }

  /** Closes the terminals of a session that has ended. */
  closeOf(session: string): void {
    for (const [socket, of] of this.#open) if (of === session) end(socket, CLOSE.policy, 'the session has ended')
  }

  closeAll(): void {
    const { clock } = this.#facts
    for (const socket of this.#open.keys()) {
      end(socket, CLOSE.leaving, 'the dashboard ends')
      const cancel = clock.at(clock.nowMs() + CLOSE_TIMEOUT_MS, () => socket.terminate())
      socket.once('close', cancel)
    }
  }

  async #upgrade(app: AppFacts, request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    // Before Node 24.9 a server cannot choose, and every upgrade arrives here.
    if (!app.page.terminal || !wantsTerminal(request)) throw notFound('the terminal is not enabled')
    const facts = requestFacts(request, app.outside)
    const { caller, viewer, rights, cookies } = await enter(app, facts, socket)
    this.#cookies.set(request, cookies)
    // A browser lets any page open a socket to us, with our cookies: it must bring what a change must bring.
    checkChange({ ...facts, method: 'POST' }, caller)
    checkScope(ROUTES.terminal, caller, rights)
    this.#server ??= this.#webSocketServer(app)
    const server = await this.#server
    if (this.#open.size >= MAX_TERMINALS)
      throw unavailable('busy', `the maximum of ${MAX_TERMINALS} terminals are open`)
    server.handleUpgrade(request, socket, head, (opened) => {
      this.#open.set(opened, viewer?.session)
      app.record({ ...whoIs({ facts, caller, viewer }), action: 'terminal open', target: null, result: DONE })
      const cancels = [this.#keepAlive(opened)]
      if (viewer !== undefined) {
        cancels.push(this.#endAt(opened, viewer.endsAtMs))
        this.#facts.onOpen(viewer.session)
      }
      opened.once('close', () => {
        for (const cancel of cancels) cancel()
        this.#open.delete(opened)
      })
      attach(opened, this.#facts)
    })
  }

  /** Loaded for the first terminal: most dashboards have none. */
  async #webSocketServer(app: AppFacts): Promise<WebSocketServer> {
    const { WebSocketServer } = await import('ws')
    const server = new WebSocketServer({
      noServer: true,
      maxPayload: MAX_MESSAGE_BYTES,
      handleProtocols: (offered) => (offered.has(PROTOCOL) ? PROTOCOL : false),
    })
    server.on('headers', (lines, request) => {
      lines.push(...(this.#cookies.get(request) ?? []).map((cookie) => `Set-Cookie: ${cookie}`))
    })
    server.on('wsClientError', ({ message }, socket, request) =>
      this.#refuse(app, request, socket as Socket, badHandshake(message)),
    )
    return server
  }

  #refuse(app: AppFacts, request: IncomingMessage, socket: Socket, error: unknown): void {
    const refused = withCookies(refusalOf(error, app.bug), this.#cookies.get(request) ?? [])
    answerUpgrade(request, socket, refuse(app, refused)).catch((bug: unknown) => {
      app.bug(bug)
      socket.destroy()
    })
  }

  /** A browser that disappears silently must not keep its program running. */
  #keepAlive(socket: WebSocket): Cancel {
    const { clock } = this.#facts
    let answered = true
    let cancel: Cancel = () => undefined
    const turn = (): void => {
      // Held back, its answer is not read: a connection that is gone fails when it is written to.
      if (!answered && !socket.isPaused) {
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
    return clock.at(atMs, () => end(socket, CLOSE.policy, 'the session has ended'))
  }
}

/** Held back, the other side's answer to a close would not be read. */
function end(socket: WebSocket, code: number, why: string): void {
  socket.resume()
  socket.close(code, why)
}

/** The first message sets the size of the terminal; then the program starts. */
function attach(socket: WebSocket, facts: TerminalFacts): void {
  let pty: Promise<Pty | undefined> | undefined
  socket.on('message', (bytes: Buffer, isBinary: boolean) => {
    // After a close request, a client may still send messages; they are ignored.
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
      if (message.type === 'resize') opened?.resize(message.cols, message.rows)
      // Unread data fills the browser's buffer, and the page waits.
      else if (opened !== undefined && opened.write(message.data) > MAX_WAITING_BYTES) socket.pause()
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
  pty.onWritten(() => socket.resume())
  pty.onExit(() => end(socket, CLOSE.normal, 'the program has ended'))
  return pty
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON: the schema refuses it.
    return undefined
  }
}
