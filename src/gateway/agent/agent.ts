/**
 * Agents that answer: a program, or an OpenAI-compatible endpoint. Used by the API server, `hermes chat` and the
 * board's workers.
 */
import { EXIT, HermesError } from '../../system/errors.ts'
import type { UsageReport } from './usage-file.ts'

/** A message as OpenAI's API has it; what we do not know of it is passed on. */
export interface Message {
  readonly role: string
  readonly content?: unknown
  readonly [more: string]: unknown
}

export interface Question {
  /** At least one; the last is the user's. The profile's SOUL.md is added by the agent. */
  readonly messages: readonly Message[]
  /** More of a request to an endpoint: temperature, tools, … Without `model`, `messages`, `stream`. */
  readonly parameters?: Readonly<Record<string, unknown>>
  /** Aborting gives up the answer and ends what works on it. */
  readonly signal?: AbortSignal
  /** Passed to a program as HERMES_SESSION. */
  readonly session?: string
  /**
   * Called with a sentence when the answer has ended in order and is not whole: the endpoint's limit of tokens, a
   * filter.
   */
  readonly onCut?: (why: string) => void
  /**
   * Asks a program to report what it uses; called at the end of an answer if it has. An endpoint's own answer says it.
   */
  readonly onUsage?: (report: UsageReport) => void
}

export interface Agent {
  readonly kind: 'command' | 'openai'
  /** The endpoint's model; null for a program. */
  readonly model: string | null
  /**
   * The answer's text, piece by piece as it comes.
   * @throws AgentError, also after pieces have been given
   */
  answer(question: Question): AsyncGenerator<string, void, undefined>
}

/** The whole answer as one text. @throws AgentError */
export async function answerText(agent: Agent, question: Question): Promise<string> {
  let text = ''
  for await (const piece of agent.answer(question)) text += piece
  return text
}

/** Kinds of failure that callers distinguish. */
export type AgentFailure =
  /** No agent is configured. */
  | 'not-configured'
  /** The configuration cannot work: no such program, bad address. */
  | 'misconfigured'
  /** The question cannot be put to this agent. */
  | 'bad-question'
  /** The program ended with a code, or by a signal; the endpoint sent nonsense. */
  | 'failed'
  | 'empty'
  | 'too-long'
  /** No output for too long. */
  | 'silent'
  | 'unreachable'
  /** The endpoint answered with an error status: `upstream` has it. */
  | 'refused'
  /** The connection ended in the middle of the answer. */
  | 'broken'
  | 'cancelled'

/** An error status of the endpoint. `body` is at most 64 KiB of text. */
export interface UpstreamError {
  readonly status: number
  readonly body: string
  readonly retryAfter: string | undefined
}

export class AgentError extends HermesError {
  readonly failure: AgentFailure
  readonly upstream: UpstreamError | undefined

  /** Compares by name, like HermesError, because each bundle contains a copy of this class. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof HermesError && 'failure' in value
  }

  constructor(
    failure: AgentFailure,
    message: string,
    options: { next?: string; cause?: unknown; upstream?: UpstreamError } = {},
  ) {
    const { upstream, ...rest } = options
    super(failure === 'silent' ? 'TIMED_OUT' : 'FAILED', message, {
      ...rest,
      // Worth another try later: a worker that ends so has not failed at its task.
      ...(upstream?.status === 429 ? { exitCode: EXIT.restartMe } : {}),
    })
    this.failure = failure
    this.upstream = upstream
  }
}

/** A function, because the compiler would otherwise assume that `aborted` never changes after it has been read once. */
export const isAborted = (signal: AbortSignal | undefined): boolean => signal?.aborted === true

export const cancelled = (): AgentError => new AgentError('cancelled', 'the answer was cancelled')

/** @param file the profile's config.yaml */
export const notConfigured = (profile: string, file: string): AgentError =>
  new AgentError('not-configured', `profile "${profile}" has no agent configured`, {
    next: `set agent.openai {base_url, model, api_key_env} or agent.command in ${file}, or run: hermes -p ${profile} setup`,
  })
