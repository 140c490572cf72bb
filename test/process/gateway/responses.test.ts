// OpenAI's responses API of the real gateway, as its official client uses it.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import OpenAI from 'openai'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startUpstream, type Upstream } from '../../support/dashboard/openai-upstream.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'

let upstream: Upstream
const clean: AsyncDisposable[] = []
beforeEach(async () => {
  upstream = await startUpstream()
  clean.push(upstream)
})
afterEach(async () => {
  for (const one of clean.splice(0).reverse()) await one[Symbol.asyncDispose]()
})

async function start(config?: Readonly<Record<string, unknown>>): Promise<TestGateway> {
  const openai = { base_url: upstream.baseUrl, model: 'small', api_key_env: 'UP_KEY' }
  const gateway = await startGateway({ config: config ?? { agent: { openai } } })
  clean.push(gateway)
  return gateway
}
const client = ({ url }: TestGateway): OpenAI => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any-key', maxRetries: 0 })

async function errorOf(call: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> {
  const error = await call.then(
    (value) => new Error(`it answered ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  )
  if (error instanceof OpenAI.APIError) return error
  throw error
}

const USAGE = { input_tokens: 3, output_tokens: 2, total_tokens: 5 }

test('the official client gets an answer, whole and streamed, with its usage and request id', async () => {
  const openai = client(await start())
  const ask = { model: 'default', input: 'Hi', instructions: 'Be brief.' }
  const whole = await openai.responses.create(ask)
  expect([whole.output_text, whole.status, whole.model]).toEqual(['Hello, world', 'completed', 'small'])
  expect(whole).toMatchObject({ usage: USAGE, instructions: 'Be brief.' })
  expect(whole._request_id).toMatch(/^req_/)
  const types: string[] = []
  const stream = openai.responses.stream(ask)
  for await (const { type } of stream) types.push(type)
  expect(types.filter((type) => type === 'response.output_text.delta')).toHaveLength(3)
  expect([types[0], types.at(-1)]).toEqual(['response.created', 'response.completed'])
  const final = await stream.finalResponse()
  expect([final.output_text, final.usage]).toMatchObject(['Hello, world', USAGE])
  // An endpoint that knows no streaming answers with a document, and the other way round.
  upstream.behave({ do: 'answer', pieces: ['a ', 'document'], whole: true })
  expect((await openai.responses.stream(ask).finalResponse()).output_text).toBe('a document')
  expect(upstream.requests.map(({ body }) => body)).toMatchObject(
    Array(3).fill({
      model: 'small',
      messages: [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Hi' },
      ],
    }),
  )
  expect(upstream.requests.map(({ body }) => body.stream_options)).toEqual([
    undefined,
    { include_usage: true },
    { include_usage: true },
  ])
})

test('functions, a conversation and both forms of health', async () => {
  const gateway = await start()
  const openai = client(gateway)
  const call = { id: 'call_1', type: 'function', function: { name: 'look', arguments: '{"at":"it"}' } }
  const piece = (delta: object, finish_reason: string | null = null) => ({
    choices: [{ index: 0, delta, finish_reason }],
  })
  upstream.behave({
    do: 'stream',
    events: [piece({ tool_calls: [{ index: 0, ...call }] }), piece({}, 'tool_calls'), 'data: [DONE]\n\n'],
  })
  const tools = [{ type: 'function' as const, name: 'look', parameters: { type: 'object' }, strict: false }]
  const asked = { model: 'small', conversation: 'morning', tools }
  for (const stream of [false, true]) {
    const response = stream
      ? await openai.responses.stream({ ...asked, input: 'What is there?' }).finalResponse()
      : await openai.responses.create({ ...asked, input: 'What is there?', conversation: 'whole' })
    expect(response.output).toMatchObject([
      { type: 'function_call', call_id: 'call_1', name: 'look', arguments: '{"at":"it"}', status: 'completed' },
    ])
  }
  upstream.behave({ do: 'answer', pieces: ['a cat'] })
  const output = [{ type: 'function_call_output' as const, call_id: 'call_1', output: 'cat' }]
  const { data, response } = await openai.responses.create({ ...asked, input: output }).withResponse()
  expect([data.output_text, response.headers.get('x-hermes-session')]).toEqual(['a cat', 'morning'])
  expect(upstream.requests.at(-1)?.body.messages).toEqual([
    { role: 'user', content: 'What is there?' },
    { role: 'assistant', content: null, tool_calls: [call] },
    { role: 'tool', tool_call_id: 'call_1', content: 'cat' },
  ])
  const unlike = openai.responses.create({ ...asked, input: 'x' }, { headers: { 'X-Hermes-Session': 'evening' } })
  expect(await errorOf(unlike)).toMatchObject({ status: 400, param: 'conversation' })
  for (const path of ['/health', '/v1/health'])
    expect(await (await fetch(gateway.url + path)).json()).toMatchObject({ status: 'ok', agent: 'openai' })
})

test('failures before the answer are a status, and later ones end the stream with an error', async () => {
  const openai = client(await start())
  const ask = { model: 'default', input: 'Hi' }
  expect(await errorOf(openai.responses.create({ ...ask, previous_response_id: 'resp_1' }))).toMatchObject({
    status: 400,
    param: 'previous_response_id',
  })
  expect(await errorOf(openai.responses.create({ ...ask, model: 'nosuch' }))).toMatchObject({ status: 404 })
  expect(upstream.requests).toHaveLength(0)
  upstream.behave({ do: 'refuse', status: 429, error: { message: 'slow down' }, headers: { 'retry-after': '7' } })
  for (const stream of [false, true])
    expect((await errorOf(openai.responses.create({ ...ask, stream }))).headers?.get('retry-after')).toBe('7')
  upstream.behave({ do: 'hang-up', pieces: ['half an '] })
  const types: string[] = []
  const broken = await errorOf(
    (async () => {
      for await (const { type } of await openai.responses.create({ ...ask, stream: true })) types.push(type)
    })(),
  )
  expect([types.includes('response.output_text.delta'), types.at(-1)]).toEqual([true, 'response.failed'])
  expect([broken.code, broken.message]).toEqual(['upstream_broken', expect.stringContaining('in the middle')])
})

test('an endpoint that does not know stream_options is asked once more without, and from then on only so', async () => {
  const openai = client(await start())
  upstream.behave({ do: 'know-no-stream-options', pieces: ['old ', 'but fine'] })
  for (let n = 0; n < 2; n++) {
    const response = await openai.responses.stream({ model: 'default', input: 'Hi' }).finalResponse()
    expect([response.output_text, response.usage]).toEqual(['old but fine', null])
  }
  expect(upstream.requests.map(({ body }) => body.stream_options !== undefined)).toEqual([true, false, false])
})

test('a program answers too, with the usage that it reports and none otherwise', async () => {
  const script = 'cat; [ ! -e report ] || cp report "$HERMES_USAGE_FILE"'
  const gateway = await start({ agent: { command: ['sh', '-c', script] } })
  const ask = { model: 'default', input: 'Hi there' }
  const silent = await client(gateway).responses.create(ask)
  expect(silent).toMatchObject({ output_text: 'Hi there', status: 'completed', model: 'default', usage: null })
  writeFileSync(join(gateway.dir, 'report'), JSON.stringify(USAGE))
  expect((await client(gateway).responses.create(ask)).usage).toMatchObject(USAGE)
  expect(await client(gateway).responses.stream(ask).finalResponse()).toMatchObject({
    output_text: 'Hi there',
    usage: USAGE,
  })
})
