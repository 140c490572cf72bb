import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import OpenAI from 'openai'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startUpstream, type Upstream } from '../../support/dashboard/openai-upstream.ts'
import {
  peakResidentBytes,
  residentBytes,
  saw,
  spawnGateway,
  startGateway,
  type TestGateway,
} from '../../support/gateway.ts'
import { freePort } from '../../support/port.ts'
import { scratchDir } from '../../support/scratch.ts'
import { stretchedMs, waitFor, within } from '../../support/wait.ts'

let upstream: Upstream
const clean: AsyncDisposable[] = []
beforeEach(async () => {
  upstream = await startUpstream()
  clean.push(upstream)
})
afterEach(async () => {
  for (const one of clean.splice(0).reverse()) await one[Symbol.asyncDispose]()
})

const KEY = 'test-key-0123456789'
const openAi = () => ({ agent: { openai: { base_url: upstream.baseUrl, model: 'small', api_key_env: 'UP_KEY' } } })

async function start(options: Parameters<typeof startGateway>[0] = {}): Promise<TestGateway> {
  const gateway = await startGateway({ config: openAi(), ...options })
  clean.push(gateway)
  return gateway
}

const client = (gateway: TestGateway, apiKey = 'any-key'): OpenAI =>
  new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey, maxRetries: 0 })
const hello = { model: 'default', messages: [{ role: 'user' as const, content: 'Hi' }] }

/** The error a call of the official client ends with. */
async function errorOf(call: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
  try {
    const value = await call
    throw new Error(`it answered ${JSON.stringify(value)}`)
  } catch (error) {
    if (error instanceof OpenAI.APIError) return error
    throw error
  }
}

async function readAll(stream: AsyncIterable<OpenAI.ChatCompletionChunk>): Promise<string> {
  let text = ''
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
  return text
}

describe('the official openai client, unchanged', () => {
  test('gets an answer, whole and streamed, and the list of models', async () => {
    const gateway = await start()
    const openai = client(gateway)
    const answer = await openai.chat.completions.create(hello)
    expect(answer.choices[0]?.message.content).toBe('Hello, world')
    expect(answer.usage?.total_tokens).toBe(5)
    expect(await readAll(await openai.chat.completions.create({ ...hello, stream: true }))).toBe('Hello, world')
    expect((await openai.models.list()).data.map(({ id }) => id)).toEqual(['default', 'small'])
    expect((await openai.models.retrieve('small')).id).toBe('small')
    expect(upstream.requests[0]?.body).toMatchObject({ model: 'small', messages: hello.messages })
  })

  test('has its parameters and tools passed on', async () => {
    const gateway = await start()
    const tools = [{ type: 'function' as const, function: { name: 'look', parameters: { type: 'object' } } }]
    await client(gateway).chat.completions.create({ ...hello, model: 'small', temperature: 0.2, tools })
    expect(upstream.requests[0]?.body).toMatchObject({ temperature: 0.2, tools })
  })

  test('gets a reason for a wrong key, an unknown model, a bad request, an unknown path', async () => {
    const gateway = await start({ env: { API_SERVER_KEY: KEY } })
    const wrong = await errorOf(client(gateway, 'wrong-key').chat.completions.create(hello))
    expect(wrong).toBeInstanceOf(OpenAI.AuthenticationError)
    expect(wrong).toMatchObject({ status: 401, code: 'invalid_api_key', type: 'invalid_request_error' })
    const openai = client(gateway, KEY)
    const unknown = await errorOf(openai.chat.completions.create({ ...hello, model: 'nosuch' }))
    expect(unknown).toBeInstanceOf(OpenAI.NotFoundError)
    expect(unknown).toMatchObject({ code: 'model_not_found', param: 'model' })
    expect(unknown.message).toContain('there is default, small')
    const bad = await errorOf(openai.chat.completions.create({ ...hello, messages: [] }))
    expect(bad).toMatchObject({ status: 400, param: 'messages' })
    expect(await errorOf(openai.embeddings.create({ model: 'x', input: 'y' }))).toMatchObject({ status: 404 })
    expect(upstream.requests).toHaveLength(0)
  })

  test('gets with 503, once, how to configure an agent where there is none', async () => {
    const gateway = await start({ config: {} })
    const openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: 'x', maxRetries: 5 })
    const error = await errorOf(openai.chat.completions.create(hello))
    expect(error).toMatchObject({ status: 503, code: 'agent_not_configured' })
    expect(error.message).toContain(
      `set agent.openai {base_url, model, api_key_env} or agent.command in ${gateway.dir}/config.yaml`,
    )
    await saw(gateway, 'agent configured')
    expect(gateway.log().match(/agent configured/g)).toHaveLength(1)
    expect(await (await fetch(`${gateway.url}/health`)).json()).toMatchObject({ status: 'ok', agent: 'not configured' })
  })

  test('gets the endpoint’s 429 and 500 with their meaning', async () => {
    const openai = client(await start())
    for (const stream of [false, true]) {
      upstream.behave({
        do: 'refuse',
        status: 429,
        error: { message: 'quota used up', type: 'insufficient_quota', code: 'insufficient_quota', param: null },
        headers: { 'retry-after': '17' },
      })
      const limited = await errorOf(openai.chat.completions.create({ ...hello, stream }))
      expect(limited).toBeInstanceOf(OpenAI.RateLimitError)
      expect(limited).toMatchObject({ code: 'insufficient_quota', type: 'insufficient_quota' })
      expect(limited.message).toContain('quota used up')
      expect(limited.headers?.get('retry-after')).toBe('17')
      upstream.behave({ do: 'refuse', status: 500, error: { message: 'it fell over', type: 'server_error' } })
      const failed = await errorOf(openai.chat.completions.create({ ...hello, stream }))
      expect(failed).toBeInstanceOf(OpenAI.InternalServerError)
      expect(failed).toMatchObject({ status: 500 })
      expect(failed.message).toContain('it fell over')
    }
  })

  test('does not hear that its own key is wrong when the profile’s key is', async () => {
    const gateway = await start({ env: { UP_KEY: 'sk-upstream-secret-value' } })
    upstream.behave({ do: 'refuse', status: 401, error: { message: 'Incorrect API key: sk-upstream-secret-value' } })
    const error = await errorOf(client(gateway).chat.completions.create(hello))
    expect(error).toMatchObject({ status: 502, code: 'upstream_auth' })
    expect(error.message).toContain('the key in UP_KEY is not accepted')
    expect(error.message).not.toContain('sk-upstream')
    expect(gateway.log()).not.toContain('sk-upstream')
    expect(upstream.requests[0]?.headers.authorization).toBe('Bearer sk-upstream-secret-value')
  })

  test('throws when a stream breaks off, after the part that came', async () => {
    const openai = client(await start())
    for (const behaviour of [{ do: 'hang-up' }, { do: 'hang-up', torn: true }, { do: 'end-early' }] as const) {
      upstream.behave({ ...behaviour, pieces: ['half an '] })
      const stream = await openai.chat.completions.create({ ...hello, stream: true })
      const error = await errorOf(readAll(stream))
      expect(error.message).toContain('in the middle of the answer')
    }
    upstream.behave({ do: 'fail-inside', pieces: ['so far'], message: 'the model fell over' })
    expect(
      (await errorOf(readAll(await openai.chat.completions.create({ ...hello, stream: true })))).message,
    ).toContain('the model fell over')
    upstream.behave({ do: 'hang-up', pieces: [] })
    expect(await errorOf(openai.chat.completions.create(hello))).toMatchObject({ status: 502, code: 'upstream_broken' })
    upstream.behave({ do: 'drop' })
    expect(await errorOf(openai.chat.completions.create(hello))).toMatchObject({ code: 'upstream_unreachable' })
  })

  test('gets tool calls, finish reason and usage, whether it and the endpoint stream or not', async () => {
    const openai = client(await start())
    const call = { id: 'call_1', type: 'function', function: { name: 'look', arguments: '{"at":"it"}' } }
    const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }
    const message = { role: 'assistant', content: null, tool_calls: [call] }
    const document = JSON.stringify({
      ...{ id: 'c1', object: 'chat.completion', created: 1, model: 'small', usage },
      choices: [{ index: 0, message, finish_reason: 'tool_calls' }],
    })
    const piece = (delta: object, finish_reason: string | null = null) => ({
      ...{ id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'small' },
      choices: [{ index: 0, delta, finish_reason }],
    })
    const calls = (fields: object) => ({ tool_calls: [{ index: 0, ...fields }] })
    const events = [
      piece({ role: 'assistant', content: null, ...calls({ ...call, function: { name: 'look', arguments: '' } }) }, ''),
      piece(calls({ function: { arguments: '{"at":' } })),
      'data:\n\n',
      piece(calls({ function: { arguments: '"it"}' } })),
      piece({}, 'tool_calls'),
      { ...piece({}), choices: [], usage },
      'data: [DONE]\n\n',
    ]
    for (const behaviour of [
      { do: 'say', status: 200, type: 'application/json', body: document },
      { do: 'stream', events },
    ] as const) {
      upstream.behave(behaviour)
      const whole = await openai.chat.completions.create(hello)
      expect(whole).toMatchObject({ usage, choices: [{ message, finish_reason: 'tool_calls' }] })
      const stream = openai.chat.completions.stream({ ...hello, stream_options: { include_usage: true } })
      const streamed = await stream.finalChatCompletion()
      expect(streamed.choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { tool_calls: [call] } })
      expect((await stream.totalUsage()).total_tokens).toBe(5)
    }
  })

  test('reads whole events, wherever the endpoint cuts its stream', async () => {
    const gateway = await start()
    const [one = '', two = '', three = ''] = ['one', 'two', 'three'].map(
      (content) =>
        `data: {"id":"c1","choices":[{"index":0,"delta":{"content":"${content}"},"finish_reason":null}]}\n\n`,
    )
    const end = 'data: [DONE]\n\n'
    const pieces = [one + two.slice(0, -1), `\n${three.slice(0, 40)}`, three.slice(40) + end]
    upstream.behave({ do: 'stream', events: pieces, held: true })
    const { body } = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
      body: JSON.stringify({ ...hello, stream: true }),
    })
    const reads: string[] = []
    const reader = body?.pipeThrough(new TextDecoderStream()).getReader()
    for (let read = await reader?.read(); read?.done === false; read = await reader?.read()) {
      reads.push(read.value)
      upstream.release()
    }
    expect(reads).toEqual([one, two, three + end])
  })

  test('gets a failure that the endpoint reports with status 200', async () => {
    const openai = client(await start())
    const error = { message: 'provider is away', code: 429 }
    for (const stream of [false, true]) {
      upstream.behave({ do: 'say', status: 200, type: 'application/json', body: JSON.stringify({ error }) })
      const refused = await errorOf(openai.chat.completions.create({ ...hello, stream }))
      expect([refused.status, refused.message]).toEqual([429, expect.stringContaining('provider is away')])
    }
    upstream.behave({ do: 'stream', events: [{ error }] })
    const first = await errorOf(openai.chat.completions.create({ ...hello, stream: true }))
    expect(first.message).toContain('provider is away')
  })

  test('gets an answer that takes its time, and 504 from an endpoint that stays silent', async () => {
    const [patient, hasty] = await Promise.all([start(), start({ env: { HERMES_AGENT_TIMEOUT: '1' } })])
    upstream.behave({ do: 'wait', pieces: ['late'] })
    const answer = client(patient).chat.completions.create(hello)
    await waitFor('the request to arrive', () => upstream.requests.length === 1)
    upstream.release()
    expect((await answer).choices[0]?.message.content).toBe('late')
    expect(await errorOf(client(hasty).chat.completions.create(hello))).toMatchObject({
      status: 504,
      code: 'agent_silent',
    })
  })

  test('cancels: the endpoint sees the connection close', async () => {
    const gateway = await start()
    upstream.behave({ do: 'wait', pieces: [], begin: true })
    const stream = await client(gateway).chat.completions.create({ ...hello, stream: true })
    const giveUp = new AbortController()
    const answer = client(gateway).chat.completions.create(hello, { signal: giveUp.signal })
    answer.catch(() => undefined)
    await waitFor('both requests', () => upstream.requests.length === 2)
    stream.controller.abort()
    giveUp.abort()
    await waitFor('the endpoint to notice both', () => upstream.requests.every(({ gaveUp }) => gaveUp))
    upstream.behave({ do: 'answer', pieces: ['still here'] })
    expect((await client(gateway).chat.completions.create(hello)).choices[0]?.message.content).toBe('still here')
  })
})

describe('an agent that is a program', () => {
  const command = (script: string) => ({ agent: { command: ['sh', '-c', script] } })

  test('answers, whole and streamed, and may open /dev/stdout and /dev/stdin by name', async () => {
    const gateway = await start({
      config: command('cat /dev/stdin; echo " yes" > /dev/stdout; echo noise > /dev/stderr'),
    })
    const openai = client(gateway)
    expect((await openai.chat.completions.create(hello)).choices[0]).toMatchObject({
      message: { role: 'assistant', content: 'Hi yes' },
      finish_reason: 'stop',
    })
    expect(await readAll(await openai.chat.completions.create({ ...hello, stream: true }))).toBe('Hi yes')
    expect(await (await fetch(`${gateway.url}/health`)).json()).toMatchObject({ agent: 'command' })
  })

  test('that fails, is killed, is missing or writes without end is an error that says so', async () => {
    for (const [script, said] of [
      ['echo "no credit" >&2; exit 4', 'exited with code 4; its output: no credit'],
      ['kill -SEGV $$', 'was killed by SIGSEGV'],
      ['exit 0', 'ended without writing an answer'],
      ['yes', 'wrote more than 4194304 bytes'],
    ] as const) {
      const gateway = await start({ config: command(script) })
      const error = await errorOf(client(gateway).chat.completions.create(hello))
      expect([error.status, error.message]).toEqual([502, expect.stringContaining(said)])
    }
    const gateway = await start({ config: { agent: { command: ['no-such-program'] } } })
    const missing = await errorOf(client(gateway).chat.completions.create({ ...hello, stream: true }))
    expect(missing).toMatchObject({ status: 502, code: 'agent_misconfigured' })
    expect(missing.message).toContain('agent.command in config.yaml')
  })

  test('is ended when its client goes away', async () => {
    const gateway = await start({ config: command('echo $$ > pid; echo begun; exec sleep 600') })
    const stream = await client(gateway).chat.completions.create({ ...hello, stream: true })
    const pid = Number(readFileSync(join(gateway.dir, 'pid'), 'utf8'))
    expect(readFileSync(`/proc/${pid}/comm`, 'utf8')).toMatch(/^(sh|sleep)/)
    stream.controller.abort()
    await waitFor('the program to be gone', () => isGone(pid))
  })

  test('never has the caller’s key or the server’s in its arguments', async () => {
    const gateway = await start({
      config: command('tr "\\0" " " < /proc/$PPID/cmdline; tr "\\0" " " < /proc/$$/cmdline'),
      env: { API_SERVER_KEY: KEY },
    })
    const answer = await client(gateway, KEY).chat.completions.create(hello)
    expect(answer.choices[0]?.message.content).toContain('gateway run')
    expect(answer.choices[0]?.message.content).not.toContain(KEY)
  })
})

describe('request ids and usage', () => {
  const postTo = (gateway: TestGateway, path: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${gateway.url}${path}`, { method: 'POST', body: JSON.stringify(body), headers })
  const idOf = ({ headers }: Response) => headers.get('x-request-id')

  test('each answer has a request id, the client’s own where it has a fit one, and the log has it too', async () => {
    const gateway = await start()
    const own = { 'x-request-id': 'order-66.a:b_c' }
    const answers = [
      await fetch(`${gateway.url}/health`, { headers: own }),
      await fetch(`${gateway.url}/v1/models`, { headers: own }),
      await fetch(`${gateway.url}/nowhere`, { headers: own }),
      await postTo(gateway, '/v1/chat/completions', { messages: [] }, own),
      await postTo(gateway, '/v1/chat/completions', { ...hello, stream: true }, own),
      await postTo(gateway, '/v1/tasks', {}, own),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 404, 400, 200, 400])
    expect(answers.map(idOf)).toEqual(Array(6).fill(own['x-request-id']))
    for (const unfit of ['', 'two words', 'x'.repeat(129), 'a"b'])
      expect(idOf(await fetch(`${gateway.url}/health`, { headers: { 'x-request-id': unfit } }))).toMatch(
        /^req_[0-9a-f]{24}$/,
      )
    const [one, two] = [await client(gateway).chat.completions.create(hello), await client(gateway).models.list()]
    expect(one._request_id).toMatch(/^req_[0-9a-f]{24}$/)
    await saw(gateway, `POST /v1/chat/completions 200`)
    await saw(gateway, `request_id="${one._request_id}"`)
    expect(two.data).toHaveLength(2)
    const error = await errorOf(client(gateway).chat.completions.create({ ...hello, messages: [] }))
    expect(error.requestID).toMatch(/^req_[0-9a-f]{24}$/)
    await saw(gateway, `request_id="${error.requestID}"`, 'errors')
  })

  test('bytes that are not HTTP get an answer with a request id, too', async () => {
    const gateway = await start()
    const statusLines: string[] = []
    for (const text of [
      'nonsense\r\n\r\n',
      `GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`,
      'GET /health HTTP/1.1\r\nHost: localhost\r\nExpect: the unexpected\r\nConnection: close\r\n\r\n',
      'GET /health HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n',
    ]) {
      const answer = await rawAnswer(gateway.port, text)
      expect(answer).toMatch(/\r\nx-request-id: req_[0-9a-f]{24}\r\n/)
      statusLines.push(answer.split('\r\n', 1)[0] ?? '')
    }
    expect(statusLines).toEqual([
      'HTTP/1.1 400 Bad Request',
      'HTTP/1.1 431 Request Header Fields Too Large',
      'HTTP/1.1 417 Expectation Failed',
      'HTTP/1.1 400 Bad Request',
    ])
  })

  test('the answer of a program has the usage that it has reported, a stream only when asked, and none otherwise', async () => {
    const script =
      'read -r how; case $how in ' +
      `counted) for n in 1 2; do echo '{"input_tokens": 10, "output_tokens": 4}' >>"$HERMES_USAGE_FILE"; done;; ` +
      `half) echo '{"input_tokens": 10' >"$HERMES_USAGE_FILE";; esac; echo "$HERMES_USAGE_FILE"`
    const gateway = await start({ config: { agent: { command: ['sh', '-c', script] } } })
    const openai = client(gateway)
    const ask = (content: string) => ({ model: 'default', messages: [{ role: 'user' as const, content }] })
    const usage = { prompt_tokens: 20, completion_tokens: 8, total_tokens: 28 }
    const answer = await openai.chat.completions.create(ask('counted'))
    expect(answer.usage).toMatchObject(usage)
    expect(existsSync(dirname(answer.choices[0]?.message.content ?? ''))).toBe(false)
    for (const how of ['silent', 'half'])
      expect(await openai.chat.completions.create(ask(how))).not.toHaveProperty('usage')
    await saw(gateway, 'the usage of the answer does not count: HERMES_USAGE_FILE, document 1: expected JSON')
    const streamed = async (options: object) => {
      const chunks = []
      for await (const chunk of await openai.chat.completions.create({ ...ask('counted'), ...options, stream: true }))
        chunks.push(chunk)
      return chunks.filter((chunk) => chunk.usage)
    }
    expect(await streamed({})).toEqual([])
    expect(await streamed({ stream_options: { include_usage: true } })).toMatchObject([{ choices: [], usage }])
  })
})

describe('sessions', () => {
  test('a conversation goes on after the gateway was restarted; a broken answer is not part of it', async () => {
    const first = await start()
    const ask = (gateway: TestGateway, content: string, stream: boolean) =>
      client(gateway).chat.completions.create(
        { model: 'default', messages: [{ role: 'user', content }], stream },
        { headers: { 'X-Hermes-Session': 'morning' } },
      )
    await ask(first, 'My name is Ada', false)
    await readAll((await ask(first, 'Second', true)) as AsyncIterable<OpenAI.ChatCompletionChunk>)
    upstream.behave({ do: 'hang-up', pieces: ['half'] })
    await errorOf(readAll((await ask(first, 'lost', true)) as AsyncIterable<OpenAI.ChatCompletionChunk>))
    first.term()
    expect((await first.exited).code).toBe(0)
    upstream.behave({ do: 'answer', pieces: ['Ada'] })
    const second = await startGateway({ home: first.home })
    clean.push(second)
    const { response } = await ask(second, 'Who am I?', false).withResponse()
    expect(response.headers.get('x-hermes-session')).toBe('morning')
    expect(upstream.requests.at(-1)?.body.messages).toEqual([
      { role: 'user', content: 'My name is Ada' },
      { role: 'assistant', content: 'Hello, world' },
      { role: 'user', content: 'Second' },
      { role: 'assistant', content: 'Hello, world' },
      { role: 'user', content: 'Who am I?' },
    ])
    await saw(second, /INFO \[morning\] api: POST \/v1\/chat\/completions 200/)
  })

  const roles = (): readonly unknown[] => upstream.requests.at(-1)?.body.messages.map(({ role }) => role) ?? []

  test('tools are used in a conversation: the call and its result are part of it', async () => {
    const gateway = await start()
    const call = { id: 'call_1', type: 'function' as const, function: { name: 'look', arguments: '{}' } }
    const ask = (messages: OpenAI.ChatCompletionMessageParam[]) =>
      client(gateway).chat.completions.create(
        { model: 'default', messages },
        { headers: { 'X-Hermes-Session': 'tools' } },
      )
    const message = { role: 'assistant', content: null, tool_calls: [call], annotations: [] }
    const body = JSON.stringify({ choices: [{ index: 0, message, finish_reason: 'tool_calls' }] })
    upstream.behave({ do: 'say', status: 200, type: 'application/json', body })
    await ask([{ role: 'user', content: 'What is there?' }])
    upstream.behave({ do: 'answer', pieces: ['a cat'] })
    await ask([{ role: 'tool', tool_call_id: 'call_1', content: 'cat' }])
    await ask([{ role: 'user', content: 'And now?' }])
    expect(upstream.requests.at(-1)?.body.messages).toEqual([
      { role: 'user', content: 'What is there?' },
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'call_1', content: 'cat' },
      { role: 'assistant', content: 'a cat' },
      { role: 'user', content: 'And now?' },
    ])
  })

  test('the first of several choices is kept whole, and nothing of a failure', async () => {
    const gateway = await start()
    const ask = async (content: string) => {
      const init = { method: 'POST', headers: { 'x-hermes-session': 's' } }
      const body = JSON.stringify({ stream: true, messages: [{ role: 'user', content }] })
      return (await fetch(`${gateway.url}/v1/chat/completions`, { ...init, body })).text()
    }
    const piece = (index: number, content: string, finish_reason: string | null = '') => ({
      choices: [{ index, delta: { content }, finish_reason }],
    })
    const events = [piece(0, 'A1 '), piece(1, 'B1'), piece(1, '', 'stop'), piece(0, 'A2'), piece(0, '', 'stop')]
    upstream.behave({ do: 'stream', events: [...events, 'data: [DONE]'] })
    expect(await ask('one')).toContain('A2')
    upstream.behave({ do: 'stream', events: [piece(0, 'half'), { error: 'provider is away' }] })
    expect(await ask('two')).toContain('provider is away')
    upstream.behave({ do: 'answer', pieces: ['fine'] })
    await ask('three')
    expect(upstream.requests.at(-1)?.body.messages).toEqual([
      { role: 'user', content: 'one' },
      { role: 'assistant', content: 'A1 A2' },
      { role: 'user', content: 'three' },
    ])
  })

  test('a client may send its system prompt with each request, or with the first', async () => {
    const gateway = await start()
    const ask = (messages: OpenAI.ChatCompletionMessageParam[]) =>
      client(gateway).chat.completions.create({ model: 'default', messages }, { headers: { 'X-Hermes-Session': 's' } })
    const question = { role: 'user', content: 'Hi' } as const
    for (const messages of [[{ role: 'system', content: 'French' } as const, question], [question]]) await ask(messages)
    expect(roles()).toEqual(['system', 'user', 'assistant', 'user'])
    await ask([{ role: 'system', content: 'German' }, question])
    expect(roles()).toEqual(['system', 'user', 'assistant', 'user', 'assistant', 'user'])
    expect(upstream.requests.at(-1)?.body.messages[0]).toEqual({ role: 'system', content: 'German' })
  })
})

describe('stopping', () => {
  test('TERM lets a streaming answer finish, refuses new ones with 503 and Retry-After, and ends with 0', async () => {
    const gateway = await start({ config: { ...openAi(), gateway: { stop_timeout: '60s' } } })
    upstream.behave({ do: 'wait', pieces: ['the ', 'end'], begin: true })
    const stream = await client(gateway).chat.completions.create({ ...hello, stream: true })
    const answer = readAll(stream)
    gateway.term()
    await saw(gateway, 'SIGTERM: draining')
    const refused = await errorOf(client(gateway).chat.completions.create(hello))
    expect(refused).toMatchObject({ status: 503, code: 'stopping' })
    expect(refused.headers?.get('retry-after')).toBe('2')
    expect((await fetch(`${gateway.url}/health`)).status).toBe(503)
    upstream.release()
    expect(await answer).toBe('the end')
    expect(await within('the gateway to end', gateway.exited)).toEqual({ code: 0, signal: null })
    expect(upstream.requests).toHaveLength(1)
  })

  test('an answer that does not end in time is given up with an error, before the gateway would be killed', async () => {
    const gateway = await start({ config: { ...openAi(), gateway: { stop_timeout: '9s' } } })
    upstream.behave({ do: 'wait', pieces: [], begin: true })
    const stream = await client(gateway).chat.completions.create({ ...hello, stream: true })
    const answer = errorOf(readAll(stream))
    const startedAt = performance.now()
    gateway.term()
    expect(await within('the gateway to end', gateway.exited)).toEqual({ code: 0, signal: null })
    expect(performance.now() - startedAt).toBeLessThan(stretchedMs(9000))
    expect((await answer).message).toContain('cancelled')
    await waitFor('the endpoint to notice', () => upstream.requests[0]?.gaveUp)
  })

  test('a second TERM waits for no request', async () => {
    const gateway = await start()
    upstream.behave({ do: 'wait', pieces: [], begin: true })
    const stream = await client(gateway).chat.completions.create({ ...hello, stream: true })
    const answer = readAll(stream).catch(() => undefined)
    gateway.term()
    await saw(gateway, 'SIGTERM: draining')
    const startedAt = performance.now()
    gateway.term()
    expect(await within('the gateway to end', gateway.exited)).toEqual({ code: 0, signal: null })
    expect(performance.now() - startedAt).toBeLessThan(stretchedMs(4000))
    await answer
  })

  test('with nothing to do it ends at once, also with a thousand idle connections', async () => {
    const gateway = await start()
    const idle = await connections(gateway.port, 1000)
    const startedAt = performance.now()
    gateway.term()
    expect((await within('the gateway to end', gateway.exited)).code).toBe(0)
    // Not the time to drain, nor the time that idle connections are kept.
    expect(performance.now() - startedAt).toBeLessThan(stretchedMs(5000))
    for (const socket of idle) socket.destroy()
  })

  test('a second gateway of the profile is refused with the pid of the first; after a kill -9 the next one starts', async () => {
    const first = await start()
    const second = await spawnGateway({ home: first.home })
    expect((await second.exited).code).toBe(1)
    expect(second.stderr()).toContain(`is already running: pid ${first.pid}`)
    first.child.kill('SIGKILL')
    await first.exited
    const third = await startGateway({ home: first.home })
    clean.push(third)
    expect((await fetch(`${third.url}/health`)).status).toBe(200)
  })
})

describe('invalid settings end with 78 and name the file and key to change', () => {
  const refusal = async (env: Record<string, string>, profile = 'default', home?: string, code = 78) => {
    const gateway = await spawnGateway({ profile, env, ...(home === undefined ? {} : { home }) })
    clean.push(gateway)
    expect((await within('it to end', gateway.exited, { seen: () => gateway.stderr() })).code).toBe(code)
    // A sentence, there and in the log; only a bug has a stack.
    expect(gateway.stderr() + gateway.log()).not.toMatch(/^ +at |HermesError/m)
    return gateway.stderr()
  }

  test('a key of seven characters', async () => {
    const said = await refusal({ API_SERVER_KEY: '1234567' })
    expect(said).toContain('API_SERVER_KEY has 7 characters, it needs at least 8')
    expect(said).toContain('openssl rand -hex 32')
    expect(said).not.toContain('1234567')
  })

  test('an address that others can reach, without a key', async () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1']) {
      const said = await refusal({ API_SERVER_HOST: host })
      expect(said).toContain(`API_SERVER_HOST ${host} can be reached from other machines`)
      expect(said).toContain('openssl rand -hex 32')
    }
  })

  test('an invalid port, an address of another machine', async () => {
    expect(await refusal({ API_SERVER_PORT: '8642x' })).toContain(
      'expected a whole number from 1 to 65535, got "8642x"',
    )
    expect(await refusal({ API_SERVER_HOST: '192.0.2.1', API_SERVER_KEY: KEY })).toContain('no such address')
  })

  test('a port that another profile’s gateway has: both are named, and the file to change', async () => {
    const first = await start()
    const said = await refusal({ API_SERVER_PORT: String(first.port) }, 'coder', first.home, 1)
    expect(said).toContain(
      `port ${first.port} is already in use by the gateway of profile "default" (pid ${first.pid})`,
    )
    expect(said).toContain(`API_SERVER_PORT=${first.port + 1} in ${first.home}/profiles/coder/.env`)
  })

  test('a port that some other program has', async () => {
    const server = createServer()
    const port = await freePort()
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    const said = await refusal({ API_SERVER_PORT: String(port) }, 'default', undefined, 1)
    expect(said).toContain(`port ${port} is already in use by `)
    expect(said).toContain(`(pid ${process.pid})`)
    await new Promise((resolve) => server.close(resolve))
  })

  test('an agent that cannot be one', async () => {
    const gateway = await spawnGateway({
      config: { agent: { openai: { base_url: 'ftp://x', model: 'm', api_key_env: 'K' } } },
    })
    clean.push(gateway)
    expect((await gateway.exited).code).toBe(78)
    expect(gateway.stderr()).toContain('base_url')
  })
})

describe('malicious clients', () => {
  test('a body of 100 MB is refused without being held, with and without a declared length', async () => {
    const gateway = await start()
    await client(gateway).chat.completions.create(hello)
    const before = residentBytes(gateway.pid)
    for (const headers of [{ 'content-length': String(100e6) }, { 'transfer-encoding': 'chunked' }]) {
      const answers = await Promise.all(Array.from({ length: 4 }, () => pour(gateway.port, headers, 100e6)))
      for (const { status, body } of answers) {
        expect(status).toBe(413)
        expect(JSON.parse(body).error.code).toBe('request_too_large')
      }
    }
    expect(peakResidentBytes(gateway.pid) - before).toBeLessThan(150e6)
    expect((await fetch(`${gateway.url}/health`)).status).toBe(200)
  })

  test('a thousand idle connections cost little, and others are still served', async () => {
    const gateway = await start()
    const before = residentBytes(gateway.pid)
    const idle = await connections(gateway.port, 1000)
    expect((await client(gateway).chat.completions.create(hello)).choices[0]?.message.content).toBe('Hello, world')
    expect(residentBytes(gateway.pid) - before).toBeLessThan(60e6)
    for (const socket of idle) socket.destroy()
  })

  test('a client that never finishes its headers is cut off', async () => {
    const gateway = await start()
    const socket = connect(gateway.port, '127.0.0.1')
    let said = ''
    socket.on('data', (bytes) => {
      said += bytes
    })
    // A byte that crosses the close is answered by a reset.
    socket.on('error', (error) => expect(error).toMatchObject({ code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/) }))
    socket.write('POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nX-Slow: ')
    // One byte at a time, for as long as it is let.
    const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()))
    let over = false
    void closed.then(() => {
      over = true
    })
    await waitFor(
      'the connection to be closed',
      () => {
        if (!over) socket.write('a')
        return over
      },
      { deadlineMs: 20_000 },
    )
    expect(said).toContain('408')
  })

  test('a reader that takes nothing stops the endpoint, not the memory', async () => {
    const gateway = await start()
    upstream.behave({ do: 'flood' })
    const before = residentBytes(gateway.pid)
    const slow = connect(gateway.port, '127.0.0.1')
    slow.pause()
    const body = JSON.stringify({ ...hello, stream: true })
    slow.write(`POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    // Only as much is sent as the sockets between us hold: the count stops growing.
    let last = -1
    await waitFor('the flood to stop', () => {
      const sent = upstream.requests[0]?.sent ?? 0
      const stopped = sent > 0 && sent === last
      last = sent
      return stopped
    })
    expect(last).toBeLessThan(40e6)
    expect(peakResidentBytes(gateway.pid) - before).toBeLessThan(60e6)
    slow.destroy()
    await waitFor('the endpoint to notice', () => upstream.requests[0]?.gaveUp)
  })

  test.each(['flood', 'endless-event'] as const)(
    'a stream without end (%s) is cut off, no matter which client reads it',
    async (kind) => {
      const gateway = await start()
      upstream.behave({ do: kind })
      const before = residentBytes(gateway.pid)
      const stream = await client(gateway).chat.completions.create({ ...hello, stream: true })
      expect((await errorOf(readAll(stream))).message).toMatch(/more than 4194304 characters/)
      expect(peakResidentBytes(gateway.pid) - before).toBeLessThan(100e6)
      await waitFor('the endpoint to notice', () => upstream.requests[0]?.gaveUp)
    },
  )

  test('a web page cannot use a server without a key, neither from another origin nor by a name for 127.0.0.1', async () => {
    const gateway = await start()
    const ask = (headers: Record<string, string>) => pour(gateway.port, { 'content-length': '2', ...headers }, 0, '{}')
    expect((await ask({ origin: 'https://evil.example' })).status).toBe(403)
    expect((await ask({ host: 'evil.example' })).status).toBe(403)
    expect((await ask({ origin: 'http://localhost:3000' })).status).toBe(400)
  })

  test('a page whose origin is listed may use it from a browser, which asks first and without the key', async () => {
    const page = 'https://app.example'
    const gateway = await start({ env: { API_SERVER_KEY: KEY, API_SERVER_CORS_ORIGINS: page } })
    const ask = (path: string, origin: string, init: RequestInit = {}) =>
      fetch(`${gateway.url}${path}`, { ...init, headers: { origin, ...init.headers } })
    const first = {
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,x-stainless-os',
    }
    const asked = await ask('/v1/chat/completions', page, { method: 'OPTIONS', headers: first })
    expect(asked.status).toBe(204)
    expect(Object.fromEntries(asked.headers)).toMatchObject({
      'access-control-allow-origin': page,
      'access-control-allow-headers': 'authorization,x-stainless-os',
      'access-control-allow-methods': 'GET, POST',
      vary: 'Origin',
    })
    const allowed = (response: Response) => response.headers.get('access-control-allow-origin')
    const body = JSON.stringify({ stream: true, messages: hello.messages })
    const headers = { authorization: `Bearer ${KEY}` }
    const answer = await ask('/v1/chat/completions', page, { method: 'POST', body, headers })
    expect([answer.status, allowed(answer)]).toEqual([200, page])
    expect(answer.headers.get('cache-control')).toBe('no-cache, no-transform')
    // Refusals too: a page that cannot read them cannot say what is wrong.
    for (const path of ['/v1/models', '/nowhere']) expect(allowed(await ask(path, page))).toBe(page)
    expect((await ask('/v1/models', page)).status).toBe(401)
    const other = await ask('/v1/chat/completions', 'https://other.example', { method: 'OPTIONS', headers: first })
    expect([other.status, allowed(other)]).toEqual([401, null])
    expect(allowed(await ask('/v1/models', 'https://other.example', { headers }))).toBe(null)
  })

  test('a body that is not JSON, compressed, or ends early is a bad request', async () => {
    const gateway = await start()
    expect((await pour(gateway.port, { 'content-length': '4' }, 0, 'nope')).status).toBe(400)
    expect((await pour(gateway.port, { 'content-length': '2', 'content-encoding': 'gzip' }, 0, '{}')).status).toBe(400)
    const socket = connect(gateway.port, '127.0.0.1')
    socket.write('POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"half')
    await saw(gateway, 'not JSON')
    socket.destroy()
    expect((await fetch(`${gateway.url}/health`)).status).toBe(200)
    gateway.term()
    expect((await gateway.exited).code).toBe(0)
    expect(gateway.stderr()).toBe('')
    // Its events are there; a bug would be there as a stack.
    expect(gateway.stdout()).toContain('ready: profile')
    expect(gateway.stdout()).not.toMatch(/^ +at /m)
  })
})

test('by hand the gateway has the settings of its .env', async () => {
  const port = await freePort()
  const home = scratchDir('hermes-gateway-')
  clean.push({ [Symbol.asyncDispose]: async () => rmSync(home, { recursive: true, force: true }) })
  writeFileSync(join(home, '.env'), `API_SERVER_ENABLED=1\nAPI_SERVER_PORT=${port}\nAPI_SERVER_KEY=${KEY}\n`)
  const env = { HERMES_SUPERVISED: '', HERMES_ALLOW_ROOT_GATEWAY: '1' }
  const gateway = await spawnGateway({ home, api: false, config: openAi(), env })
  clean.push(gateway)
  await waitFor('it to answer', async () => (await fetch(`http://127.0.0.1:${port}/health`)).ok)
  const openai = new OpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: KEY, maxRetries: 0 })
  expect((await openai.chat.completions.create(hello)).choices[0]?.message.content).toBe('Hello, world')
})

test('POST /v1/tasks puts a task on the board, once for an idempotency key', async () => {
  const gateway = await start()
  const post = async (body: unknown) => {
    const response = await fetch(`${gateway.url}/v1/tasks`, { method: 'POST', body: JSON.stringify(body) })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  const first = await post({ title: 'Write a poem', body: 'Four lines.', idempotency_key: 'one' })
  expect(first).toMatchObject({ status: 201, body: { object: 'task', title: 'Write a poem', status: 'ready' } })
  expect(await post({ title: 'Write a poem', idempotency_key: 'one' })).toMatchObject({
    status: 200,
    body: { id: first.body.id },
  })
  expect((await post({})).status).toBe(400)
  for (const bad of [
    { assignee: 'red \u001b[31m' },
    { assignee: '../x' },
    { idempotency_key: '' },
    { idempotency_key: 'k'.repeat(201) },
    { priority: 1.5 },
    { body: 'a\u0000b' },
  ])
    expect(await post({ title: 'x', ...bad }), JSON.stringify(bad)).toMatchObject({ status: 400 })
  expect(await post({ title: 'x', board: 'no-such' })).toMatchObject({
    status: 400,
    body: { error: { param: 'board' } },
  })
})

test('no key of any user is in a log or on a command line, and the logs have level and session', async () => {
  const gateway = await start({ env: { API_SERVER_KEY: KEY, UP_KEY: 'sk-upstream-secret-value', LOG_FORMAT: 'json' } })
  await client(gateway, KEY).chat.completions.create(hello, { headers: { 'X-Hermes-Session': 's1' } })
  await errorOf(client(gateway, 'guessed-key-1').chat.completions.create(hello))
  await errorOf(client(gateway, KEY).chat.completions.create({ ...hello, model: KEY }))
  upstream.behave({ do: 'refuse', status: 400, error: { message: 'bad: sk-upstream-secret-value' } })
  await errorOf(client(gateway, KEY).chat.completions.create(hello))
  gateway.term()
  await gateway.exited
  const everything = gateway.log() + gateway.log('errors') + gateway.stdout() + gateway.stderr()
  for (const secret of [KEY, 'sk-upstream', 'guessed-key-1']) expect(everything).not.toContain(secret)
  const lines = gateway
    .log()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(lines).toContainEqual(expect.objectContaining({ level: 'info', session: 's1', component: 'api' }))
  expect(gateway.log('errors')).toContain('"level":"warn"')
})

test('refused requests of strangers are counted, not logged each time', async () => {
  const gateway = await start({ env: { API_SERVER_KEY: KEY } })
  for (let n = 0; n < 50; n += 1) {
    await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer wrong-${n}` } })
    await fetch(`${gateway.url}/nowhere/${n}`)
  }
  const admitted = { headers: { authorization: `Bearer ${KEY}` } }
  for (let n = 0; n < 2; n += 1) await fetch(`${gateway.url}/v1/models/none-${n}`, admitted)
  await saw(gateway, 'there is no model "none-1"')
  gateway.term()
  await gateway.exited
  const lines = (text: string) =>
    gateway
      .log()
      .split('\n')
      .filter((line) => line.includes(text))
  expect(lines('the API key is wrong').length).toBeLessThanOrEqual(2)
  expect(lines('/nowhere').length).toBeLessThanOrEqual(2)
  expect(lines('there is no model')).toHaveLength(2)
})

test('the gateway without an API server listens on nothing and stays small', async () => {
  const gateway = await start({ api: false, config: {} })
  const with_ = await start()
  await client(with_).chat.completions.create(hello, { headers: { 'X-Hermes-Session': 'x' } })
  expect(residentBytes(gateway.pid)).toBeLessThan(residentBytes(with_.pid))
  expect(listeningSockets(with_.pid)).toBe(1)
  expect(listeningSockets(gateway.pid)).toBe(0)
})

/** How many of a process's descriptors are TCP sockets that listen. */
function listeningSockets(pid: number): number {
  const inodes = new Set(
    readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state]) => state === '0A')
      .map((fields) => `socket:[${fields[9]}]`),
  )
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => inodes.has(linkOf(`/proc/${pid}/fd/${fd}`))).length
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    // Closed in the meantime.
    return ''
  }
}

function isGone(pid: number): boolean {
  try {
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return true
  }
}

/** All that a server answers to some bytes before it closes the connection. */
function rawAnswer(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text
    })
    // A reset after the answer is as good an end as any.
    socket.on('error', () => undefined).once('close', () => resolve(answer))
  })
}

async function connections(port: number, count: number): Promise<readonly Socket[]> {
  return Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<Socket>((resolve, reject) => {
          const socket = connect(port, '127.0.0.1', () => resolve(socket))
          socket.on('error', reject)
        }),
    ),
  )
}

/** Sends a request of so many bytes and gives the answer, also when it comes before all was sent. */
function pour(
  port: number,
  headers: Record<string, string>,
  bytes: number,
  text = '',
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ port, host: '127.0.0.1', method: 'POST', path: '/v1/chat/completions', headers })
    let answered = false
    outgoing.on('response', (incoming) => {
      answered = true
      let body = ''
      incoming.setEncoding('utf8').on('data', (piece: string) => {
        body += piece
      })
      incoming.on('end', () => {
        resolve({ status: incoming.statusCode ?? 0, body })
        outgoing.destroy()
      })
    })
    outgoing.on('error', (error) => {
      if (!answered) reject(error)
    })
    const piece = Buffer.alloc(1e6, 'x')
    let left = bytes
    const more = (): void => {
      while (left > 0 && !answered) {
        left -= piece.length
        if (!outgoing.write(piece)) return void outgoing.once('drain', more)
      }
      if (!answered) outgoing.end(text)
    }
    more()
  })
}
