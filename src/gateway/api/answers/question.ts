import type { Message } from '../../agent/agent.ts'
import { parseSessionId } from '../../sessions/store.ts'
import { badRequest } from '../http/refusals.ts'

/** A request to /v1/chat/completions, checked as far as we act on it. */
export interface ChatRequest {
  /** Absent: the profile's. */
  readonly model: string | undefined
  readonly messages: readonly Message[]
  readonly stream: boolean
  /** The rest, for the endpoint. */
  readonly parameters: Readonly<Record<string, unknown>>
}

export const MAX_MESSAGES = 10_000

/** @throws Refused with 400 naming the parameter */
export function parseChat(body: Readonly<Record<string, unknown>>): ChatRequest {
  const { model, messages, stream, ...parameters } = body
  if (!Array.isArray(messages) || messages.length === 0 || messages.length > MAX_MESSAGES) {
    throw badRequest(`messages must be a list of 1 to ${MAX_MESSAGES} messages`, 'messages')
  }
  return { ...parseCommon({ model, stream }), messages: messages.map(parseMessage), parameters }
}

/** Parameters that mean the same in every API. @throws Refused */
export function parseCommon({
  model,
  stream,
}: Readonly<Record<string, unknown>>): Pick<ChatRequest, 'model' | 'stream'> {
  if (model !== undefined && typeof model !== 'string') throw badRequest('model must be a string', 'model')
  if (stream !== undefined && stream !== null && typeof stream !== 'boolean') {
    throw badRequest('stream must be true or false', 'stream')
  }
  return { model, stream: stream === true }
}

function parseMessage(message: unknown, index: number): Message {
  const { role, content } = (message ?? {}) as { role?: unknown; content?: unknown }
  const where = `messages[${index}]`
  if (typeof role !== 'string') throw badRequest(`${where}.role must be a string such as "user"`, where)
  const fine = content === undefined || content === null || typeof content === 'string' || Array.isArray(content)
  if (!fine) throw badRequest(`${where}.content must be a string or a list of parts`, where)
  return message as Message
}

/** The name of the conversation that this request continues. @param param where it stands @throws Refused */
export function parseSession(name: string | undefined, param: string): string | undefined {
  if (name === undefined || name === '') return undefined
  try {
    return parseSessionId(name)
  } catch (error) {
    throw badRequest((error as Error).message, param)
  }
}
