import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Lets a server end the connections that wait for their next request, and no others. `closeIdleConnections` and `close`
 * of node:http take a connection for idle as soon as `end` was called for its answer, and destroy it although a slow
 * client has not taken all of it: `_http_server.js`, closeIdleConnections, in Node 26.
 * @returns ends those that are idle now
 */
export function idleConnections(server: Server): () => void {
  /** Answers that each connection has not handed over yet. */
  const open = new Map<Socket, number>()
  server.on('connection', (socket: Socket) => {
    open.set(socket, 0)
    socket.once('close', () => open.delete(socket))
  })
  const add = (socket: Socket, by: number): void => {
    const count = open.get(socket)
    if (count !== undefined) open.set(socket, count + by)
  }
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    add(socket, 1)
    response.once('close', () => add(socket, -1))
  })
  return () => {
    for (const [socket, count] of open) if (count === 0) socket.destroy()
  }
}
