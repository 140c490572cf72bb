/** The parts of a request that the meter reads and changes. Pure. */
import { isRecord } from '../system/text/record.ts'

export interface MeteredQuestion {
  /** The body to forward. */
  readonly body: Buffer
  /** The model that it names; empty where it names none. */
  readonly model: string
  /** The stream is to be asked to say what it has used, although the client has not asked for that. */
  readonly addsUsage: boolean
  /** Most tokens that all of its answers may have; undefined: it names no limit. */
  readonly mostOutputTokens: number | undefined
}

/** Paths whose streams say what they have used only when they are asked to. */
const ASKED = ['chat/completions', 'completions']

/**
 * A stream of chat or completions reports its usage only with `stream_options.include_usage`
 * (https://platform.openai.com/docs/api-reference/chat/create#chat-create-stream_options), so it is added.
 * @param path below `/v1/`. A body that is not a JSON object is forwarded as it is
 */
export function meteredQuestion(path: string, body: Buffer): MeteredQuestion {
  const value = parsed(body)
  if (value === undefined) return { body, model: '', addsUsage: false, mostOutputTokens: undefined }
  const model = typeof value.model === 'string' ? value.model.slice(0, MAX_MODEL_CHARS) : ''
  const mostOutputTokens = path === 'embeddings' ? 0 : mostOf(value)
  const { stream, stream_options: options } = value
  const given = isRecord(options) ? options : {}
  if (stream !== true || !ASKED.includes(path) || given.include_usage === true)
    return { body, model, addsUsage: false, mostOutputTokens }
  const next = { ...value, stream_options: { ...given, include_usage: true } }
  return { body: Buffer.from(JSON.stringify(next)), model, addsUsage: true, mostOutputTokens }
}

/** The limit of each answer, as chat, completions and responses name it, for as many answers as are wanted. */
function mostOf({ n, max_completion_tokens, max_tokens, max_output_tokens }: Record<string, unknown>) {
  const limit = [max_completion_tokens, max_tokens, max_output_tokens].find(isCount)
  return limit === undefined ? undefined : limit * (isCount(n) ? n : 1)
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0

const MAX_MODEL_CHARS = 200

function parsed(body: Buffer): Record<string, unknown> | undefined {
  if (body.length === 0) return undefined
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return isRecord(value) ? value : undefined
  } catch {
    return undefined // the endpoint says what is wrong with it
  }
}

/**
 * The part of the path below `/v1/`, and the profile; undefined for any other path.
 * @param url as in the request line. Dots that would lead out of the endpoint's path are refused
 */
export function meteredPath(url: string): { readonly profile: string; readonly path: string } | undefined {
  const [target = ''] = url.split(/[?#]/, 1)
  const found = /^\/p\/([a-z0-9][a-z0-9_-]{0,63})\/v1\/(.+)$/.exec(target)
  const [, profile, path] = found ?? []
  if (profile === undefined || path === undefined) return undefined
  const leadsOut = path.split('/').some((part) => /^(\.|%2e){1,2}$/i.test(part)) || /%2f|%5c|\\/i.test(path)
  return leadsOut ? undefined : { profile, path }
}
