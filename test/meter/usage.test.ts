import { expect, test } from 'vitest'
import { readUsage } from '../../src/meter/usage.ts'

test.each([
  {
    api: 'chat',
    answer: {
      model: 'm',
      usage: { prompt_tokens: 10, completion_tokens: 4, prompt_tokens_details: { cached_tokens: 6 } },
    },
    read: { usage: { inputTokens: 10, cachedTokens: 6, outputTokens: 4 }, model: 'm' },
  },
  {
    api: 'embeddings',
    answer: { model: 'e', usage: { prompt_tokens: 8, total_tokens: 8 } },
    read: { usage: { inputTokens: 8, cachedTokens: 0, outputTokens: 0 }, model: 'e' },
  },
  {
    api: 'responses',
    answer: { model: 'r', usage: { input_tokens: 5, output_tokens: 7, input_tokens_details: { cached_tokens: 1 } } },
    read: { usage: { inputTokens: 5, cachedTokens: 1, outputTokens: 7 }, model: 'r' },
  },
  {
    api: 'an event of responses',
    answer: { type: 'response.completed', response: { model: 'r', usage: { input_tokens: 5, output_tokens: 7 } } },
    read: { usage: { inputTokens: 5, cachedTokens: 0, outputTokens: 7 }, model: 'r' },
  },
])('the usage of $api is read', ({ answer, read }) => {
  expect(readUsage(answer)).toEqual(read)
})

test.each([
  undefined,
  null,
  'usage',
  {},
  { usage: null },
  { usage: {} },
  { usage: { prompt_tokens: '10' } },
  { usage: { prompt_tokens: -1 } },
  { usage: { completion_tokens: 1.5 } },
  { usage: { prompt_tokens: 1e300 } },
])('%j says nothing about usage, and nothing is guessed', (answer) => {
  expect(readUsage(answer)).toBeUndefined()
})

test('cached tokens are never more than those of the question', () => {
  const answer = { usage: { prompt_tokens: 2, completion_tokens: 1, prompt_tokens_details: { cached_tokens: 9 } } }
  expect(readUsage(answer)?.usage).toEqual({ inputTokens: 2, cachedTokens: 2, outputTokens: 1 })
})
