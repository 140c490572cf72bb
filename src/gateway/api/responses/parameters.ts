/**
 * Converts the parameters of the responses API to those of chat
 * (https://platform.openai.com/docs/api-reference/responses/create). Pure.
 */
import { isRecord } from '../../../system/text/record.ts'
import { parseCommon, parseSession } from '../answers/question.ts'
import { badRequest } from '../http/refusals.ts'

type Fields = Readonly<Record<string, unknown>>

/** Those that have the same name and meaning in both. */
const SAME = [
  'parallel_tool_calls',
  'prompt_cache_key',
  'safety_identifier',
  'seed',
  'service_tier',
  'temperature',
  'top_p',
  'user',
] as const

/** They want something kept here that is not: better no answer than one without it. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  background: 'this server answers at once; leave background out',
  previous_response_id: 'this server keeps no responses; name a conversation instead, or send all items',
  prompt: 'this server has no stored prompts; send instructions and input',
}

export interface ResponsesParameters {
  readonly model: string | undefined
  readonly stream: boolean
  readonly session: string | undefined
  /** For chat. */
  readonly parameters: Fields
  /** As the response repeats them. */
  readonly repeated: Fields
}

/** @throws Refused naming the parameter */
export function parseParameters(body: Fields): ResponsesParameters {
  for (const [name, advice] of Object.entries(UNSUPPORTED)) {
    const value = body[name]
    if (value !== undefined && value !== null && value !== false)
      throw badRequest(`${name} is not supported: ${advice}`, name)
  }
  const given = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null && value !== undefined))
  const { max_output_tokens, tools, tool_choice, text, reasoning } = given
  const session = sessionOf(given.conversation)
  return {
    ...parseCommon({ model: given.model, stream: given.stream }),
    session,
    parameters: {
      ...Object.fromEntries(SAME.flatMap((name) => (name in given ? [[name, given[name]]] : []))),
      ...(max_output_tokens === undefined ? {} : { max_completion_tokens: max_output_tokens }),
      ...(tools === undefined ? {} : { tools: toolsOf(tools) }),
      ...(tool_choice === undefined ? {} : { tool_choice: choiceOf(tool_choice) }),
      ...formatOf(text),
      ...(isRecord(reasoning) && typeof reasoning.effort === 'string' ? { reasoning_effort: reasoning.effort } : {}),
    },
    repeated: {
      instructions: given.instructions ?? null,
      max_output_tokens: max_output_tokens ?? null,
      metadata: given.metadata ?? {},
      parallel_tool_calls: given.parallel_tool_calls ?? true,
      previous_response_id: null,
      reasoning: reasoning ?? { effort: null, summary: null },
      store: false,
      temperature: given.temperature ?? null,
      text: text ?? { format: { type: 'text' } },
      tool_choice: tool_choice ?? 'auto',
      tools: tools ?? [],
      top_p: given.top_p ?? null,
      truncation: given.truncation ?? 'disabled',
      ...(given.user === undefined ? {} : { user: given.user }),
      ...(session === undefined ? {} : { conversation: { id: session } }),
    },
  }
}

function sessionOf(conversation: unknown): string | undefined {
  if (conversation === undefined) return undefined
  const id = isRecord(conversation) ? conversation.id : conversation
  if (typeof id !== 'string') throw badRequest('conversation must be the name of a session, or {id}', 'conversation')
  return parseSession(id, 'conversation')
}

function toolsOf(tools: unknown): readonly Fields[] {
  if (!Array.isArray(tools)) throw badRequest('tools must be a list', 'tools')
  return tools.map((tool: unknown, index) => {
    const where = `tools[${index}]`
    const { type, ...rest } = isRecord(tool) ? tool : {}
    if (type !== 'function')
      throw badRequest(`${where}.type is ${JSON.stringify(type)}; this server supports only functions`, where)
    return { type, function: rest }
  })
}

function choiceOf(choice: unknown): unknown {
  if (typeof choice === 'string') return choice
  if (isRecord(choice) && choice.type === 'function') return { type: 'function', function: { name: choice.name } }
  throw badRequest('tool_choice must be none, auto, required or {type: "function", name}', 'tool_choice')
}

function formatOf(text: unknown): Fields {
  if (text === undefined) return {}
  if (!isRecord(text)) throw badRequest('text must be an object', 'text')
  const verbosity = text.verbosity === undefined ? {} : { verbosity: text.verbosity }
  const { type, ...rest } = isRecord(text.format) ? text.format : { type: 'text' }
  if (type === 'text') return verbosity
  if (type === 'json_object') return { ...verbosity, response_format: { type } }
  if (type === 'json_schema') return { ...verbosity, response_format: { type, json_schema: rest } }
  throw badRequest('text.format.type must be text, json_object or json_schema', 'text.format')
}
