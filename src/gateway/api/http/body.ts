import type { IncomingMessage } from 'node:http'
import { badRequest, busy, tooLarge } from './refusals.ts'

export const MAX_BODY_BYTES = 16 * 1024 * 1024
/** Budget for all requests in progress: a body takes its size, and again as parsed JSON. */
const BODIES_BUDGET_BYTES = 64 * 1024 * 1024

export interface BodyBudget {
  heldBytes: number
}

export interface JsonBody {
  readonly value: Readonly<Record<string, unknown>>
  /** Call this when the request is finished. */
  release(): void
}

/**
 * Reads a JSON object. A body that is too large is refused before it is read where its length is known.
 * @throws Refused
 */
export async function readJson(request: IncomingMessage, budget: BodyBudget): Promise<JsonBody> {
  if (![undefined, 'identity'].includes(request.headers['content-encoding'])) {
    throw badRequest('compressed request bodies are not supported; send the body without Content-Encoding')
  }
  let held = 0
  const release = (): void => {
    budget.heldBytes -= held
    held = 0
  }
  try {
    if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge(MAX_BODY_BYTES)
    const chunks: Buffer[] = []
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      held += chunk.length
      budget.heldBytes += chunk.length
      if (held > MAX_BODY_BYTES) throw tooLarge(MAX_BODY_BYTES)
      if (budget.heldBytes > BODIES_BUDGET_BYTES) throw busy()
      chunks.push(chunk)
    }
    return { value: parseObject(Buffer.concat(chunks).toString('utf8')), release }
  } catch (error) {
    release()
    // The rest is thrown away as it comes, for as long as a request may take: closing now would reset the connection,
    // and a client that is still sending would never see the refusal.
    request.resume()
    if (request.errored) throw badRequest('the request ended before its body was complete')
    throw error
  }
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw badRequest(`the request body is not JSON: ${(cause as Error).message.slice(0, 100)}`)
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw badRequest('the request body must be a JSON object')
}
