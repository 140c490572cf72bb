/** The parts of a request that the meter reads and changes. Pure. */
import { isRecord } from '../system/text/record.ts'

export interface MeteredQuestion {
  /** The body to forward. */
  readonly body: Buffer
  /** The model that it names; empty where it names none. */
  readonly model: string
  /** The stream was asked to say what it has used, although the client has not asked for that. */
  readonly addsUsage: boolean
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
  if (value === undefined) return { body, model: '', addsUsage: false }
  const model = typeof value.model === 'string' ? value.model.slice(0, MAX_MODEL_CHARS) : ''
  const { stream, stream_options: options } = value
  if (stream !== true || !ASKED.includes(path)) return { body, model, addsUsage: false }
  const given = isRecord(options) ? options : {}
  if (given.include_usage === true) return { body, model, addsUsage: false }
  const next = { ...value, stream_options: { ...given, include_usage: true } }
  return { body: Buffer.from(JSON.stringify(next)), model, addsUsage: true }
}

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
