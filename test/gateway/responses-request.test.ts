import { expect, test } from 'vitest'
import { RefusedRequest } from '../../src/gateway/api/http/refusals.ts'
import { messagesOf } from '../../src/gateway/api/responses/input.ts'
import { parseParameters } from '../../src/gateway/api/responses/parameters.ts'

/** The parameter that a refusal names, and its text. */
function refusal(attempt: () => unknown): readonly (string | null)[] {
  try {
    return ['accepted', JSON.stringify(attempt())]
  } catch (error) {
    if (error instanceof RefusedRequest) return [error.refusal.error.param, error.message]
    throw error
  }
}

test('a text is a message of the user, after the instructions', () => {
  expect(messagesOf(undefined, 'Hi')).toEqual([{ role: 'user', content: 'Hi' }])
  expect(messagesOf('Be brief.', 'Hi')).toEqual([
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Hi' },
  ])
})

test('items become messages: texts, pictures, files, an answer before, its calls and their results', () => {
  const input = [
    { role: 'developer', content: 'Be kind.' },
    {
      type: 'message',
      role: 'user',
      content: [
        { type: 'input_text', text: 'What is this?' },
        { type: 'input_image', image_url: 'data:image/png;base64,AA==', detail: 'low' },
        { type: 'input_file', filename: 'a.pdf', file_data: 'data:application/pdf;base64,AA==' },
      ],
    },
    { type: 'reasoning', id: 'rs_1', summary: [] },
    {
      type: 'message',
      id: 'msg_1',
      status: 'completed',
      role: 'assistant',
      content: [{ type: 'output_text', text: 'I will look.', annotations: [] }],
    },
    {
      type: 'function_call',
      id: 'fc_1',
      call_id: 'call_1',
      name: 'look',
      arguments: '{"at":"it"}',
      status: 'completed',
    },
    { type: 'function_call', call_id: 'call_2', name: 'smell', arguments: '{}' },
    { type: 'function_call_output', call_id: 'call_1', output: 'a cat' },
    { type: 'function_call_output', call_id: 'call_2', output: [{ type: 'input_text', text: 'fish' }] },
    { role: 'user', content: [{ type: 'input_text', text: 'And now?' }] },
  ]
  const call = (id: string, name: string, args: string) => ({
    id,
    type: 'function',
    function: { name, arguments: args },
  })
  expect(messagesOf(null, input)).toEqual([
    { role: 'developer', content: 'Be kind.' },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'What is this?' },
        { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==', detail: 'low' } },
        { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,AA==' } },
      ],
    },
    {
      role: 'assistant',
      content: 'I will look.',
      tool_calls: [call('call_1', 'look', '{"at":"it"}'), call('call_2', 'smell', '{}')],
    },
    { role: 'tool', tool_call_id: 'call_1', content: 'a cat' },
    { role: 'tool', tool_call_id: 'call_2', content: 'fish' },
    { role: 'user', content: 'And now?' },
  ])
  expect(
    messagesOf(null, [
      { role: 'user', content: 'x' },
      { type: 'function_call', call_id: 'c', name: 'f', arguments: '' },
    ])[1],
  ).toEqual({ role: 'assistant', content: null, tool_calls: [call('c', 'f', '')] })
  const refused = [{ type: 'refusal', refusal: 'No.' }]
  expect(
    messagesOf(null, [
      { role: 'user', content: 'x' },
      { role: 'assistant', content: refused },
    ])[1],
  ).toEqual({
    role: 'assistant',
    content: null,
    refusal: 'No.',
  })
})

test('input that cannot be understood is refused with its place', () => {
  for (const [input, param] of [
    [undefined, 'input'],
    [[], 'input'],
    [7, 'input'],
    [[{ role: 'system', content: 'x' }], 'input'],
    [['x'], 'input[0]'],
    [[{ content: 'x' }], 'input[0]'],
    [[{ role: 'user' }], 'input[0].content'],
    [[{ role: 'user', content: [{ type: 'input_video' }] }], 'input[0].content[0]'],
    [[{ role: 'user', content: [{ type: 'input_image', file_id: 'f' }] }], 'input[0].content[0]'],
    [
      [
        { role: 'user', content: 'x' },
        { type: 'item_reference', id: 'msg_1' },
      ],
      'input[1]',
    ],
    [
      [
        { role: 'user', content: 'x' },
        { type: 'function_call', name: 'f', arguments: '' },
      ],
      'input[1]',
    ],
  ] as const)
    expect(refusal(() => messagesOf(null, input))[0], JSON.stringify(input)).toBe(param)
  expect(refusal(() => messagesOf(['x'], 'Hi'))[0]).toBe('instructions')
})

test('parameters get the names that chat has for them, and those without one are left out', () => {
  const schema = { type: 'object' }
  const tool = { type: 'function', name: 'look', parameters: schema, strict: true }
  const body = {
    ...{ model: 'small', stream: true, input: 'Hi', temperature: 0.2, top_p: null, user: 'ada', store: true },
    ...{ include: ['reasoning.encrypted_content'], metadata: { a: 'b' }, max_output_tokens: 9, truncation: 'auto' },
    tools: [tool],
    tool_choice: { type: 'function', name: 'look' },
    text: { format: { type: 'json_schema', name: 'cat', schema, strict: true }, verbosity: 'low' },
    reasoning: { effort: 'high' },
    conversation: { id: 'morning' },
  }
  const { repeated, ...parsed } = parseParameters(body)
  expect(parsed).toEqual({
    model: 'small',
    stream: true,
    session: 'morning',
    parameters: {
      temperature: 0.2,
      user: 'ada',
      max_completion_tokens: 9,
      tools: [{ type: 'function', function: { name: 'look', parameters: schema, strict: true } }],
      tool_choice: { type: 'function', function: { name: 'look' } },
      response_format: { type: 'json_schema', json_schema: { name: 'cat', schema, strict: true } },
      verbosity: 'low',
      reasoning_effort: 'high',
    },
  })
  expect(repeated).toMatchObject({ tools: [tool], max_output_tokens: 9, store: false, conversation: { id: 'morning' } })
  expect(parseParameters({ input: 'Hi' })).toMatchObject({ model: undefined, stream: false, parameters: {} })
})

test('a parameter whose promise cannot be kept is refused with the next step', () => {
  for (const [body, param] of [
    [{ model: 7 }, 'model'],
    [{ stream: 'yes' }, 'stream'],
    [{ background: true }, 'background'],
    [{ previous_response_id: 'resp_1' }, 'previous_response_id'],
    [{ prompt: { id: 'p' } }, 'prompt'],
    [{ conversation: '../x' }, 'conversation'],
    [{ conversation: 7 }, 'conversation'],
    [{ tools: [{ type: 'web_search' }] }, 'tools[0]'],
    [{ tools: {} }, 'tools'],
    [{ tool_choice: { type: 'mcp' } }, 'tool_choice'],
    [{ text: { format: { type: 'grammar' } } }, 'text.format'],
  ] as const)
    expect(refusal(() => parseParameters(body))[0], JSON.stringify(body)).toBe(param)
  expect(parseParameters({ background: false, previous_response_id: null })).toMatchObject({ stream: false })
  expect(refusal(() => parseParameters({ previous_response_id: 'resp_1' }))[1]).toContain('name a conversation instead')
})
