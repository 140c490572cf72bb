import type { Context } from 'hono'
import type { Clock } from '../../../system/clock.ts'
import type { Redact } from '../../../system/text/redact.ts'
import { type Agent, AgentError, type Message, notConfigured } from '../../agent/agent.ts'
import { isEmpty } from '../../agent/answer.ts'
import { conversation } from '../../sessions/conversation.ts'
import type { SessionStore } from '../../sessions/store.ts'
import { type BodyBudget, readJson } from '../http/body.ts'
import { type ApiContext, type LogFields, logFields, type RequestLog } from '../http/context.ts'
import { eventStream } from '../http/event-stream.ts'
import { badRequest, busy, type Refusal, refusalOf, unknownModel } from '../http/refusals.ts'
import type { CompletionFacts } from './completions.ts'
import { parseSession } from './question.ts'

/** A request in the form of one of OpenAI's APIs, and the form of its answer there. */
export interface Asked {
  /** Absent: the profile's. */
  readonly model: string | undefined
  readonly stream: boolean
  readonly messages: readonly Message[]
  /** The rest, for the endpoint. */
  readonly parameters: Readonly<Record<string, unknown>>
  /** The session that the request names itself, apart from the header. */
  readonly session?: string | undefined
  /** The answer as one document. @throws AgentError */
  whole(facts: CompletionFacts): Promise<string>
  /**
   * The answer as events. Resolves when it has begun, so that what fails before is an HTTP status and not an event.
   * @throws AgentError; the events throw it too, after a part of the answer
   */
  events(facts: CompletionFacts): Promise<AsyncGenerator<Uint8Array, void, undefined>>
  /** The end of a stream that has failed. */
  failed(error: Refusal['error']): Uint8Array
}

export interface AskFacts {
  readonly agent: Agent | null
  readonly profile: string
  /** Named in the message that explains how to configure an agent. */
  readonly configFile: string
  readonly clock: Clock
  readonly redact: Redact
  /** Opened at the first request that names a session. */
  sessions(): SessionStore
  readonly log: RequestLog
  readonly bodies: BodyBudget
  /** Answers at work; aborted all together when the time to drain is over. */
  readonly answers: Set<AbortController>
}

/** Programs are processes, so only a few run at a time; an endpoint may get many requests. */
const MOST_ANSWERS = { command: 8, openai: 64 } as const

/** Names that clients may use: the profile's own, and the endpoint's. */
export const modelsOf = (profile: string, agent: Agent | null): readonly string[] =>
  agent === null ? [] : [...new Set([profile, ...(agent.model === null ? [] : [agent.model])])]

/**
 * Answers a question to the agent. Throws Refused and AgentError, which the server answers.
 * @param parse throws Refused
 */
export async function ask(
  context: Context<ApiContext>,
  facts: AskFacts,
  parse: (body: Readonly<Record<string, unknown>>) => Asked,
): Promise<Response> {
  const { agent, answers } = facts
  const { incoming, outgoing } = context.env
  const giveUp = new AbortController()
  let release = (): void => undefined
  answers.add(giveUp)
  outgoing.once('close', () => {
    answers.delete(giveUp)
    release()
    // The client disconnected before the answer was complete, so the rest is not needed.
    if (!outgoing.writableFinished) giveUp.abort()
  })
  const body = await readJson(incoming, facts.bodies)
  release = body.release
  const request = parse(body.value)
  const session = sessionOf(request, incoming.headers['x-hermes-session'] as string | undefined)
  if (agent === null) throw notConfigured(facts.profile, facts.configFile)
  const models = modelsOf(facts.profile, agent)
  if (request.model !== undefined && !models.includes(request.model)) throw unknownModel(request.model, models)
  if (answers.size > MOST_ANSWERS[agent.kind]) throw busy()
  if (session !== undefined) {
    context.set('session', session)
    context.header('x-hermes-session', session)
  }
  const fields = logFields(context)
  const completionFacts = factsOf(facts, agent, request, fields, giveUp.signal)
  if (!request.stream) {
    const answer = await request.whole(completionFacts)
    return context.body(answer, 200, { 'content-type': 'application/json' })
  }
  const frames = withErrors(await request.events(completionFacts), request, facts, fields)
  return context.body(
    eventStream(frames, facts.clock, () => {
      giveUp.abort()
      outgoing.destroy()
    }),
    200,
    // nginx would buffer the events and send them together, and so would a compressing proxy (RFC 9111, 5.2.2.6).
    {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    },
  )
}

function sessionOf({ session }: Asked, header: string | undefined): string | undefined {
  const named = parseSession(header, 'X-Hermes-Session')
  if (session !== undefined && named !== undefined && session !== named)
    throw badRequest('conversation and X-Hermes-Session name different sessions; leave one of them out', 'conversation')
  return session ?? named
}

function factsOf(
  facts: AskFacts,
  agent: Agent,
  { messages, parameters, model }: Asked,
  fields: LogFields,
  signal: AbortSignal,
): CompletionFacts {
  const { clock, profile, log } = facts
  const { session } = fields
  const shared = { agent, clock, model: model ?? profile, warn: (text: string) => log.warn(fields, text) }
  if (session === undefined) {
    return { ...shared, question: { messages, parameters, signal }, completed: async () => undefined }
  }
  const history = facts.sessions().history(session)
  return {
    ...shared,
    question: { messages: conversation(history, messages), parameters, signal, session },
    completed: (answer) => remember(facts, session, fields, [...messages, answer]),
  }
}

/** The client has its answer even when it cannot be kept. */
async function remember(facts: AskFacts, session: string, fields: LogFields, turn: readonly Message[]): Promise<void> {
  const answer = turn.at(-1)
  if (answer === undefined || isEmpty(answer)) return
  try {
    await facts.sessions().append(session, turn)
  } catch (error) {
    facts.log.warn({ ...fields, err: error }, 'an answer could not be added to its session')
  }
}

/** A failure after the answer has begun becomes an event with OpenAI's envelope, which its clients throw. */
async function* withErrors(
  frames: AsyncGenerator<Uint8Array, void, undefined>,
  asked: Pick<Asked, 'failed'>,
  facts: AskFacts,
  fields: LogFields,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* frames
  } catch (error) {
    const { error: refusal } = refusalOf(error, facts.redact)
    if (error instanceof AgentError && error.failure === 'cancelled') facts.log.info(fields, 'an answer was given up')
    else if (refusal.code === 'internal_error') facts.log.error({ ...fields, err: error }, 'an answer broke off')
    else facts.log.warn(fields, `an answer broke off: ${refusal.message}`)
    yield asked.failed(refusal)
  }
}
