import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { errorLine, HermesError } from '../../../system/errors.ts'
import type { Redact } from '../../../system/text/redact.ts'
import { AgentError } from '../../agent/agent.ts'

/** OpenAI's error envelope (https://platform.openai.com/docs/guides/error-codes) with the status it goes with. */
export interface Refusal {
  readonly status: ContentfulStatusCode
  readonly error: {
    readonly message: string
    readonly type: string
    readonly param: string | null
    readonly code: string | null
  }
  readonly headers?: Readonly<Record<string, string>>
}

/** A request that is answered with a refusal; thrown by handlers, answered in one place. */
export class RefusedRequest extends Error {
  readonly refusal: Refusal

  constructor(refusal: Refusal) {
    super(refusal.error.message)
    this.refusal = refusal
  }
}

type Details = { readonly param?: string; readonly headers?: Readonly<Record<string, string>> }

/** @param code for programs */
export const refusal = (
  status: ContentfulStatusCode,
  type: string,
  code: string | null,
  message: string,
  { param, headers }: Details = {},
): Refusal => ({
  status,
  error: { message, type, param: param ?? null, code },
  ...(headers === undefined ? {} : { headers }),
})

export const badRequest = (message: string, param?: string): RefusedRequest =>
  new RefusedRequest(
    refusal(400, 'invalid_request_error', 'bad_request', message, param === undefined ? {} : { param }),
  )

export const tooLarge = (maxBytes: number): RefusedRequest =>
  new RefusedRequest(
    refusal(413, 'invalid_request_error', 'request_too_large', `a request body may have at most ${maxBytes} bytes`),
  )

export const wrongKey = (given: boolean): RefusedRequest =>
  new RefusedRequest(
    refusal(
      401,
      'invalid_request_error',
      'invalid_api_key',
      given ? 'the API key is wrong' : 'an API key is required; send it as "Authorization: Bearer KEY"',
      { headers: { 'www-authenticate': 'Bearer' } },
    ),
  )

export const forbidden = (message: string): RefusedRequest =>
  new RefusedRequest(refusal(403, 'invalid_request_error', 'forbidden', message))

export const unknownModel = (model: string, models: readonly string[]): RefusedRequest =>
  new RefusedRequest(
    refusal(
      404,
      'invalid_request_error',
      'model_not_found',
      `there is no model ${JSON.stringify(model.slice(0, 100))}; there is ${models.join(', ')}`,
      { param: 'model' },
    ),
  )

export const notFound = (message: string): RefusedRequest =>
  new RefusedRequest(refusal(404, 'invalid_request_error', 'not_found', message))

export const draining = (): RefusedRequest =>
  new RefusedRequest(
    refusal(503, 'server_error', 'stopping', 'this gateway is stopping; try again in a moment', {
      headers: { 'retry-after': '2', connection: 'close' },
    }),
  )

export const busy = (): RefusedRequest =>
  new RefusedRequest(
    refusal(503, 'server_error', 'busy', 'too many answers are in progress; try again in a moment', {
      headers: { 'retry-after': '1' },
    }),
  )

/** The board's database is away. @param message with the next step */
export const noDatabase = (message: string): RefusedRequest =>
  new RefusedRequest(refusal(503, 'server_error', 'no_database', message, { headers: { 'retry-after': '5' } }))

/** OpenAI's clients retry 5xx; this header tells them when that cannot help. */
const NO_RETRY = { 'x-should-retry': 'false' }

/** Converts any error to a refusal for the client. Never reveals the details of a bug. */
export function refusalOf(error: unknown, redact: Redact): Refusal {
  if (error instanceof RefusedRequest) return error.refusal
  if (error instanceof AgentError) return agentRefusal(error, redact)
  if (error instanceof HermesError) return refusal(500, 'server_error', 'failed', redact(errorLine(error)))
  return refusal(500, 'server_error', 'internal_error', 'internal error of the gateway; see its errors.log')
}

function agentRefusal(error: AgentError, redact: Redact): Refusal {
  const message = redact(errorLine(error))
  switch (error.failure) {
    case 'not-configured':
      return refusal(503, 'server_error', 'agent_not_configured', message, { headers: NO_RETRY })
    case 'misconfigured':
      return refusal(502, 'server_error', 'agent_misconfigured', message, { headers: NO_RETRY })
    case 'bad-question':
      return refusal(400, 'invalid_request_error', 'bad_request', message, { param: 'messages' })
    case 'silent':
      return refusal(504, 'server_error', 'agent_silent', message)
    case 'cancelled':
      return refusal(503, 'server_error', 'stopping', message, { headers: { 'retry-after': '2' } })
    case 'refused':
      return upstreamRefusal(error, message)
    case 'unreachable':
    case 'broken':
      return refusal(502, 'server_error', `upstream_${error.failure}`, message)
    case 'failed':
    case 'empty':
    case 'too-long':
      return refusal(502, 'server_error', `agent_${error.failure.replace('-', '_')}`, message)
  }
}

/**
 * An endpoint's own answer keeps its meaning, except where it is about our configuration and not about the client's
 * request.
 */
function upstreamRefusal({ upstream }: AgentError, message: string): Refusal {
  const status = upstream?.status ?? 0
  if (status === 401 || status === 403)
    return refusal(502, 'server_error', 'upstream_auth', message, { headers: NO_RETRY })
  if (status === 404) return refusal(502, 'server_error', 'upstream_not_found', message, { headers: NO_RETRY })
  if (status < 400 || status > 599) return refusal(502, 'server_error', 'upstream_failed', message)
  const { retryAfter } = upstream ?? {}
  const theirs = envelopeIn(upstream?.body ?? '')
  const type = status === 429 ? 'rate_limit_error' : status < 500 ? 'invalid_request_error' : 'server_error'
  return refusal(
    status as ContentfulStatusCode,
    theirs?.type ?? type,
    theirs?.code ?? null,
    theirs?.message ?? message,
    {
      ...(theirs?.param === undefined ? {} : { param: theirs.param }),
      ...(retryAfter === undefined ? {} : { headers: { 'retry-after': retryAfter } }),
    },
  )
}

function envelopeIn(body: string): { message: string; type?: string; code?: string; param?: string } | undefined {
  try {
    const { error } = JSON.parse(body) as { error?: Record<string, unknown> }
    if (typeof error !== 'object' || error === null || typeof error.message !== 'string') return undefined
    const text = (name: string) => (typeof error[name] === 'string' ? { [name]: error[name] } : {})
    return { message: error.message, ...text('type'), ...text('code'), ...text('param') }
  } catch {
    // A proxy's HTML page: use our own text instead.
    return undefined
  }
}
