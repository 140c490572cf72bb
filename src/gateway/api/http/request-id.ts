import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

export const REQUEST_ID = 'x-request-id'

/** A client's own id goes into headers and logs, so it has only characters that mean nothing there. */
const CLIENTS_OWN = /^[A-Za-z0-9._:-]{1,128}$/

/** `req_` and 24 hex digits. */
export const newRequestId = (): string => `req_${randomBytes(12).toString('hex')}`

/** The id that a client has given its request, or a new one. */
export function requestIdOf({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const given = headers[REQUEST_ID]
  return typeof given === 'string' && CLIENTS_OWN.test(given) ? given : newRequestId()
}
