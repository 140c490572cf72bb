import { randomBytes } from 'node:crypto'
import { type Clock, inTime } from '../../../system/clock.ts'
import type { Agent, Message, Question } from '../../agent/agent.ts'
import { AnswerBuilder, type AnswerDocument, chunksOf, keptMessage, messageOf } from '../../agent/answer.ts'
import type { EndpointAnswer } from '../../agent/endpoint.ts'
import {
  isOpenAi,
  isStream,
  MAX_ANSWER_CHARS,
  type OpenAiAgent,
  type StreamEvent,
  streamEvents,
  tooLong,
  wholeAnswer,
} from '../../agent/openai.ts'
import type { UsageReport } from '../../agent/usage-file.ts'
import { DONE, eventText, frame } from '../http/event-stream.ts'
import type { Refusal } from '../http/refusals.ts'
import { parseChat } from './question.ts'
import { chatUsage } from './usage.ts'

/** If a program takes longer than this, the stream begins, and a later failure is reported inside it. */
export const BEGIN_AFTER_MS = 10_000

/** Called with the complete answer, for the session. */
export type Completed = (message: Message) => Promise<void>

export interface CompletionFacts {
  readonly agent: Agent
  readonly question: Question
  /** The model's name in answers we make ourselves. */
  readonly model: string
  readonly clock: Clock
  /** Called with the whole message before the client learns that the answer is complete. */
  readonly completed: Completed
  /** A program has reported its usage in a way that cannot be read. */
  readonly warn: (text: string) => void
}

/** `POST /v1/chat/completions`. @throws Refused */
export const chatRequest = (body: Readonly<Record<string, unknown>>) => ({
  ...parseChat(body),
  whole: completion,
  events: completionEvents,
  failed: (error: Refusal['error']): Uint8Array => frame({ error }),
})

async function completion(facts: CompletionFacts): Promise<string> {
  const { agent, question, completed } = facts
  if (isOpenAi(agent)) {
    const answer = await agent.forward(question, false)
    const document = isStream(answer) ? await collected(agent, answer) : await wholeAnswer(answer, agent.model)
    await completed(messageOf(document))
    return JSON.stringify(document)
  }
  const used = programUsage(facts)
  let text = ''
  for await (const piece of agent.answer({ ...question, onUsage: used.take })) text += piece
  const message = { role: 'assistant', content: text, refusal: null }
  await completed(keptMessage(message))
  return JSON.stringify({
    ...head(facts, 'chat.completion'),
    choices: [{ index: 0, message, logprobs: null, finish_reason: 'stop' }],
    ...used.fields(),
  })
}

async function collected(agent: OpenAiAgent, answer: EndpointAnswer): Promise<AnswerDocument> {
  const builder = new AnswerBuilder()
  let size = 0
  for await (const events of streamEvents(answer, agent.model)) {
    for (const event of events) if (event.kind === 'chunk') size += builder.add(event.chunk)
    if (size > MAX_ANSWER_CHARS) throw tooLong(agent.model)
  }
  return builder.document()
}

async function completionEvents(facts: CompletionFacts): Promise<AsyncGenerator<Uint8Array, void, undefined>> {
  const { agent, question, clock } = facts
  if (isOpenAi(agent)) {
    const answer = await agent.forward(question, true)
    if (isStream(answer)) {
      const events = streamEvents(answer, agent.model)
      const first = events.next()
      await inTime(clock, BEGIN_AFTER_MS, first)
      return passedOn(agent, startingWith(first, events), facts.completed)
    }
    const document = wholeAnswer(answer, agent.model)
    await inTime(clock, BEGIN_AFTER_MS, document)
    return documentEvents(facts, document)
  }
  const used = programUsage(facts)
  const pieces = agent.answer({ ...question, onUsage: used.take })
  const first = pieces.next()
  await inTime(clock, BEGIN_AFTER_MS, first)
  return inPieces(facts, startingWith(first, pieces), used)
}

export async function* startingWith<T>(
  first: Promise<IteratorResult<T, void>>,
  rest: AsyncGenerator<T, void, undefined>,
): AsyncGenerator<T, void, undefined> {
  const { done, value } = await first
  if (done === true) return
  yield value
  yield* rest
}

/**
 * Passes on the endpoint's events unchanged, and reads them to detect the end of the answer and the message for the
 * session.
 */
async function* passedOn(
  agent: OpenAiAgent,
  events: AsyncGenerator<readonly StreamEvent[], void, undefined>,
  completed: Completed,
): AsyncGenerator<Uint8Array, void, undefined> {
  const builder = new AnswerBuilder()
  let reported = false
  let size = 0
  for await (const some of events) {
    for (const event of some) if (event.kind === 'chunk') size += builder.add(event.chunk)
    if (size > MAX_ANSWER_CHARS) throw tooLong(agent.model)
    if (!reported && (builder.finished || some.some(({ kind }) => kind === 'done'))) {
      reported = true
      await completed(keptMessage(builder.message()))
    }
    yield Buffer.from(some.map(({ event }) => eventText(event)).join(''))
  }
}

/** An endpoint that knows no streaming has answered with one document. */
async function* documentEvents(
  { question, completed }: CompletionFacts,
  document: Promise<AnswerDocument>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const answer = await document
  await completed(messageOf(answer))
  for (const chunk of chunksOf(answer, wantsUsage(question))) yield frame(chunk)
  yield DONE
}

/** `stream_options.include_usage`: without it, a stream has no usage. */
function wantsUsage({ parameters }: Question): boolean {
  const { include_usage: wanted } = (parameters?.stream_options ?? {}) as { include_usage?: unknown }
  return wanted === true
}

/** Takes the report of a program. */
interface ProgramUsage {
  take(report: UsageReport): void
  /** `usage`, if the program has reported it. */
  fields(): { readonly usage?: ReturnType<typeof chatUsage> }
}

export function programUsage({ warn }: CompletionFacts): ProgramUsage {
  let fields: ReturnType<ProgramUsage['fields']> = {}
  return {
    take(report) {
      if ('usage' in report) fields = { usage: chatUsage(report.usage) }
      else warn(`the usage of the answer does not count: ${report.problem}`)
    },
    fields: () => fields,
  }
}

async function* inPieces(
  facts: CompletionFacts,
  pieces: AsyncIterable<string> | Iterable<string>,
  used: ProgramUsage,
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
  await facts.completed(keptMessage({ content: text }))
  yield event({}, 'stop')
  const { usage } = used.fields()
  if (usage !== undefined && wantsUsage(facts.question)) yield frame({ ...shared, choices: [], usage })
  yield DONE
}

const head = ({ model, clock }: CompletionFacts, object: string) => ({
  id: `chatcmpl-${randomBytes(12).toString('hex')}`,
  object,
  created: Math.floor(clock.wallMs() / 1000),
  model,
})
