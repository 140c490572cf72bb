import type { IncomingMessage } from 'node:http'
import { badRequest, notBytes, notJson, tooLarge } from '../gate/refusals.ts'

/** A task's body may have 1 MB; in JSON a character can take six bytes. */
export const MAX_BODY_BYTES = 2_000_000

/** Before a log-in, a request needs only a name and a password, and anyone may send it. */
export const MAX_STRANGER_BYTES = 32_768

/**
 * Reads a JSON body.
 * @throws Refused
 */
export async function readJson(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  // A form cannot send this type without asking first, so a page elsewhere cannot either (Fetch, "CORS-safelisted").
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) throw notJson()
  const body = await readBytes(request, maxBytes)
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (error) {
    throw badRequest(`the request's body is not JSON: ${(error as Error).message.slice(0, 100)}`)
  }
}

/**
 * Reads a file that a request sends.
 * @throws Refused
 */
export function readUpload(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  // Nor can a form send this one.
  if (!/^application\/octet-stream\s*(;|$)/i.test(request.headers['content-type'] ?? '')) throw notBytes()
  return readBytes(request, maxBytes)
}

/** @throws Refused */
async function readBytes(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let held = 0
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      held += chunk.length
      if (held > maxBytes) throw tooLarge(maxBytes)
      chunks.push(chunk)
    }
  } catch (error) {
    // Discards the rest: closing now would reset the connection before the client has read the reason.
    request.resume()
    if (request.errored) throw badRequest('the request ended before its body was complete')
    throw error
  }
  return Buffer.concat(chunks)
}
