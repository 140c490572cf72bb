/**
 * Converts the input of the responses API to the messages of chat
 * (https://platform.openai.com/docs/api-reference/responses/create#responses-create-input). Pure.
 */
import { isRecord } from '../../../system/text/record.ts'
import type { Message } from '../../agent/agent.ts'
import { MAX_MESSAGES } from '../answers/question.ts'
import { badRequest } from '../http/refusals.ts'

type Fields = Readonly<Record<string, unknown>>

/** @throws Refused naming the item */
export function messagesOf(instructions: unknown, input: unknown): readonly Message[] {
  if (instructions !== undefined && instructions !== null && typeof instructions !== 'string')
    throw badRequest('instructions must be a text', 'instructions')
  const messages: Message[] = instructions ? [{ role: 'system', content: instructions }] : []
  if (typeof input === 'string') return [...messages, { role: 'user', content: input }]
  if (!Array.isArray(input) || input.length === 0 || input.length > MAX_MESSAGES)
    throw badRequest(`input must be a text or a list of 1 to ${MAX_MESSAGES} items`, 'input')
  input.forEach((item: unknown, index) => {
    addItem(messages, item, `input[${index}]`)
  })
  if (messages.every(({ role }) => role === 'system' || role === 'developer'))
    throw badRequest('input needs a message of the user', 'input')
  return messages
}

function addItem(messages: Message[], item: unknown, where: string): void {
  if (!isRecord(item)) throw badRequest(`${where} must be an object`, where)
  const { type = 'message', role, content } = item
  switch (type) {
    case 'message':
      if (typeof role !== 'string') throw badRequest(`${where}.role must be a text such as "user"`, where)
      messages.push(messageOf(role, content, where))
      return
    case 'function_call':
      addCall(messages, item, where)
      return
    case 'function_call_output':
      messages.push({
        role: 'tool',
        tool_call_id: textOf(item, 'call_id', where),
        content: contentOf(item.output, `${where}.output`),
      })
      return
    case 'reasoning':
      // Chat has no place for it, and no model reads that of another answer.
      return
    default:
      throw badRequest(
        `${where}.type is ${JSON.stringify(String(type).slice(0, 80))}; message, function_call, ` +
          'function_call_output and reasoning are supported',
        where,
      )
  }
}

function messageOf(role: string, content: unknown, where: string): Message {
  if (role !== 'assistant' || !Array.isArray(content)) return { role, content: contentOf(content, `${where}.content`) }
  // Some servers take only a text of an assistant.
  const parts = content.map((part: unknown, index) => partOf(part, `${where}.content[${index}]`))
  const joined = (name: string): string =>
    parts.map((part) => (typeof part[name] === 'string' ? part[name] : '')).join('')
  const [text, refusal] = [joined('text'), joined('refusal')]
  return { role, content: text === '' && refusal !== '' ? null : text, ...(refusal === '' ? {} : { refusal }) }
}

/** Calls of one answer stand in one message of chat. */
function addCall(messages: Message[], item: Fields, where: string): void {
  const call = {
    id: textOf(item, 'call_id', where),
    type: 'function',
    function: { name: textOf(item, 'name', where), arguments: textOf(item, 'arguments', where) },
  }
  const last = messages.at(-1)
  if (last?.role !== 'assistant') {
    messages.push({ role: 'assistant', content: null, tool_calls: [call] })
    return
  }
  const before: readonly unknown[] = Array.isArray(last.tool_calls) ? last.tool_calls : []
  messages[messages.length - 1] = { ...last, tool_calls: [...before, call] }
}

function contentOf(content: unknown, where: string): unknown {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) throw badRequest(`${where} must be a text or a list of parts`, where)
  const parts = content.map((part: unknown, index) => partOf(part, `${where}[${index}]`))
  const [only] = parts
  return parts.length === 1 && typeof only?.text === 'string' ? only.text : parts
}

function partOf(part: unknown, where: string): Fields {
  if (!isRecord(part)) throw badRequest(`${where} must be an object`, where)
  const { type } = part
  if (type === 'input_text' || type === 'output_text' || type === 'text')
    return { type: 'text', text: textOf(part, 'text', where) }
  if (type === 'refusal') return { type, refusal: textOf(part, 'refusal', where) }
  if (type === 'input_image') {
    const { detail } = part
    const url = textOf(part, 'image_url', where)
    return { type: 'image_url', image_url: { url, ...(typeof detail === 'string' ? { detail } : {}) } }
  }
  if (type === 'input_audio') return { type, input_audio: part.input_audio }
  if (type === 'input_file') {
    const filename = part.filename === undefined ? {} : { filename: textOf(part, 'filename', where) }
    return { type: 'file', file: { ...filename, file_data: textOf(part, 'file_data', where) } }
  }
  throw badRequest(
    `${where}.type is ${JSON.stringify(String(type).slice(0, 80))}; input_text, input_image, input_audio, ` +
      'input_file, output_text and refusal are supported',
    where,
  )
}

function textOf(fields: Fields, name: string, where: string): string {
  const value = fields[name]
  if (typeof value === 'string') return value
  throw badRequest(`${where}.${name} must be a text`, where)
}
