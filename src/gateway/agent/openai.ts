import { type Agent, AgentError, type Question } from './agent.ts'
import { broken, type EndpointAnswer, type EndpointFacts, errorMessageIn, openEndpoint } from './endpoint.ts'
import { withSoul } from './prompt.ts'
import { EventSplitter } from './sse.ts'

/** Longest answer that is taken from an endpoint, in characters. */
export const MAX_ANSWER_CHARS = 4 * 1024 * 1024

/** An endpoint as an agent; the API server hands requests on with `forward`, everybody else reads text. */
export interface OpenAiAgent extends Agent {
  readonly kind: 'openai'
  readonly model: string
  /** The endpoint's own answer, untouched. @throws AgentError */
  forward(question: Question, stream: boolean): Promise<EndpointAnswer>
}

export const isOpenAi = (agent: Agent): agent is OpenAiAgent => agent.kind === 'openai'

/** @param soul the system prompt, asked at each question; empty: none */
export function openAiAgent(facts: EndpointFacts, soul: () => string): OpenAiAgent {
  const endpoint = openEndpoint(facts)
  const { model, baseUrl } = facts.endpoint
  const forward = ({ messages, parameters, signal }: Question, stream: boolean): Promise<EndpointAnswer> =>
    endpoint.ask(JSON.stringify({ ...parameters, model, messages: withSoul(messages, soul()), stream }), signal)
  return {
    kind: 'openai',
    model,
    forward,
    async *answer(question) {
      const { contentType, chunks } = await forward(question, true)
      let size = 0
      // A server that knows no streaming answers with one document.
      const pieces = contentType.includes('event-stream') ? streamed(chunks(), baseUrl) : whole(chunks(), baseUrl)
      for await (const piece of pieces) {
        size += piece.length
        if (size > MAX_ANSWER_CHARS) throw tooLong(baseUrl)
        yield piece
      }
      if (size === 0) throw new AgentError('empty', `${baseUrl} answered without any text`)
    },
  }
}

export const tooLong = (from: string): AgentError =>
  new AgentError('too-long', `${from} sent more than ${MAX_ANSWER_CHARS} characters and was cut off`)

interface Choice {
  readonly delta?: { readonly content?: unknown } | null
  readonly message?: { readonly content?: unknown } | null
  readonly finish_reason?: unknown
}

/** What one event of a stream says. */
export interface StreamPiece {
  readonly text: string
  /** The answer is complete: `[DONE]`, or a finish reason. */
  readonly done: boolean
}

/** @throws AgentError for an error inside the stream */
export function readStreamEvent(data: string, from: string): StreamPiece {
  if (data.trim() === '[DONE]') return { text: '', done: true }
  const event = parse(data, from)
  if (event.error !== undefined && event.error !== null) {
    throw new AgentError('failed', `${from} gave up: ${errorMessageIn(data) ?? 'it did not say why'}`)
  }
  const choice = (Array.isArray(event.choices) ? event.choices[0] : undefined) as Choice | undefined
  const content = choice?.delta?.content
  return { text: typeof content === 'string' ? content : '', done: typeof choice?.finish_reason === 'string' }
}

async function* streamed(chunks: AsyncGenerator<Buffer>, from: string): AsyncGenerator<string> {
  const splitter = new EventSplitter()
  let done = false
  for await (const chunk of chunks) {
    for (const data of splitter.push(chunk)) {
      const piece = readStreamEvent(data, from)
      done = done || piece.done
      if (piece.text !== '') yield piece.text
    }
  }
  if (!done) throw broken(from, undefined)
}

async function* whole(chunks: AsyncGenerator<Buffer>, from: string): AsyncGenerator<string> {
  const content = documentText(await wholeBody(chunks, from), from)
  if (content !== '') yield content
}

/** The text of an answer that came as one document; empty when it holds something else, such as tool calls. @throws AgentError */
export function documentText(document: string, from: string): string {
  const { choices } = parse(document, from)
  const choice = (Array.isArray(choices) ? choices[0] : undefined) as Choice | undefined
  const content = choice?.message?.content
  return typeof content === 'string' ? content : ''
}

/** @throws AgentError too-long past four bytes for each character of the longest answer */
export async function wholeBody(chunks: AsyncGenerator<Buffer>, from: string): Promise<string> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const chunk of chunks) {
    size += chunk.length
    if (size > MAX_ANSWER_CHARS * 4)
      throw new AgentError('too-long', `${from} sent more than ${MAX_ANSWER_CHARS * 4} bytes`)
    pieces.push(chunk)
  }
  return Buffer.concat(pieces).toString('utf8')
}

function parse(text: string, from: string): { readonly choices?: unknown; readonly error?: unknown } {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value
  } catch (cause) {
    throw new AgentError('failed', `${from} sent something that is no JSON`, { cause })
  }
  throw new AgentError('failed', `${from} sent something that is no JSON object`)
}
