import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { ROUTES } from '../contract/routes.ts'
import { rawPath } from '../gate/request-facts.ts'

/**
 * The one upgrade that is taken. Any other is the plain request that it also is (RFC 9110, 7.8: "a server MAY ignore a received
 * Upgrade header field"), such as the one for HTTP/2 that `curl --http2` asks for.
 */
export const wantsTerminal = (request: IncomingMessage): boolean =>
  request.method === ROUTES.terminal.method &&
  request.headers.upgrade?.toLowerCase() === 'websocket' &&
  rawPath(request) === ROUTES.terminal.path

/** Answers a request to upgrade with something else; the connection, which nobody else looks after any more, ends with it. */
export async function answerUpgrade(request: IncomingMessage, socket: Socket, response: Response): Promise<void> {
  const text = await response.text()
  const outgoing = new ServerResponse(request)
  outgoing.assignSocket(socket)
  outgoing.shouldKeepAlive = false
  outgoing.setHeaders(response.headers)
  outgoing.statusCode = response.status
  // Closed by us: half open it would hold up the end of the dashboard for as long as the other side likes.
  outgoing.once('finish', () => socket.destroySoon())
  outgoing.end(text)
}
