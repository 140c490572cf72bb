import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { networkOf } from './address.ts'

/**
 * Limits the connections of a server so that no client can keep another out. Where they are all taken, a new one gets
 * the place of an older one, and connections whose callers are admitted keep theirs.
 * @param admitted whose caller has a session, a key or a token; the server adds to it
 */
export function limitConnections(server: Server, max: number, admitted: Pick<WeakSet<Socket>, 'has'>): void {
  /** The network of each connection, in the order in which they came. */
  const open = new Map<Socket, string>()
  server.on('connection', (socket: Socket) => {
    open.set(socket, networkOf(socket.remoteAddress ?? ''))
    socket.once('close', () => open.delete(socket))
    if (open.size <= max) return
    const dropped = connectionToDrop([...open].filter(([one]) => !admitted.has(one))) ?? socket
    // At once: "close" comes in a later turn.
    open.delete(dropped)
    dropped.destroy()
  })
}

/**
 * Selects the oldest connection of the network that holds most of them, whatever it does: a client can hold one without
 * a request, with a request that does not end, and with an answer that it does not read.
 * @param open connections and their networks, oldest first
 */
export function connectionToDrop<T>(open: readonly (readonly [T, string])[]): T | undefined {
  const counts = new Map<string, number>()
  for (const [, network] of open) counts.set(network, (counts.get(network) ?? 0) + 1)
  const most = Math.max(...counts.values())
  return open.find(([, network]) => counts.get(network) === most)?.[0]
}
