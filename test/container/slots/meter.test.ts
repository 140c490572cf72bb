// The meter in the image, where root is dropped and the key is a variable of the container.
import { expect, test } from 'vitest'
import { gatewayOf, startContainer } from '../../support/container/container.ts'
import { waitFor } from '../../support/wait.ts'

const KEY = 'neutral-key-0123456789'

/** An endpoint that answers with the key it was given, and with usage. */
const ENDPOINT = `
  require('node:http').createServer((request, response) => {
    const message = { role: 'assistant', content: 'got ' + request.headers.authorization }
    response.setHeader('content-type', 'application/json')
    request.resume().on('end', () => response.end(JSON.stringify({
      model: 'gpt-4o', choices: [{ index: 0, message, finish_reason: 'stop' }],
      usage: { prompt_tokens: 3, completion_tokens: 2 },
    })))
  }).listen(9000, '127.0.0.1')`

test('hermes chat of root goes through the meter, the gateway lacks the key of the container, and the budget holds', async () => {
  // Budgets begin anew at midnight UTC, and the test must not see that happen.
  const msToMidnight = () => 86_400_000 - (Date.now() % 86_400_000)
  await waitFor('midnight UTC to pass', () => msToMidnight() > 120_000, { deadlineMs: 180_000 })
  const openai = { base_url: 'http://127.0.0.1:9000/v1', model: 'gpt-4o', api_key_env: 'UP_KEY' }
  const writes = gatewayOf('/bin/sh', '-c', 'env >env.new && mv env.new environment; exec sleep 1000000')
  await using box = await startContainer({
    env: { UP_KEY: KEY },
    files: {
      'profiles/coder/config.yaml': `${writes}agent: ${JSON.stringify({ openai })}\nbudget: {tokens: 5}\n`,
      'profiles/coder/desired_state': 'running\n',
      'profiles/up/config.yaml': JSON.stringify({
        gateway: { command: ['node', '-e', ENDPOINT], ready: { tcp: 9000 } },
      }),
      'profiles/up/desired_state': 'running\n',
    },
  })
  await box.up('gateway-coder')
  await box.up('gateway-up')
  await box.up('meter')
  const written = await waitFor('the environment of the gateway', () => box.file('profiles/coder/environment'))
  const environment = written.split('\n')
  expect(environment.filter((line) => line.includes(KEY))).toEqual([])
  expect(environment).toContain('OPENAI_BASE_URL=http://127.0.0.1:8643/p/coder/v1')

  const first = await box.hermes('-p', 'coder', 'chat', '-q', 'Hi')
  expect([first.code, first.stdout]).toEqual([0, expect.stringContaining(`got Bearer ${KEY}`)])
  const second = await box.hermes('-p', 'coder', 'chat', '-q', 'Hi')
  expect([second.code, second.stderr]).toEqual([75, expect.stringContaining('the budget of profile "coder" is spent')])
  const usage = await waitFor('the counts', async () => (await box.hermes('usage', '--json')).stdout)
  expect(JSON.parse(usage)).toMatchObject({ groups: [{ profile: 'coder', requests: 1 }], budgets: [{ spent: true }] })
})
