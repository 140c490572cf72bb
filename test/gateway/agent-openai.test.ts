import { statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Agent, AgentError, answerText } from '../../src/gateway/agent/agent.ts'
import { configureAgent } from '../../src/gateway/agent/configure.ts'
import { readStoredKeys, storeKey } from '../../src/profile/environment/auth-file.ts'
import { systemClock } from '../../src/system/clock.ts'
import { startUpstream, type Upstream } from '../support/dashboard/openai-upstream.ts'
import { scratchDir } from '../support/scratch.ts'
import { waitFor } from '../support/wait.ts'

let dir: string
let upstream: Upstream
beforeEach(async () => {
  dir = scratchDir('hermes-agent-')
  upstream = await startUpstream()
})
afterEach(() => upstream[Symbol.asyncDispose]())

const agent = (environment: Record<string, string> = {}, baseUrl = upstream.baseUrl): Agent =>
  configureAgent({
    config: {
      command: null,
      pool: null,
      openai: { baseUrl, model: 'small', apiKeyEnv: 'UP_KEY' },
      metered: false,
      keySecret: null,
    },
    profileDir: dir,
    environment,
    clock: systemClock(),
  }) as Agent
const hello = { messages: [{ role: 'user', content: 'Hi' }] }
const failure = async (answer: Promise<unknown>): Promise<AgentError> => {
  const error = await answer.then(
    (text) => new Error(`it answered ${JSON.stringify(text)}`),
    (error: unknown) => error,
  )
  if (error instanceof AgentError) return error
  throw error
}

test('an answer comes piece by piece, whether the endpoint streams or not', async () => {
  const pieces: string[] = []
  for await (const piece of agent().answer(hello)) pieces.push(piece)
  expect(pieces).toEqual(['Hello', ', ', 'world'])
  upstream.behave({ do: 'answer', pieces: ['all at ', 'once'], whole: true })
  expect(await answerText(agent(), hello)).toBe('all at once')
})

test('SOUL.md is the system prompt, read at each question, and goes before a system prompt of the client', async () => {
  await answerText(agent(), hello)
  writeFileSync(join(dir, 'SOUL.md'), '# Ada\n\nBe brief.\n')
  await answerText(agent(), hello)
  await answerText(agent(), { messages: [{ role: 'system', content: 'Speak German.' }, ...hello.messages] })
  const parts = [{ type: 'text', text: 'Speak German.' }]
  await answerText(agent(), {
    messages: [{ role: 'developer', content: parts }, { role: 'system', content: 'And French.' }, ...hello.messages],
  })
  expect(upstream.requests.map(({ body }) => body.messages)).toEqual([
    hello.messages,
    [{ role: 'system', content: '# Ada\n\nBe brief.' }, ...hello.messages],
    [{ role: 'system', content: '# Ada\n\nBe brief.\n\nSpeak German.' }, ...hello.messages],
    [
      {
        role: 'system',
        content: [{ type: 'text', text: '# Ada\n\nBe brief.' }, ...parts, { type: 'text', text: 'And French.' }],
      },
      ...hello.messages,
    ],
  ])
})

test('the key comes from the environment, else from auth.json, which a login changes at once; without one none is sent', async () => {
  const one = agent()
  await answerText(one, hello)
  await storeKey(dir, 'UP_KEY', 'stored-key', systemClock())
  await answerText(one, hello)
  await answerText(agent({ UP_KEY: 'env-key' }), hello)
  expect(upstream.requests.map(({ headers }) => headers.authorization)).toEqual([
    undefined,
    'Bearer stored-key',
    'Bearer env-key',
  ])
})

test('auth.json is 0600 and keeps its other content; a fault in it is reported without a quotation', async () => {
  const file = join(dir, 'auth.json')
  writeFileSync(file, '{"providers":{"x":1}}', { mode: 0o644 })
  await storeKey(dir, 'A', 'one', systemClock())
  await storeKey(dir, 'B', 'two', systemClock())
  await storeKey(dir, 'A', null, systemClock())
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readStoredKeys(dir)).toEqual({ B: 'two' })
  writeFileSync(file, '{"api_keys": sk-secret-secret')
  const error = await answerText(agent(), hello).catch((error: unknown) => error as Error)
  expect(String(error)).toContain(`${file} is not a JSON object`)
  expect(JSON.stringify(error)).not.toContain('sk-secret')
})

test('the configured model is asked for, and parameters are passed on', async () => {
  await answerText(agent(), { ...hello, parameters: { temperature: 0.5, model: 'other', stream: false } })
  expect(upstream.requests[0]?.url).toBe('/v1/chat/completions')
  expect(upstream.requests[0]?.body).toMatchObject({ model: 'small', temperature: 0.5, stream: true })
})

test('an error status keeps its status, message and Retry-After', async () => {
  upstream.behave({
    do: 'refuse',
    status: 429,
    error: { message: 'slow down', type: 'rate_limit' },
    headers: { 'retry-after': '7' },
  })
  const error = await failure(answerText(agent(), hello))
  expect(error.failure).toBe('refused')
  expect(error.message).toContain('status 429: slow down')
  expect(error.upstream).toMatchObject({ status: 429, retryAfter: '7' })
})

test('a refused key is reported by the name of its variable and never by its value', async () => {
  upstream.behave({ do: 'refuse', status: 401, error: { message: 'bad key' } })
  expect((await failure(answerText(agent(), hello))).next).toContain('set UP_KEY')
  upstream.behave({ do: 'refuse', status: 401, error: { message: 'wrong key: secret-value-1' } })
  const error = await failure(answerText(agent({ UP_KEY: 'secret-value-1' }), hello))
  expect(error.next).toContain('the key in UP_KEY is not accepted')
  expect(error.message).toContain('wrong key: [redacted]')
  expect(JSON.stringify(error) + error.message).not.toContain('secret-value-1')
})

test('an error page is an error with its status, not a crash', async () => {
  upstream.behave({ do: 'say', status: 502, type: 'text/html', body: `<html>${'x'.repeat(500_000)}` })
  const error = await failure(answerText(agent(), hello))
  expect(error.message).toMatch(/answered with status 502$/)
  expect(error.upstream?.body.length).toBe(64 * 1024)
  upstream.behave({ do: 'say', status: 200, type: 'application/json', body: 'not json' })
  expect(await failure(answerText(agent(), hello))).toMatchObject({ failure: 'failed' })
})

test('a redirect is not followed: the key would go along', async () => {
  upstream.behave({ do: 'say', status: 307, type: 'text/plain', body: '' })
  expect(await failure(answerText(agent(), hello))).toMatchObject({ failure: 'refused' })
  expect(upstream.requests).toHaveLength(1)
})

test('a stream that breaks off is an error after the received part', async () => {
  for (const behaviour of ['hang-up', 'end-early'] as const) {
    upstream.behave({ do: behaviour, pieces: ['half an '] })
    const pieces = agent().answer(hello)
    expect((await pieces.next()).value).toBe('half an ')
    expect(await failure(pieces.next())).toMatchObject({ failure: 'broken' })
  }
  upstream.behave({ do: 'hang-up', pieces: [] })
  expect(await failure(answerText(agent(), hello))).toMatchObject({ failure: 'broken' })
  upstream.behave({ do: 'drop' })
  expect(await failure(answerText(agent(), hello))).toMatchObject({ failure: 'unreachable' })
})

test('an error inside a stream is one', async () => {
  upstream.behave({ do: 'fail-inside', pieces: ['so far'], message: 'the model fell over' })
  expect((await failure(answerText(agent(), hello))).message).toContain('the model fell over')
})

test.each([
  ['a document', 'application/json', { error: { message: 'provider is away', code: 502 } }, 502],
  ['a text', 'application/json', { error: 'provider is away' }, 502],
  ['a status as text', 'application/json', { error: { message: 'provider is away', code: '429' } }, 429],
  ['as vLLM says it', 'application/json', { object: 'error', message: 'provider is away', code: 400 }, 400],
  ['without an answer', 'application/json', { detail: 'provider is away' }, 502],
  [
    'of a choice',
    'application/json',
    { choices: [{ finish_reason: 'error', error: { message: 'provider is away' } }] },
    502,
  ],
  ['an event', 'text/event-stream', 'data: {"error":{"message":"provider is away","code":503}}\n\n', 503],
  ['an event by its type', 'text/event-stream', 'event: error\ndata: {"message":"provider is away"}\n\n', 502],
  ['an event without its end', 'text/event-stream', 'data: {"error":"provider is away"}', 502],
])('a failure in the body of status 200 is one: %s', async (_, type, body, status) => {
  upstream.behave({ do: 'say', status: 200, type, body: typeof body === 'string' ? body : JSON.stringify(body) })
  const error = await failure(answerText(agent(), hello))
  expect(error).toMatchObject({ failure: 'refused', upstream: { status } })
  expect(error.message).toContain('gave up: provider is away')
})

test('silence before the answer and inside it ends it after HERMES_AGENT_TIMEOUT', async () => {
  for (const begin of [false, true]) {
    upstream.behave({ do: 'wait', pieces: [], begin })
    const error = await failure(answerText(agent({ HERMES_AGENT_TIMEOUT: '0.2' }), hello))
    expect(error).toMatchObject({ failure: 'silent', code: 'TIMED_OUT' })
  }
  await waitFor('the requests to be given up', () => upstream.requests.every(({ gaveUp }) => gaveUp))
})

test('giving up closes the connection to the endpoint', async () => {
  upstream.behave({ do: 'wait', pieces: [], begin: true })
  const giveUp = new AbortController()
  const answer = failure(answerText(agent(), { ...hello, signal: giveUp.signal }))
  await waitFor('the request', () => upstream.requests.length === 1)
  giveUp.abort()
  expect(await answer).toMatchObject({ failure: 'cancelled' })
  await waitFor('the endpoint to notice', () => upstream.requests[0]?.gaveUp)
})

test('an endless answer is cut off', async () => {
  upstream.behave({ do: 'flood' })
  expect(await failure(answerText(agent(), hello))).toMatchObject({ failure: 'too-long' })
})

test('an address without a listener and an invalid address are reported with base_url', async () => {
  const error = await failure(answerText(agent({}, 'http://127.0.0.1:1/v1'), hello))
  expect(error.failure).toBe('unreachable')
  expect(error.message).toContain('ECONNREFUSED')
  expect(() => agent({}, 'ftp://x')).toThrow('not an http or https address')
})

test('HTTP_PROXY and NO_PROXY are honoured', async () => {
  const seen: string[] = []
  const proxy = createServer((request, response) => {
    seen.push(request.url ?? '')
    response.end(JSON.stringify({ choices: [{ message: { content: 'by proxy' } }] }))
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const { port } = proxy.address() as { port: number }
  const env = { HTTP_PROXY: `http://127.0.0.1:${port}` }
  expect(await answerText(agent(env, 'http://model.example/v1'), hello)).toBe('by proxy')
  expect(seen).toEqual(['http://model.example/v1/chat/completions'])
  expect(await answerText(agent({ ...env, NO_PROXY: '127.0.0.1' }), hello)).toBe('Hello, world')
  proxy.closeAllConnections()
  await new Promise((resolve) => proxy.close(resolve))
})

test('a connection that the endpoint closed while it was idle costs nothing: the request is sent again', async () => {
  let connections = 0
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      const { socket } = response
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ choices: [{ message: { content: 'yes' } }] }), () => {
        // Closed as it becomes idle, so that the next request may meet the closing.
        socket?.destroy()
      })
    })
  }).on('connection', () => {
    connections += 1
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const one = agent({}, `http://127.0.0.1:${port}/v1`)
  for (let n = 0; n < 20; n++) expect(await answerText(one, hello)).toBe('yes')
  expect(connections).toBeGreaterThan(1)
  await new Promise((resolve) => server.close(resolve))
})
