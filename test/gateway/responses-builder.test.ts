import { expect, test } from 'vitest'
import { ResponseBuilder } from '../../src/gateway/api/responses/builder.ts'

function start() {
  let ids = 0
  return new ResponseBuilder({
    model: 'default',
    repeated: { store: false },
    createdAtS: 5,
    newId: () => String(ids++),
  })
}
const choice = (delta: object, finish_reason: string | null = null) => ({
  choices: [{ index: 0, delta, finish_reason }],
})

/** An answer with text, two calls whose pieces are mixed, and another choice, which is not part of a response. */
const CHUNKS = [
  { ...choice({ role: 'assistant', content: '' }), model: 'small' },
  choice({ content: 'Let me ' }),
  choice({ content: 'look.' }),
  { choices: [{ index: 1, delta: { content: 'other' } }] },
  choice({ tool_calls: [{ index: 0, id: 'call_a', type: 'function', function: { name: 'look', arguments: '' } }] }),
  choice({ tool_calls: [{ index: 1, id: 'call_b', function: { name: 'smell', arguments: '{' } }] }),
  choice({ tool_calls: [{ index: 0, function: { arguments: '{"at":' } }] }),
  choice({
    tool_calls: [
      { index: 0, function: { arguments: '"it"}' } },
      { index: 1, function: { arguments: '}' } },
    ],
  }),
  choice({}, 'tool_calls'),
  { choices: [], usage: { prompt_tokens: 9, completion_tokens: 4, prompt_tokens_details: { cached_tokens: 2 } } },
]

test('a stream announces each item and part before its pieces, and ends each with all of it', () => {
  const builder = start()
  const events = [...builder.begin(), ...CHUNKS.flatMap((chunk) => builder.add(chunk)), ...builder.end(9)]
  expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, index) => index))
  expect(events.map(({ type, output_index }) => [type.replace('response.', ''), output_index])).toEqual([
    ['created', undefined],
    ['in_progress', undefined],
    ['output_item.added', 0],
    ['content_part.added', 0],
    ['output_text.delta', 0],
    ['output_text.delta', 0],
    ['output_item.added', 1],
    ['output_item.added', 2],
    ['function_call_arguments.delta', 2],
    ['function_call_arguments.delta', 1],
    ['function_call_arguments.delta', 1],
    ['function_call_arguments.delta', 2],
    ['output_text.done', 0],
    ['content_part.done', 0],
    ['output_item.done', 0],
    ['function_call_arguments.done', 1],
    ['output_item.done', 1],
    ['function_call_arguments.done', 2],
    ['output_item.done', 2],
    ['completed', undefined],
  ])
  expect(events[0]?.response).toMatchObject({ status: 'in_progress', output: [], usage: null, model: 'default' })
})

test('the response has all items, the model that has answered, and the usage that was counted', () => {
  const builder = start()
  for (const chunk of CHUNKS) builder.add(chunk)
  expect(builder.response(9)).toEqual({
    id: 'resp_0',
    object: 'response',
    created_at: 5,
    completed_at: 9,
    status: 'completed',
    background: false,
    error: null,
    incomplete_details: null,
    store: false,
    model: 'small',
    output: [
      {
        id: 'msg_1',
        type: 'message',
        status: 'completed',
        role: 'assistant',
        content: [{ type: 'output_text', text: 'Let me look.', annotations: [], logprobs: [] }],
      },
      {
        id: 'fc_2',
        type: 'function_call',
        status: 'completed',
        call_id: 'call_a',
        name: 'look',
        arguments: '{"at":"it"}',
      },
      { id: 'fc_3', type: 'function_call', status: 'completed', call_id: 'call_b', name: 'smell', arguments: '{}' },
    ],
    usage: {
      input_tokens: 9,
      input_tokens_details: { cached_tokens: 2 },
      output_tokens: 4,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 13,
    },
  })
})

test('an answer that was cut off is incomplete, says why, and has no usage that was not counted', () => {
  const builder = start()
  builder.add(choice({ content: 'half' }))
  builder.add(choice({}, 'length'))
  expect(builder.response(9)).toMatchObject({
    status: 'incomplete',
    incomplete_details: { reason: 'max_output_tokens' },
    output: [{ status: 'incomplete' }],
    usage: null,
  })
  expect(builder.response(9)).not.toHaveProperty('completed_at')
  expect(builder.end(9).at(-1)?.type).toBe('response.incomplete')
})

test('a refusal is a part of its own', () => {
  const builder = start()
  builder.add({ choices: [{ message: { role: 'assistant', content: null, refusal: 'No.' }, finish_reason: 'stop' }] })
  expect(builder.response(9).output).toMatchObject([
    { type: 'message', content: [{ type: 'refusal', refusal: 'No.' }] },
  ])
})

test('a failure ends the stream in both forms that clients look for, with the part that has come', () => {
  const builder = start()
  builder.add(choice({ content: 'half' }))
  const error = { message: 'it broke', type: 'server_error', code: 'upstream_broken', param: null }
  expect(builder.fail(error)).toMatchObject([
    {
      type: 'response.failed',
      response: {
        status: 'failed',
        error: { code: 'upstream_broken', message: 'it broke' },
        output: [{ id: 'msg_1' }],
      },
    },
    { type: 'error', code: 'upstream_broken', message: 'it broke', error },
  ])
})
