import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import { networkOf } from './address.ts'

/** Connections of one address that have asked nothing yet. A browser opens six, a proxy some more in advance. */
const MAX_HALF_OPEN = 100

/**
 * Keeps one address from holding all connections of a server without asking anything: until its headers are late, each of them is one
 * that somebody else cannot have.
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
