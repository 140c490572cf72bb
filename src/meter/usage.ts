/** Reads what an answer of an OpenAI-compatible endpoint has used. Pure. */
import { isRecord } from '../system/text/record.ts'

export interface Usage {
  /** All tokens of the question, also those that were cached. */
  readonly inputTokens: number
  /** The part of them that the provider had cached. */
  readonly cachedTokens: number
  readonly outputTokens: number
}

export interface Counted {
  readonly usage: Usage
  /** The model that has answered, as the answer names it. */
  readonly model: string | undefined
}

/**
 * Reads `usage` of an answer or of an event of a stream, as the chat, completions, embeddings and responses APIs have
 * it. @returns undefined where nothing was counted: nothing is guessed
 */
export function readUsage(answer: unknown): Counted | undefined {
  if (!isRecord(answer)) return undefined
  // An event of the responses API has the answer inside.
  const inner = isRecord(answer.response) ? answer.response : answer
  const { usage, model } = inner
  if (!isRecord(usage)) return undefined
  const input = countOf(usage.prompt_tokens) ?? countOf(usage.input_tokens)
  const output = countOf(usage.completion_tokens) ?? countOf(usage.output_tokens)
  if (input === undefined && output === undefined) return undefined
  const details = usage.prompt_tokens_details ?? usage.input_tokens_details
  const cached = isRecord(details) ? countOf(details.cached_tokens) : undefined
  return {
    usage: {
      inputTokens: input ?? 0,
      cachedTokens: Math.min(cached ?? 0, input ?? 0),
      outputTokens: output ?? 0,
    },
    model: typeof model === 'string' && model !== '' ? model : undefined,
  }
}

/**
 * Whether an endpoint has refused a request because it does not know `stream_options`. OpenAI's servers answer 400, and
 * servers that check their requests by a schema 422.
 */
export const refusesStreamOptions = (status: number, body: string): boolean =>
  (status === 400 || status === 422) && body.includes('stream_options')

/** More than any answer has; a larger number is an endpoint's fault. */
const MOST_TOKENS = 1e9

const countOf = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MOST_TOKENS ? value : undefined
