import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { newRequestId, REQUEST_ID } from './request-id.ts'

/** Errors of node:http's parser that have a status of their own; any other is a bad request. */
const STATUSES: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  HPE_HEADER_OVERFLOW: 431,
}

/** Answers what is not a request as node:http would, with a request id like every other answer. */
export function answerInvalidRequests(server: Server): void {
  /** Connections with an answer on its way: another one would be read as a part of it. */
  const answering = new WeakSet<Socket>()
  server.on('request', ({ socket }: IncomingMessage, outgoing: ServerResponse) => {
    answering.add(socket)
    outgoing.once('close', () => answering.delete(socket))
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    if (socket.writable && !answering.has(socket)) {
      const status = STATUSES[error.code ?? ''] ?? 400
      const head = [
        `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
        'Connection: close',
        `${REQUEST_ID}: ${newRequestId()}`,
      ]
      socket.write(`${head.join('\r\n')}\r\n\r\n`)
    }
    socket.destroy(error)
  })
  server.on('checkExpectation', (_incoming: IncomingMessage, outgoing: ServerResponse) => {
    outgoing.writeHead(417, { [REQUEST_ID]: newRequestId() }).end()
  })
}
