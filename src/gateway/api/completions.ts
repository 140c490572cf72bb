import { randomBytes } from 'node:crypto'
import type { Clock } from '../../system/clock.ts'
import { type Agent, AgentError, type Question } from '../agent/agent.ts'
import { broken, type EndpointAnswer } from '../agent/endpoint.ts'
import {
  documentText,
  isOpenAi,
  MAX_ANSWER_CHARS,
  type OpenAiAgent,
  readStreamEvent,
  type StreamPiece,
  tooLong,
  wholeBody,
} from '../agent/openai.ts'
import { EventRuns, EventSplitter } from '../agent/sse.ts'
import { DONE, frame } from './event-stream.ts'

/** A program that thinks longer has its failure told inside the stream. */
const BEGIN_AFTER_MS = 10_000

/** What is known of an answer when it is complete, for the session. */
export type Completed = (text: string) => Promise<void>

export interface CompletionFacts {
  readonly agent: Agent
  readonly question: Question
  /** The model's name in answers we make ourselves. */
  readonly model: string
  readonly clock: Clock
  /** Called with the whole text before the client learns that the answer is complete. */
  readonly completed: Completed
}

/** The answer as one document. @throws AgentError */
export async function completion(facts: CompletionFacts): Promise<string> {
  const { agent, question, completed } = facts
  if (isOpenAi(agent)) {
    const { chunks } = await agent.forward(question, false)
    const body = await wholeBody(chunks(), agent.model)
    await completed(documentText(body, agent.model))
    return body
  }
  let text = ''
  for await (const piece of agent.answer(question)) text += piece
  await completed(text)
  const message = { role: 'assistant', content: text, refusal: null }
  return JSON.stringify({
    ...head(facts, 'chat.completion'),
    choices: [{ index: 0, message, logprobs: null, finish_reason: 'stop' }],
  })
}

/**
 * The answer as events. Resolves when it has begun, so that what fails before is an HTTP status and not an event.
 * @throws AgentError; the events throw it too, after a part of the answer
 */
export async function completionEvents(facts: CompletionFacts): Promise<AsyncGenerator<Uint8Array, void, undefined>> {
  const { agent, question } = facts
  if (isOpenAi(agent)) {
    const answer = await agent.forward(question, true)
    return answer.contentType.includes('event-stream')
      ? passedOn(agent, answer, facts.completed)
      : inPieces(facts, wholeAnswer(agent, answer))
  }
  const pieces = agent.answer(question)
  const first = pieces.next()
  await soonOrLater(first, facts.clock)
  return inPieces(facts, startingWith(first, pieces))
}

/** Resolves with the first piece, or when it has been waited for so long that the client should hear from us. */
async function soonOrLater(first: Promise<unknown>, clock: Clock): Promise<void> {
  const late = Promise.withResolvers<void>()
  const cancel = clock.at(clock.nowMs() + BEGIN_AFTER_MS, () => late.resolve())
  await Promise.race([first, late.promise]).finally(cancel)
}

async function* startingWith(
  first: Promise<IteratorResult<string, void>>,
  rest: AsyncGenerator<string, void, undefined>,
): AsyncGenerator<string> {
  const { done, value } = await first
  if (done === true) return
  yield value
  yield* rest
}

async function* wholeAnswer(agent: OpenAiAgent, { chunks }: EndpointAnswer): AsyncGenerator<string> {
  yield documentText(await wholeBody(chunks(), agent.model), agent.model)
}

/**
 * The endpoint's bytes as they are, one or more whole events at a time: an error or a sign of life of ours between two of them must
 * not fall into one. Read along to know whether the answer is complete.
 */
async function* passedOn(
  agent: OpenAiAgent,
  { chunks }: EndpointAnswer,
  completed: Completed,
): AsyncGenerator<Uint8Array, void, undefined> {
  const splitter = new EventSplitter()
  let text = ''
  const runs = new EventRuns()
  let end: 'complete' | 'failed' | undefined
  for await (const chunk of chunks()) {
    for (const data of splitter.push(chunk)) {
      const piece = end === undefined ? lookAt(data, agent.model) : undefined
      if (piece === 'failed') end = 'failed'
      else if (piece !== undefined) {
        text += piece.text
        if (text.length > MAX_ANSWER_CHARS) throw tooLong(agent.model)
        if (piece.done) end = 'complete'
        if (piece.done && text !== '') await completed(text)
      }
    }
    const whole = runs.push(chunk)
    if (whole.length > 0) yield whole
  }
  if (end === undefined) throw broken(agent.model, undefined)
  const rest = runs.rest()
  if (rest.length > 0) yield rest
}

/** An error inside the stream reaches the client as it is; for us it means that nothing of this answer is kept. */
function lookAt(data: string, from: string): StreamPiece | 'failed' {
  try {
    return readStreamEvent(data, from)
  } catch (error) {
    if (error instanceof AgentError) return 'failed'
    throw error
  }
}

async function* inPieces(
  facts: CompletionFacts,
  pieces: AsyncIterable<string> | Iterable<string>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const shared = head(facts, 'chat.completion.chunk')
  const event = (delta: unknown, finish: string | null): Uint8Array =>
    frame({ ...shared, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] })
  yield event({ role: 'assistant', content: '' }, null)
  let text = ''
  for await (const piece of pieces) {
    text += piece
    yield event({ content: piece }, null)
  }
  await facts.completed(text)
  yield event({}, 'stop')
  yield DONE
}

const head = ({ model, clock }: CompletionFacts, object: string) => ({
  id: `chatcmpl-${randomBytes(12).toString('hex')}`,
  object,
  created: Math.floor(clock.wallMs() / 1000),
  model,
})
