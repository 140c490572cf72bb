import { Agent as HttpAgent, type IncomingMessage, type RequestOptions, request } from 'node:http'
import { Agent as HttpsAgent, request as requestTls } from 'node:https'
import type { OpenAiEndpoint } from '../../profile/config/kinds/kinds.ts'
import { type Clock, pause } from '../../system/clock.ts'
import { hasCode } from '../../system/error-code.ts'
import { trustedCertificates } from '../../system/net/certificates.ts'
import { redactor } from '../../system/text/redact.ts'
import { AgentError, cancelled, isAborted, type UpstreamError } from './agent.ts'
import { errorMessageIn } from './answer.ts'

declare const HERMES_VERSION: string

export interface EndpointFacts {
  readonly endpoint: OpenAiEndpoint
  /** Read for each request, so that a login takes effect at once. Undefined: send no key. */
  key(): string | undefined
  /** HTTP_PROXY, HTTPS_PROXY and NO_PROXY are honoured. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  /** Longest wait for a sign of life, ms. */
  readonly silenceMs: number
  /** How long to try again while nothing listens there; absent: not at all. */
  readonly patienceMs?: number
}

/** An answer that has begun with status 200. */
export interface EndpointAnswer {
  readonly contentType: string
  /**
   * Chunks as they come.
   * @throws AgentError silent, broken or cancelled
   */
  chunks(): AsyncGenerator<Buffer, void, undefined>
}

export interface Endpoint {
  /** POSTs a JSON body to `<base_url>/chat/completions`. @throws AgentError */
  ask(body: string, signal?: AbortSignal): Promise<EndpointAnswer>
}

/** The version is set by the build; it is missing when running from source. */
const USER_AGENT = `hermes/${typeof HERMES_VERSION === 'string' ? HERMES_VERSION : '0'}`
const MAX_ERROR_BYTES = 64 * 1024
const IDLE_SOCKET_MS = 15_000
/** Pause between two attempts to reach an endpoint that is just starting. */
const AGAIN_MS = 200

/** @throws AgentError misconfigured when base_url is not an http or https address */
export function openEndpoint(facts: EndpointFacts): Endpoint {
  const { endpoint, clock, silenceMs, environment } = facts
  const url = completionsUrl(endpoint.baseUrl)
  const secure = url.protocol === 'https:'
  const pool = { keepAlive: true, timeout: IDLE_SOCKET_MS, proxyEnv: environment as NodeJS.ProcessEnv }
  const agent = secure ? new HttpsAgent({ ...pool, ca: trustedCertificates() }) : new HttpAgent(pool)

  const send = (body: string, signal: AbortSignal | undefined, mayRepeat: boolean): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const key = facts.key()
      const options: RequestOptions = {
        method: 'POST',
        agent,
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          accept: 'application/json, text/event-stream',
          'user-agent': USER_AGENT,
          ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        },
        ...(signal === undefined ? {} : { signal }),
      }
      const outgoing = (secure ? requestTls : request)(url, options)
      let late = false
      const alarm = clock.at(clock.nowMs() + silenceMs, () => {
        late = true
        outgoing.destroy()
      })
      outgoing.once('response', (incoming) => {
        alarm()
        resolve(incoming)
      })
      outgoing.once('error', (error) => {
        alarm()
        if (late) reject(silent(url, silenceMs))
        else if (isAborted(signal)) reject(cancelled())
        // The server closed an idle connection while our request was on its way: nothing of it was answered, so it is
        // sent again.
        else if (mayRepeat && outgoing.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET') {
          send(body, signal, false).then(resolve, reject)
        } else reject(unreachable(url, error))
      })
      outgoing.end(body)
    })

  const patiently = async (attempt: () => Promise<IncomingMessage>, signal: AbortSignal | undefined) => {
    const untilMs = clock.nowMs() + (facts.patienceMs ?? 0)
    for (;;) {
      try {
        return await attempt()
      } catch (error) {
        if (!isRefusedConnection(error) || clock.nowMs() >= untilMs || isAborted(signal)) throw error
      }
      await pause(clock, AGAIN_MS, signal)
    }
  }

  return {
    async ask(body, signal) {
      if (isAborted(signal)) throw cancelled()
      const incoming = await patiently(() => send(body, signal, true), signal)
      const chunks = (): AsyncGenerator<Buffer, void, undefined> => read(incoming, url, clock, silenceMs, signal)
      if (incoming.statusCode === 200) {
        return { contentType: incoming.headers['content-type'] ?? '', chunks }
      }
      throw refused(facts, url, {
        status: incoming.statusCode ?? 0,
        // Some servers quote the key they refuse.
        body: redactor([facts.key() ?? ''])(await beginning(chunks(), MAX_ERROR_BYTES)),
        retryAfter: incoming.headers['retry-after'],
      })
    },
  }
}

const isRefusedConnection = (error: unknown): boolean =>
  error instanceof AgentError && hasCode(error.cause, 'ECONNREFUSED')

function completionsUrl(baseUrl: string): URL {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new AgentError(
      'misconfigured',
      `agent.openai.base_url ${JSON.stringify(baseUrl)} is not an http or https address`,
      {
        next: 'write it as https://HOST/v1 in config.yaml',
      },
    )
  }
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/chat/completions`
  return url
}

async function* read(
  incoming: IncomingMessage,
  url: URL,
  clock: Clock,
  silenceMs: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void, undefined> {
  const chunks = incoming[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  let late = false
  try {
    while (true) {
      const alarm = clock.at(clock.nowMs() + silenceMs, () => {
        late = true
        incoming.destroy()
      })
      const { done, value } = await chunks.next().finally(alarm)
      if (done === true) break
      yield value
    }
  } catch (error) {
    if (late) throw silent(url, silenceMs)
    if (isAborted(signal)) throw cancelled()
    throw broken(url, error)
  } finally {
    // Half an answer left in the socket would be taken for the beginning of the next one.
    if (!incoming.complete) incoming.destroy()
  }
  if (isAborted(signal) && !incoming.complete) throw cancelled()
  if (!incoming.complete) throw broken(url, undefined)
}

async function beginning(chunks: AsyncGenerator<Buffer>, maxBytes: number): Promise<string> {
  const pieces: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of chunks) {
      pieces.push(chunk)
      size += chunk.length
      if (size >= maxBytes) break
    }
  } catch (error) {
    // The status is enough; keep the part of the explanation that could be read.
    if (!(error instanceof AgentError)) throw error
  }
  return Buffer.concat(pieces).subarray(0, maxBytes).toString('utf8')
}

const silent = (url: URL, silenceMs: number): AgentError =>
  new AgentError('silent', `${url.origin} sent nothing for ${silenceMs / 1000} s`, {
    next: 'HERMES_AGENT_TIMEOUT (seconds) allows more',
  })

export const broken = (url: URL | string, cause: unknown): AgentError =>
  new AgentError(
    'broken',
    `${typeof url === 'string' ? url : url.origin} ended the connection in the middle of the answer`,
    {
      cause,
    },
  )

const unreachable = (url: URL, cause: Error): AgentError =>
  new AgentError('unreachable', `cannot reach ${url.origin}: ${reasonOf(cause)}`, {
    next: 'check agent.openai.base_url in config.yaml, and the network of this machine',
    cause,
  })

/** Several addresses were tried; the actual errors are inside. */
const reasonOf = (error: Error): string =>
  error.message ||
  (error instanceof AggregateError ? error.errors.map((one: Error) => one.message).join(', ') : error.name)

function refused(facts: EndpointFacts, url: URL, upstream: UpstreamError): AgentError {
  const { model, apiKeyEnv } = facts.endpoint
  const advice =
    upstream.status === 401 || upstream.status === 403
      ? facts.key() === undefined
        ? `it wants a key: set ${apiKeyEnv} in the profile's .env, or run: hermes login`
        : `the key in ${apiKeyEnv} is not accepted there`
      : upstream.status === 404
        ? `is agent.openai.base_url right, and does it have a model ${JSON.stringify(model)}?`
        : undefined
  const reason = errorMessageIn(upstream.body)
  return new AgentError(
    'refused',
    `${url.origin} answered with status ${upstream.status}${reason === undefined ? '' : `: ${reason}`}`,
    { upstream, ...(advice === undefined ? {} : { next: advice }) },
  )
}
