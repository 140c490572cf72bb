import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import { networkOf } from './address.ts'

/** Connections per address without a request so far. A browser opens six, a proxy some more in advance. */
const MAX_HALF_OPEN = 100

/**
 * Prevents one address from occupying all connections of a server without sending a request: each of them blocks a
 * connection until its headers are overdue.
 */
export function limitHalfOpen(server: Server, max = MAX_HALF_OPEN): void {
  const waiting = new Map<string, Set<Socket>>()
  const forget = (socket: Socket, network: string): void => {
    const of = waiting.get(network)
    of?.delete(socket)
    if (of?.size === 0) waiting.delete(network)
  }
  const asked = ({ socket }: IncomingMessage): void => forget(socket, networkOf(socket.remoteAddress ?? ''))
  server.on('connection', (socket: Socket) => {
    const network = networkOf(socket.remoteAddress ?? '')
    const of = waiting.get(network) ?? new Set()
    if (of.size >= max) {
      socket.destroy()
      return
    }
    waiting.set(network, of.add(socket))
    socket.once('close', () => forget(socket, network))
  })
  server.on('request', asked)
  server.on('upgrade', asked)
}
