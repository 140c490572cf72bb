// One port for the APIs of all profiles: the real programs, and the official client.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import OpenAI from 'openai'
import { expect, test } from 'vitest'
import { hermes as cli } from '../../support/cli.ts'
import { startUpstream } from '../../support/dashboard/openai-upstream.ts'
import { startHermes } from '../../support/hermes.ts'
import { freePort } from '../../support/port.ts'
import { quickScratchDir } from '../../support/scratch.ts'
import { waitFor } from '../../support/wait.ts'

const HELLO = { model: 'small', messages: [{ role: 'user' as const, content: 'Hi' }] }
const KEYS = { default: 'neutral-key-of-default', coder: 'neutral-key-of-coder', open: '' }

test('the official client reaches each profile with its own key, and no gateway depends on the front port', async () => {
  const home = quickScratchDir('hermes-front-')
  await using upstream = await startUpstream()
  const agent = { openai: { base_url: upstream.baseUrl, model: 'small', api_key_env: 'UP_KEY' } }
  for (const [name, key] of Object.entries(KEYS)) {
    const dir = name === 'default' ? home : join(home, 'profiles', name)
    mkdirSync(dir, { recursive: true })
    const lines = ['API_SERVER_ENABLED=1', `API_SERVER_PORT=${await freePort()}`, key && `API_SERVER_KEY=${key}`]
    writeFileSync(join(dir, '.env'), `${lines.join('\n')}\nUP_KEY=sk-neutral\n`, { mode: 0o600 })
  }
  const port = await freePort()
  await using hermes = await startHermes({
    home,
    profiles: [
      ...Object.keys(KEYS).map((name) => ({ name, gateway: {}, agent })),
      { name: 'stopped', gateway: {}, desired: 'stopped' },
    ],
    env: { HERMES_FRONT_PORT: String(port) },
  })
  const pidOf = (slot: string): Promise<number> =>
    waitFor(
      `${slot} to be ready`,
      async () => {
        const one = await hermes.slot(slot)
        return one?.state === 'up' && one.ready && one.pid
      },
      { deadlineMs: 60_000, more: async () => hermes.stderr() },
    )
  const gateways = async () => [
    await pidOf('gateway-default'),
    await pidOf('gateway-coder'),
    await pidOf('gateway-open'),
  ]
  const before = await gateways()
  const first = await pidOf('front-port')
  const client = (profile: string, apiKey: string): OpenAI =>
    new OpenAI({ baseURL: `http://127.0.0.1:${port}/p/${profile}/v1`, apiKey, maxRetries: 0 })
  const coder = client('coder', KEYS.coder)

  expect((await coder.models.list()).data.map(({ id }) => id)).toEqual(['coder', 'small'])
  expect((await client('default', KEYS.default).models.list()).data[0]?.id).toBe('default')
  expect((await coder.chat.completions.create(HELLO)).choices[0]?.message.content).toBe('Hello, world')
  expect((await coder.responses.create({ model: 'small', input: 'Hi' })).output_text).toBe('Hello, world')
  await expect(client('coder', KEYS.default).models.list()).rejects.toMatchObject({
    status: 401,
    code: 'invalid_api_key',
  })
  await expect(client('nosuch', KEYS.coder).models.list()).rejects.toMatchObject({
    status: 404,
    code: 'profile_not_found',
  })
  await expect(client('open', 'any').models.list()).rejects.toMatchObject({ status: 403, code: 'forbidden' })
  const stopped = await client('stopped', KEYS.coder)
    .models.list()
    .then(
      () => undefined,
      (error: unknown) => error,
    )
  expect(stopped).toMatchObject({ status: 503, code: 'gateway_not_running' })
  expect((stopped as InstanceType<typeof OpenAI.APIError>).headers?.get('retry-after')).toBe('5')

  upstream.behave({ do: 'wait', pieces: ['one', ' two'], begin: true })
  const aborting = new AbortController()
  const stream = await coder.chat.completions.create({ ...HELLO, stream: true }, { signal: aborting.signal })
  const asked = await waitFor('the request at the endpoint', () => upstream.requests.at(-1))
  aborting.abort()
  await waitFor('the endpoint to be left', () => asked.gaveUp, { deadlineMs: 60_000 })
  expect(stream.controller.signal.aborted).toBe(true)

  // A front port that is killed comes back, and the gateways have not noticed.
  process.kill(first, 'SIGKILL')
  await waitFor('another front port', async () => (await pidOf('front-port')) !== first, { deadlineMs: 60_000 })
  upstream.behave({ do: 'answer', pieces: ['again'] })
  const again = await coder.chat.completions.create({ ...HELLO, stream: true })
  let text = ''
  for await (const chunk of again) text += chunk.choices[0]?.delta.content ?? ''
  expect(text).toBe('again')
  expect(await gateways()).toEqual(before)

  // Its key is the gateway's alone.
  expect(readFileSync(`/proc/${await pidOf('front-port')}/environ`, 'utf8')).not.toContain('neutral-key')
  const place = { home, env: { HERMES_RUN_DIR: hermes.runDir } }
  expect(await cli(['-p', 'coder', 'gateway', 'stop'], place)).toMatchObject({ code: 0 })
  await expect(coder.models.list()).rejects.toMatchObject({ status: 503, code: 'gateway_not_running' })
  expect(readFileSync(join(home, 'logs', 'helpers', 'front-port', 'current'), 'utf8')).toContain(
    `front-port: ready on 127.0.0.1:${port}`,
  )
})
