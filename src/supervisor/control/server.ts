/**
 * The control socket's server: many clients, none of which can harm another. Everything that a client can hold is
 * limited (a line, all unfinished lines, pending requests, unread bytes), and a client that does not keep up is cut
 * off.
 */
import { createServer, type Socket } from 'node:net'
import type { Cancel, Clock } from '../../system/clock.ts'
import { type ConnectionContext, ControlConnection, type Handlers } from './connection.ts'
import { type ControlLimits, defaultLimits } from './limits.ts'

export type { Handlers } from './connection.ts'
export type { Follower } from './follower.ts'

export interface ControlServerOptions {
  /** A listening Unix socket, inherited. */
  readonly fd: number
  readonly handlers: Handlers
  readonly clock: Clock
  readonly warn: (text: string) => void
  readonly record?: ConnectionContext['record']
  readonly limits?: Partial<ControlLimits>
}

/** Connections that may wait to be accepted; the kernel takes no more than net.core.somaxconn (4096). */
const BACKLOG = 4096
/** Interval between checks of the connections, while there are any. */
const SWEEP_MS = 1000

export interface ControlServer {
  /** Stops listening and ends every connection. Other processes with the same socket keep listening. */
  close(): void
  readonly connections: number
}

/** Serves the control protocol on a socket that another process has bound. */
export function serveControl(options: ControlServerOptions): ControlServer {
  const { fd, handlers, clock, warn, record = () => undefined, limits: given } = options
  const limits = { ...defaultLimits, ...given }
  const connections = new Set<ControlConnection>()
  let unfinishedBytes = 0
  let cancelSweep: Cancel | undefined

  const sweep = (): void => {
    for (const connection of connections) connection.sweep(clock.nowMs())
    cancelSweep = connections.size > 0 ? clock.at(clock.nowMs() + SWEEP_MS, sweep) : undefined
  }
  const share = {
    limits,
    handlers,
    clock,
    warn,
    record,
    followers: () => [...connections].reduce((sum, connection) => sum + connection.following, 0),
    unfinished: (addedBytes: number) => {
      unfinishedBytes += addedBytes
      if (unfinishedBytes <= limits.unfinishedBytes) return
      const longest = [...connections].reduce((a, b) => (b.unfinishedBytes > a.unfinishedBytes ? b : a))
      longest.refuse('too many requests are unfinished at once')
    },
  }
  const accept = (socket: Socket): void => {
    if (connections.size >= limits.connections) evictIdle(connections)
    const connection = new ControlConnection(socket, share)
    connections.add(connection)
    socket.once('close', () => connections.delete(connection))
    cancelSweep ??= clock.at(clock.nowMs() + SWEEP_MS, sweep)
    if (connections.size > limits.connections) connection.refuse('too many connections are open')
  }
  // allowHalfOpen: `printf … | nc -U` closes its half before it has read the reply.
  const server = createServer({ allowHalfOpen: true }, accept)
  server.on('error', (error) => warn(`the control socket: ${error.message}; "hermes" commands will not get an answer`))
  // listen(2) again on what listens already only sets the length of its queue; at 511, Node's default, a storm of
  // clients gets EAGAIN.
  server.listen({ fd }, BACKLOG)
  return {
    close() {
      cancelSweep?.()
      server.close()
      for (const connection of connections) connection.destroy()
    },
    get connections() {
      return connections.size
    },
  }
}

/** Makes room: the connection that has waited longest without a request under way. */
function evictIdle(connections: Set<ControlConnection>): void {
  let oldest: ControlConnection | undefined
  for (const connection of connections) {
    if (connection.busy) continue
    if (oldest === undefined || connection.lastActiveMs < oldest.lastActiveMs) oldest = connection
  }
  if (oldest === undefined) return
  connections.delete(oldest)
  oldest.destroy()
}
