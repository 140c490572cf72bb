/** The usage of an answer, as OpenAI's APIs have it. Pure. */
import { readUsage, type Usage } from '../../../meter/usage.ts'
import { isRecord } from '../../../system/text/record.ts'

/** Of chat (https://platform.openai.com/docs/api-reference/chat/object#chat-object-usage). */
export const chatUsage = ({ inputTokens, cachedTokens, outputTokens }: Usage) => ({
  prompt_tokens: inputTokens,
  completion_tokens: outputTokens,
  total_tokens: inputTokens + outputTokens,
  prompt_tokens_details: { cached_tokens: cachedTokens },
})

/**
 * Of responses (https://platform.openai.com/docs/api-reference/responses/object#responses/object-usage).
 * @param answer of chat, or a chunk of one
 * @returns undefined where nothing was counted
 */
export function responsesUsage(answer: unknown) {
  const counted = readUsage(answer)
  if (counted === undefined) return undefined
  const { inputTokens, cachedTokens, outputTokens } = counted.usage
  const { usage } = answer as { usage?: { completion_tokens_details?: unknown } }
  const details = usage?.completion_tokens_details
  const reasoning = isRecord(details) ? details.reasoning_tokens : undefined
  return {
    input_tokens: inputTokens,
    input_tokens_details: { cached_tokens: cachedTokens },
    output_tokens: outputTokens,
    output_tokens_details: { reasoning_tokens: typeof reasoning === 'number' ? reasoning : 0 },
    total_tokens: inputTokens + outputTokens,
  }
}
