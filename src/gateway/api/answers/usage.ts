/** The usage of an answer, as OpenAI's APIs have it. Pure. */
import type { Usage } from '../../../meter/usage.ts'

/** Of chat (https://platform.openai.com/docs/api-reference/chat/object#chat-object-usage). */
export const chatUsage = ({ inputTokens, cachedTokens, outputTokens }: Usage) => ({
  prompt_tokens: inputTokens,
  completion_tokens: outputTokens,
  total_tokens: inputTokens + outputTokens,
  prompt_tokens_details: { cached_tokens: cachedTokens },
})
