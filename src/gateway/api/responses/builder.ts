/**
 * Builds a response, and the events of its stream, from the chunks of an answer of chat
 * (https://platform.openai.com/docs/api-reference/responses-streaming). Pure.
 */
import { isRecord } from '../../../system/text/record.ts'
import { type AnswerChunk, finishOf, indexOf } from '../../agent/answer.ts'
import { responsesUsage } from '../answers/usage.ts'
import type { Refusal } from '../http/refusals.ts'

type Fields = Readonly<Record<string, unknown>>

/** One event: `type` and `sequence_number` come first. */
export interface ResponseEvent extends Fields {
  readonly type: string
  readonly sequence_number: number
}

interface TextItem {
  readonly type: 'message'
  readonly id: string
  readonly parts: { readonly type: 'output_text' | 'refusal'; text: string }[]
}

interface CallItem {
  readonly type: 'function_call'
  readonly id: string
  callId: string
  name: string
  arguments: string
}

export interface BuilderFacts {
  /** Until the answer names its own. */
  readonly model: string
  /** Parameters of the request, which the response repeats. */
  readonly repeated: Fields
  readonly createdAtS: number
  /** A random part of an id. */
  readonly newId: () => string
}

/** Reasons of chat for an end that is not one, and those of a response. */
const INCOMPLETE: Readonly<Record<string, string>> = { length: 'max_output_tokens', content_filter: 'content_filter' }

export class ResponseBuilder {
  readonly #facts: BuilderFacts
  readonly #id: string
  readonly #items: (TextItem | CallItem)[] = []
  /** By the number that the answer gives a call. */
  readonly #calls = new Map<number, CallItem>()
  #model: string
  #usage: ReturnType<typeof responsesUsage>
  #finish: string | undefined
  #sequence = 0

  constructor(facts: BuilderFacts) {
    this.#facts = facts
    this.#id = `resp_${facts.newId()}`
    this.#model = facts.model
  }

  /** The events before the first chunk. */
  begin(): readonly ResponseEvent[] {
    const response = this.#response('in_progress', null)
    return [this.#event('response.created', { response }), this.#event('response.in_progress', { response })]
  }

  /** Only the first choice counts: a response has one. */
  add(chunk: AnswerChunk): readonly ResponseEvent[] {
    if (typeof chunk.model === 'string' && chunk.model !== '') this.#model = chunk.model
    this.#usage = responsesUsage(chunk) ?? this.#usage
    const choice = chunk.choices.find((one) => indexOf(one) === 0)
    if (choice === undefined) return []
    this.#finish = finishOf(choice) ?? this.#finish
    const delta = choice.delta ?? choice.message
    if (!isRecord(delta)) return []
    const { content, refusal, tool_calls: calls } = delta
    return [
      ...(typeof content === 'string' && content !== '' ? this.#addText('output_text', content) : []),
      ...(typeof refusal === 'string' && refusal !== '' ? this.#addText('refusal', refusal) : []),
      ...(Array.isArray(calls) ? calls.flatMap((call: unknown, place) => this.#addCall(call, place)) : []),
    ]
  }

  /** The events after the last chunk. */
  end(completedAtS: number): readonly ResponseEvent[] {
    const done = this.#items.flatMap((item, index) => this.#done(item, index))
    const response = this.response(completedAtS)
    return [...done, this.#event(`response.${response.status}`, { response })]
  }

  /** The whole response, once its last chunk is there. */
  response(completedAtS: number) {
    const why = INCOMPLETE[this.#finish ?? '']
    const status = why === undefined ? ('completed' as const) : ('incomplete' as const)
    return {
      ...this.#response(status, null),
      ...(why === undefined ? { completed_at: completedAtS } : { incomplete_details: { reason: why } }),
    }
  }

  /** The events of an answer that has failed on its way. */
  fail(error: Refusal['error']): readonly ResponseEvent[] {
    const { message, code, param } = error
    return [
      this.#event('response.failed', { response: this.#response('failed', { code: code ?? 'server_error', message }) }),
      // Both forms that clients look for: OpenAI documents the first, and its servers send the second.
      this.#event('error', { code, message, param, error }),
    ]
  }

  #addText(type: 'output_text' | 'refusal', text: string): readonly ResponseEvent[] {
    const events: ResponseEvent[] = []
    let item = this.#items.find((one) => one.type === 'message')
    if (item === undefined) {
      item = { type: 'message', id: `msg_${this.#facts.newId()}`, parts: [] }
      this.#items.push(item)
      const output_index = this.#items.length - 1
      events.push(
        this.#event('response.output_item.added', {
          output_index,
          item: { ...itemOf(item, 'in_progress'), content: [] },
        }),
      )
    }
    const output_index = this.#items.indexOf(item)
    let part = item.parts.find((one) => one.type === type)
    if (part === undefined) {
      part = { type, text: '' }
      item.parts.push(part)
      const place = { item_id: item.id, output_index, content_index: item.parts.length - 1 }
      events.push(this.#event('response.content_part.added', { ...place, part: partOf(part) }))
    }
    part.text += text
    const place = { item_id: item.id, output_index, content_index: item.parts.indexOf(part) }
    const more = type === 'output_text' ? { logprobs: [] } : {}
    return [...events, this.#event(`response.${type}.delta`, { ...place, delta: text, ...more })]
  }

  #addCall(value: unknown, place: number): readonly ResponseEvent[] {
    if (!isRecord(value)) return []
    const number = typeof value.index === 'number' ? value.index : place
    const called = isRecord(value.function) ? value.function : {}
    const text = (one: unknown): string => (typeof one === 'string' ? one : '')
    const delta = text(called.arguments)
    const known = this.#calls.get(number)
    const item: CallItem = known ?? {
      type: 'function_call',
      id: `fc_${this.#facts.newId()}`,
      callId: '',
      name: '',
      arguments: '',
    }
    item.callId ||= text(value.id)
    item.name ||= text(called.name)
    const events: ResponseEvent[] = []
    if (known === undefined) {
      this.#calls.set(number, item)
      this.#items.push(item)
      events.push(
        this.#event('response.output_item.added', {
          output_index: this.#items.length - 1,
          item: itemOf(item, 'in_progress'),
        }),
      )
    }
    if (delta === '') return events
    item.arguments += delta
    const where = { item_id: item.id, output_index: this.#items.indexOf(item) }
    return [...events, this.#event('response.function_call_arguments.delta', { ...where, delta })]
  }

  #done(item: TextItem | CallItem, output_index: number): readonly ResponseEvent[] {
    const where = { item_id: item.id, output_index }
    const done = { output_index, item: itemOf(item, this.#itemStatus()) }
    if (item.type === 'function_call') {
      const { name, arguments: text } = item
      return [
        this.#event('response.function_call_arguments.done', { ...where, name, arguments: text }),
        this.#event('response.output_item.done', done),
      ]
    }
    const parts = item.parts.flatMap((part, content_index) => {
      const place = { ...where, content_index }
      const text = part.type === 'refusal' ? { refusal: part.text } : { text: part.text, logprobs: [] }
      return [
        this.#event(`response.${part.type}.done`, { ...place, ...text }),
        this.#event('response.content_part.done', { ...place, part: partOf(part) }),
      ]
    })
    return [...parts, this.#event('response.output_item.done', done)]
  }

  #itemStatus(): 'completed' | 'incomplete' {
    return INCOMPLETE[this.#finish ?? ''] === undefined ? 'completed' : 'incomplete'
  }

  #response<S extends 'in_progress' | 'completed' | 'incomplete' | 'failed'>(status: S, error: Fields | null) {
    const { repeated, createdAtS } = this.#facts
    return {
      id: this.#id,
      object: 'response' as const,
      created_at: createdAtS,
      status,
      background: false,
      error,
      incomplete_details: null as Fields | null,
      ...repeated,
      model: this.#model,
      output: this.#items.map((item) => itemOf(item, status === 'failed' ? 'incomplete' : status)),
      usage: this.#usage ?? null,
    }
  }

  #event(type: string, fields: Fields): ResponseEvent {
    return { type, sequence_number: this.#sequence++, ...fields }
  }
}

const partOf = ({ type, text }: TextItem['parts'][number]): Fields =>
  type === 'refusal' ? { type, refusal: text } : { type, text, annotations: [], logprobs: [] }

function itemOf(item: TextItem | CallItem, status: string): Fields {
  const { id, type } = item
  return type === 'message'
    ? { id, type, status, role: 'assistant', content: item.parts.map(partOf) }
    : { id, type, status, call_id: item.callId || item.id, name: item.name, arguments: item.arguments }
}
