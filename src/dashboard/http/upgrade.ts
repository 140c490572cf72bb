import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { ROUTES } from '../contract/routes.ts'
import { rawPath } from '../gate/request-facts.ts'

/**
 * The one upgrade that is accepted. Any other is treated as the plain request that it also is (RFC 9110, 7.8: "a
 * server MAY ignore a received Upgrade header field"), such as the upgrade to HTTP/2 of `curl --http2`.
 */
export const wantsTerminal = (request: IncomingMessage): boolean =>
  request.method === ROUTES.terminal.method &&
  request.headers.upgrade?.toLowerCase() === 'websocket' &&
  rawPath(request) === ROUTES.terminal.path

/** Answers an upgrade request with something else, and closes the connection, which no other code handles any more. */
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
