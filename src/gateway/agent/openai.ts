import { refusesStreamOptions } from '../../meter/usage.ts'
import { type Agent, AgentError, type Question } from './agent.ts'
import {
  type AnswerChunk,
  type AnswerDocument,
  cutBy,
  finishOf,
  indexOf,
  parseChunk,
  parseDocument,
  textOf,
} from './answer.ts'
import { broken, type EndpointAnswer, type EndpointFacts, openEndpoint } from './endpoint.ts'
import { withSoul } from './prompt.ts'
import { EventSplitter, type ServerEvent } from './sse.ts'

/** Longest answer that is taken from an endpoint, in characters. */
export const MAX_ANSWER_CHARS = 4 * 1024 * 1024

/** An endpoint as an agent; the API server hands requests on with `forward`, everybody else reads text. */
export interface OpenAiAgent extends Agent {
  readonly kind: 'openai'
  readonly model: string
  /** The endpoint's own answer, untouched. @throws AgentError */
  forward(question: Question, stream: boolean): Promise<EndpointAnswer>
  /** A stream that reports its usage, if the endpoint can do that. @throws AgentError */
  forwardCounted(question: Question): Promise<EndpointAnswer>
}

export const isOpenAi = (agent: Agent): agent is OpenAiAgent => agent.kind === 'openai'

/** An endpoint may answer a request for a stream with a document, and the other way round. */
export const isStream = ({ contentType }: EndpointAnswer): boolean => contentType.includes('event-stream')

/** @param soul returns the system prompt, read for each question; empty: none */
export function openAiAgent(facts: EndpointFacts, soul: () => string): OpenAiAgent {
  const endpoint = openEndpoint(facts)
  const { model, baseUrl } = facts.endpoint
  const forward = ({ messages, parameters, signal }: Question, stream: boolean): Promise<EndpointAnswer> =>
    endpoint.ask(JSON.stringify({ ...parameters, model, messages: withSoul(messages, soul()), stream }), signal)
  let reportsUsage = true
  return {
    kind: 'openai',
    model,
    forward,
    async forwardCounted(question) {
      const asking = { ...question, parameters: { ...question.parameters, stream_options: { include_usage: true } } }
      if (!reportsUsage) return await forward(question, true)
      try {
        return await forward(asking, true)
      } catch (error) {
        const { status = 0, body = '' } = error instanceof AgentError ? (error.upstream ?? {}) : {}
        if (!refusesStreamOptions(status, body)) throw error
        reportsUsage = false
        return await forward(question, true)
      }
    },
    async *answer(question) {
      const answer = await forward(question, true)
      let size = 0
      let finish: string | undefined
      for await (const choice of isStream(answer) ? streamed(answer, baseUrl) : whole(answer, baseUrl)) {
        const piece = textOf(choice.delta ?? choice.message)
        finish = finishOf(choice) ?? finish
        size += piece.length
        if (size > MAX_ANSWER_CHARS) throw tooLong(baseUrl)
        if (piece !== '') yield piece
      }
      const cut = cutBy(finish)
      if (size === 0)
        throw new AgentError('empty', `the answer of ${baseUrl} has no text${cut === undefined ? '' : `: ${cut}`}`)
      if (cut !== undefined) question.onCut?.(cut)
    },
  }
}

export const tooLong = (from: string): AgentError =>
  new AgentError('too-long', `${from} sent more than ${MAX_ANSWER_CHARS} characters and was cut off`)

/** One event of a stream. */
export type StreamEvent =
  | { readonly kind: 'chunk'; readonly event: ServerEvent; readonly chunk: AnswerChunk }
  /** `[DONE]`. */
  | { readonly kind: 'done'; readonly event: ServerEvent }

/**
 * The events of a stream, those of a read together.
 * @throws AgentError for a failure inside the stream, and for an end before the answer is complete
 */
export async function* streamEvents(
  { chunks }: EndpointAnswer,
  from: string,
): AsyncGenerator<readonly StreamEvent[], void, undefined> {
  const splitter = new EventSplitter()
  let complete = false
  const read = (event: ServerEvent): StreamEvent => {
    if (event.data.trim() === '[DONE]') {
      complete = true
      return { kind: 'done', event }
    }
    const chunk = parseChunk(event.data, event.type, from)
    complete = complete || chunk.choices.some((choice) => indexOf(choice) === 0 && finishOf(choice) !== undefined)
    return { kind: 'chunk', event, chunk }
  }
  for await (const bytes of chunks()) yield* uptoFailure(splitter.push(bytes), read)
  // The rest may be half an event; if complete, it may mark the end of the answer.
  if (!complete) yield* uptoFailure(splitter.end(), (event) => readLast(() => read(event), from))
  if (!complete) throw broken(from, undefined)
}

/** Yields everything before a failure, even when both arrived together. */
function* uptoFailure(
  events: readonly ServerEvent[],
  read: (event: ServerEvent) => StreamEvent,
): Generator<readonly StreamEvent[], void, undefined> {
  const some: StreamEvent[] = []
  let failure: unknown
  for (const event of events) {
    try {
      some.push(read(event))
    } catch (error) {
      failure = error
      break
    }
  }
  if (some.length > 0) yield some
  if (failure !== undefined) throw failure
}

function readLast(read: () => StreamEvent, from: string): StreamEvent {
  try {
    return read()
  } catch (error) {
    if (error instanceof AgentError && error.failure === 'failed') throw broken(from, error)
    throw error
  }
}

type Choice = AnswerDocument['choices'][number]

/** Yields the text that the stream's events have for its first choice. */
async function* streamed(answer: EndpointAnswer, from: string): AsyncGenerator<Choice> {
  for await (const events of streamEvents(answer, from))
    for (const event of events)
      if (event.kind === 'chunk') yield event.chunk.choices.find((choice) => indexOf(choice) === 0) ?? {}
}

async function* whole(answer: EndpointAnswer, from: string): AsyncGenerator<Choice> {
  yield (await wholeAnswer(answer, from)).choices[0] ?? {}
}

/** An answer that came as one document. @throws AgentError */
export const wholeAnswer = async (answer: EndpointAnswer, from: string): Promise<AnswerDocument> =>
  parseDocument(await wholeBody(answer.chunks(), from), from)

/** @throws AgentError too-long past four bytes for each character of the longest answer */
async function wholeBody(chunks: AsyncGenerator<Buffer>, from: string): Promise<string> {
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
