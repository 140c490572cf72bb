import { randomBytes } from 'node:crypto'
import { type Clock, inTime } from '../../../system/clock.ts'
import { AnswerBuilder, type AnswerChunk, chunksOf, keptMessage } from '../../agent/answer.ts'
import { isOpenAi, isStream, MAX_ANSWER_CHARS, streamEvents, tooLong, wholeAnswer } from '../../agent/openai.ts'
import type { Asked } from '../answers/ask.ts'
import { BEGIN_AFTER_MS, type CompletionFacts, programUsage, startingWith } from '../answers/completions.ts'
import { eventText } from '../http/event-stream.ts'
import { ResponseBuilder, type ResponseEvent } from './builder.ts'
import { messagesOf } from './input.ts'
import { parseParameters } from './parameters.ts'

/** `POST /v1/responses`: a question of chat in another form, for every agent. @throws Refused */
export function responsesRequest(body: Readonly<Record<string, unknown>>): Asked {
  const { model, stream, session, parameters, repeated } = parseParameters(body)
  let builder: ResponseBuilder | undefined
  const build = ({ agent, model: named, clock }: CompletionFacts): ResponseBuilder => {
    builder = new ResponseBuilder({
      model: isOpenAi(agent) ? agent.model : named,
      repeated,
      createdAtS: secondsOf(clock),
      newId: () => randomBytes(24).toString('hex'),
    })
    return builder
  }
  return {
    model,
    stream,
    session,
    messages: messagesOf(body.instructions, body.input),
    parameters,
    async whole(facts) {
      const response = build(facts)
      for await (const chunks of answerOf(facts, false)) for (const chunk of chunks) response.add(chunk)
      return JSON.stringify(response.response(secondsOf(facts.clock)))
    },
    async events(facts) {
      const chunks = answerOf(facts, true)
      const first = chunks.next()
      await inTime(facts.clock, BEGIN_AFTER_MS, first)
      return events(build(facts), facts.clock, startingWith(first, chunks))
    },
    failed: (error) => bytesOf(builder?.fail(error) ?? []),
  }
}

async function* events(
  builder: ResponseBuilder,
  clock: Clock,
  answer: AsyncIterable<readonly AnswerChunk[]>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytesOf(builder.begin())
  for await (const chunks of answer) {
    const some = chunks.flatMap((chunk) => builder.add(chunk))
    if (some.length > 0) yield bytesOf(some)
  }
  yield bytesOf(builder.end(secondsOf(clock)))
}

const bytesOf = (some: readonly ResponseEvent[]): Uint8Array =>
  Buffer.from(some.map((one) => eventText({ type: one.type, data: JSON.stringify(one) })).join(''))

const secondsOf = (clock: Clock): number => Math.floor(clock.wallMs() / 1000)

/** The chunks of an answer, which is kept in its session before the last of them is given. @throws AgentError */
async function* answerOf(
  facts: CompletionFacts,
  stream: boolean,
): AsyncGenerator<readonly AnswerChunk[], void, undefined> {
  const { agent, completed } = facts
  const whole = new AnswerBuilder()
  let size = 0
  for await (const chunks of chunksFrom(facts, stream)) {
    for (const chunk of chunks) size += whole.add(chunk)
    if (size > MAX_ANSWER_CHARS) throw tooLong(agent.model ?? 'the program')
    yield chunks
  }
  await completed(keptMessage(whole.message()))
}

async function* chunksFrom(
  facts: CompletionFacts,
  stream: boolean,
): AsyncGenerator<readonly AnswerChunk[], void, undefined> {
  const { agent, question } = facts
  if (!isOpenAi(agent)) {
    const used = programUsage(facts)
    for await (const content of agent.answer({ ...question, onUsage: used.take }))
      yield [{ choices: [{ delta: { content } }] }]
    yield [{ choices: [{ delta: {}, finish_reason: 'stop' }], ...used.fields() }]
    return
  }
  const answer = await (stream ? agent.forwardCounted(question) : agent.forward(question, false))
  if (!isStream(answer)) {
    yield chunksOf(await wholeAnswer(answer, agent.model), true) as readonly AnswerChunk[]
    return
  }
  for await (const some of streamEvents(answer, agent.model)) {
    yield some.flatMap((event) => (event.kind === 'chunk' ? [event.chunk] : []))
    if (some.some(({ kind }) => kind === 'done')) return
  }
}
