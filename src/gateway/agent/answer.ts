/**
 * Parses an endpoint's answer, as one document or as events (https://platform.openai.com/docs/api-reference/chat).
 * Pure.
 */
import { AgentError, type Message } from './agent.ts'

type Fields = Readonly<Record<string, unknown>>

/** An answer as one document: `choices` is checked, the rest is as the endpoint sent it. */
export interface AnswerDocument extends Fields {
  readonly choices: readonly Fields[]
}

/** One event of a stream. */
export interface AnswerChunk extends Fields {
  readonly choices: readonly Fields[]
}

/**
 * @param from the endpoint, for messages
 * @throws AgentError for an invalid answer, and for a failure sent with status 200
 */
export function parseDocument(text: string, from: string): AnswerDocument {
  const value = parseObject(text, from)
  const failure = failureIn(value, from)
  if (failure !== undefined) throw failure
  const choices = choicesOf(value)
  if (choices.length > 0) return { ...value, choices }
  throw failed(from, undefined, errorText(value) ?? 'its answer has no choices')
}

/** @param type of the event. @throws AgentError for a failure inside the stream */
export function parseChunk(data: string, type: string, from: string): AnswerChunk {
  const value = parseObject(data, from)
  const failure = failureIn(value, from)
  if (failure !== undefined) throw failure
  if (type === 'error') throw failed(from, statusIn(value), errorText(value) ?? data.slice(0, 200))
  return { ...value, choices: choicesOf(value) }
}

const choicesOf = ({ choices }: Fields): readonly Fields[] => (Array.isArray(choices) ? choices.filter(isFields) : [])
const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null

export const indexOf = ({ index }: Fields): number => (typeof index === 'number' ? index : 0)

/** Some servers say "" or null until there is one. */
export const finishOf = ({ finish_reason: reason }: Fields): string | undefined =>
  typeof reason === 'string' && reason !== '' ? reason : undefined

/**
 * Explains why an answer is incomplete.
 * @param finish reason of the first choice
 * @returns undefined if the answer is complete
 */
export const cutBy = (finish: string | undefined): string | undefined =>
  finish === undefined || !Object.hasOwn(CUTS, finish)
    ? undefined
    : `the answer was cut off by ${CUTS[finish]} (finish_reason "${finish}")`

const CUTS: Readonly<Record<string, string>> = {
  length: "the endpoint's token limit",
  content_filter: "the endpoint's content filter",
}

/** Text for people: a refusal to answer is one, too. */
export function textOf(part: unknown): string {
  if (!isFields(part)) return ''
  const { content, refusal } = part
  return (typeof content === 'string' ? content : '') + (typeof refusal === 'string' ? refusal : '')
}

/** The messages of an answer, put together from its chunks, by the number of the choice. */
export class AnswerBuilder {
  readonly #choices = new Map<number, { message: MessageBuilder; finish: string | undefined }>()
  /** The first event's facts about the answer, and the last event's about its cost. */
  #head: Fields | undefined
  #usage: Fields | undefined

  /** @returns characters that it has added */
  add({ choices, usage, ...head }: AnswerChunk): number {
    this.#head ??= head
    if (isFields(usage)) this.#usage = usage
    let size = 0
    for (const choice of choices) {
      const index = indexOf(choice)
      const known = this.#choices.get(index) ?? { message: new MessageBuilder(), finish: undefined }
      this.#choices.set(index, known)
      // A document among the events, or instead of them, has the whole message.
      const delta = isFields(choice.delta) ? choice.delta : choice.message
      if (isFields(delta)) size += known.message.add(delta)
      known.finish = finishOf(choice) ?? known.finish
    }
    return size
  }

  /** Of the first choice, which the session keeps. */
  get finished(): boolean {
    return this.#choices.get(0)?.finish !== undefined
  }

  message(): Message {
    return this.#choices.get(0)?.message.build() ?? { role: 'assistant', content: null }
  }

  document(): AnswerDocument {
    const choices = [...this.#choices].sort(([a], [b]) => a - b)
    return {
      ...this.#head,
      ...(this.#usage === undefined ? {} : { usage: this.#usage }),
      object: 'chat.completion',
      choices: choices.map(([index, { message, finish }]) => ({
        index,
        message: message.build(),
        logprobs: null,
        finish_reason: finish ?? 'stop',
      })),
    }
  }
}

const withoutNulls = (fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined))

/** Texts are pieces to be joined; tool calls come in pieces too, each with its number. */
class MessageBuilder {
  readonly #texts = new Map<string, string>()
  readonly #calls = new Map<number, { fields: Fields; name: string; arguments: string }>()

  add(delta: Fields): number {
    let size = 0
    for (const name of ['content', 'refusal', 'reasoning_content']) {
      const text = delta[name]
      if (typeof text !== 'string') continue
      this.#texts.set(name, (this.#texts.get(name) ?? '') + text)
      size += text.length
    }
    const { tool_calls: calls } = delta
    if (!Array.isArray(calls)) return size
    for (const [place, call] of calls.entries()) if (isFields(call)) size += this.#addCall(call, place)
    return size
  }

  #addCall({ index, function: called, ...fields }: Fields, place: number): number {
    const number = typeof index === 'number' ? index : place
    const known = this.#calls.get(number) ?? { fields: {}, name: '', arguments: '' }
    const { name, arguments: text } = isFields(called) ? called : {}
    const added = typeof text === 'string' ? text : ''
    this.#calls.set(number, {
      fields: { ...known.fields, ...withoutNulls(fields) },
      name: known.name || (typeof name === 'string' ? name : ''),
      arguments: known.arguments + added,
    })
    return added.length
  }

  build(): Message {
    const { content, refusal, ...more } = Object.fromEntries(this.#texts)
    const calls = [...this.#calls].sort(([a], [b]) => a - b)
    return {
      role: 'assistant',
      content: content ? content : null,
      ...(refusal ? { refusal } : {}),
      ...more,
      ...(calls.length === 0
        ? {}
        : {
            tool_calls: calls.map(([, { fields, name, arguments: text }]) => ({
              type: 'function',
              ...fields,
              function: { name, arguments: text },
            })),
          }),
    }
  }
}

/** The message of the first choice as a session keeps it. */
export function messageOf({ choices }: AnswerDocument): Message {
  const first = choices.find((choice) => indexOf(choice) === 0) ?? choices[0]
  return keptMessage(isFields(first?.message) ? first.message : {})
}

/**
 * Fields to send back. Some servers add informational fields (reasoning, annotations) and refuse them when they come
 * back.
 */
const KEPT = ['content', 'refusal', 'tool_calls', 'function_call', 'audio'] as const

export function keptMessage(message: Fields): Message {
  const kept = KEPT.flatMap((name) => {
    const value = message[name]
    return value === undefined || value === null || value === '' ? [] : [[name, value] as const]
  })
  return { role: 'assistant', content: null, ...Object.fromEntries(kept) }
}

/** The message has no text and no calls, so it does not belong in a conversation. */
export const isEmpty = ({ content, tool_calls, refusal, function_call, audio }: Message): boolean =>
  [content, refusal, function_call, audio].every((part) => part === null || part === undefined || part === '') &&
  !(Array.isArray(tool_calls) && tool_calls.length > 0)

/**
 * Converts an answer that came as one document to chunks of a stream.
 * @param usage true if the client requested it (stream_options.include_usage)
 */
export function chunksOf(document: AnswerDocument, usage: boolean): readonly Fields[] {
  const { choices, usage: used, ...head } = document
  const shared = { ...head, object: 'chat.completion.chunk' }
  const of = (choice: Fields, delta: Fields, finish: string | null): Fields => ({
    ...shared,
    choices: [{ index: indexOf(choice), delta, logprobs: choice.logprobs ?? null, finish_reason: finish }],
  })
  return [
    ...choices.flatMap((choice) => [
      of(choice, deltaOf(isFields(choice.message) ? choice.message : {}), null),
      of({ ...choice, logprobs: null }, {}, finishOf(choice) ?? 'stop'),
    ]),
    ...(usage && used !== undefined ? [{ ...shared, choices: [], usage: used }] : []),
  ]
}

function deltaOf({ tool_calls: calls, ...message }: Fields): Fields {
  if (!Array.isArray(calls)) return { role: 'assistant', ...message }
  return { role: 'assistant', ...message, tool_calls: calls.map((call, index) => ({ index, ...call })) }
}

/** The text of OpenAI's error envelope, or of one like it. */
export function errorMessageIn(body: string): string | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return isFields(value) ? errorText(value) : undefined
  } catch {
    // A proxy's HTML page, half a body: nothing to quote.
    return undefined
  }
}

/** `{error: {message}}`, `{error: "…"}`, `{message}`, `{detail}`: as OpenAI, Ollama, vLLM and FastAPI have it. */
function errorText({ error, message, detail }: Fields): string | undefined {
  const texts = [isFields(error) ? error.message : error, message, detail]
  return texts.find((text): text is string => typeof text === 'string' && text !== '')
}

/** A failure has many forms, and status 200 is one. */
function failureIn(value: Fields, from: string): AgentError | undefined {
  const { error, object } = value
  const isError = typeof error === 'string' ? error !== '' : isFields(error) && Object.keys(error).length > 0
  if (isError || object === 'error')
    return failed(from, statusIn(value), errorText(value) ?? 'no reason given', isFields(error) ? error : {})
  const broken = choicesOf(value).find((choice) => isFields(choice.error) || choice.finish_reason === 'error')
  if (broken === undefined) return undefined
  return failed(
    from,
    statusIn(broken),
    errorText(broken) ?? 'no reason given',
    isFields(broken.error) ? broken.error : {},
  )
}

/** An HTTP status, given as a number or a text, that means a failure. */
function statusIn(value: Fields): number | undefined {
  const { error } = value
  const codes = [...(isFields(error) ? [error.status, error.code] : []), value.status, value.code]
  return codes.map(Number).find((code) => code >= 400 && code <= 599)
}

/** Treats the failure as if the HTTP status had reported it: `upstream` carries the endpoint's own envelope. */
function failed(from: string, status: number | undefined, message: string, envelope: Fields = {}): AgentError {
  return new AgentError('refused', `${from} gave up: ${message}`, {
    upstream: {
      status: status ?? 502,
      body: JSON.stringify({ error: { ...envelope, message } }),
      retryAfter: undefined,
    },
  })
}

function parseObject(text: string, from: string): Fields {
  try {
    const value: unknown = JSON.parse(text)
    if (isFields(value)) return value
  } catch (cause) {
    throw new AgentError('failed', `the answer of ${from} is not JSON`, { cause })
  }
  throw new AgentError('failed', `the answer of ${from} is not a JSON object`)
}
