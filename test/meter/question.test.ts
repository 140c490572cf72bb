import { expect, test } from 'vitest'
import { meteredPath, meteredQuestion } from '../../src/meter/question.ts'

const asked = (body: unknown, path = 'chat/completions') => {
  const { body: sent, ...rest } = meteredQuestion(path, Buffer.from(JSON.stringify(body)))
  return { ...rest, sent: JSON.parse(sent.toString('utf8')) as unknown }
}

test('a stream is asked for its usage, and its other options stay', () => {
  expect(asked({ model: 'm', stream: true, stream_options: { a: 1 }, x: '☃' })).toEqual({
    model: 'm',
    addsUsage: true,
    sent: { model: 'm', stream: true, stream_options: { a: 1, include_usage: true }, x: '☃' },
  })
  expect(asked({ model: 'm', stream: true, stream_options: { include_usage: false } }, 'completions').addsUsage).toBe(
    true,
  )
})

test.each([
  ['a client that asks itself', { stream: true, stream_options: { include_usage: true } }, 'chat/completions'],
  ['no stream', { stream: false }, 'chat/completions'],
  ['an API that reports by itself', { stream: true }, 'responses'],
])('the body is not changed for %s', (_, body, path) => {
  const bytes = Buffer.from(` ${JSON.stringify(body)}`)
  expect(meteredQuestion(path, bytes)).toEqual({ body: bytes, model: '', addsUsage: false })
})

test.each([
  [{ max_completion_tokens: 7, max_tokens: 9 }, 'chat/completions', 7],
  [{ max_tokens: 9, n: 3 }, 'chat/completions', 27],
  [{ max_output_tokens: 5 }, 'responses', 5],
  [{ max_tokens: 'many', n: -1 }, 'completions', undefined],
  [{ input: 'x' }, 'embeddings', 0],
])('%j of %s has so many tokens at most: %s', (body, path, most) => {
  expect(asked(body, path).mostOutputTokens).toBe(most)
})

test.each(['', 'no JSON', '[1]', '"x"'])('%j is passed on for the endpoint to judge', (text) => {
  const bytes = Buffer.from(text)
  expect(meteredQuestion('chat/completions', bytes)).toEqual({ body: bytes, model: '', addsUsage: false })
})

test.each([
  ['/p/coder/v1/chat/completions', { profile: 'coder', path: 'chat/completions' }],
  ['/p/a-b_1/v1/models/gpt-4o?x=../..', { profile: 'a-b_1', path: 'models/gpt-4o' }],
  ['/p/coder/v1/models/a%3Ab', { profile: 'coder', path: 'models/a%3Ab' }],
  ['/p/coder/v1/', undefined],
  ['/p/coder/v1', undefined],
  ['/p/../v1/x', undefined],
  ['/p/coder/v1/../x', undefined],
  ['/p/coder/v1/a/./b', undefined],
  ['/p/coder/v1/%2E%2e/x', undefined],
  ['/p/coder/v1/.%2e/x', undefined],
  ['/p/coder/v1/a%2f..%2fx', undefined],
  ['/p/coder/v1/a%5c..%5cx', undefined],
  ['/p/coder/v1/a\\..\\x', undefined],
  ['http://other/p/coder/v1/x', undefined],
  ['/', undefined],
])('%s', (url, found) => {
  expect(meteredPath(url)).toEqual(found)
})
