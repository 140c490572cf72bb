/** Selects the part of a session that is sent along with a question. Pure. */
import type { Message } from '../agent/agent.ts'
import { asOne, isSystem } from '../agent/prompt.ts'

/** Size of the history sent along: about 50,000 tokens. */
export const HISTORY_BUDGET_CHARS = 200_000
/** A picture or a sound costs a model about 1,000 tokens, however long it is in base64. */
const ATTACHMENT_CHARS = 4000
/** Size of attachments sent along: a request has a size limit, too. */
const ATTACHMENTS_BUDGET_CHARS = 8 * 1024 * 1024

/**
 * The newest turns that fit the budgets, oldest first; a turn is a question with all that came of it, so that no tool's
 * result is without its call. The newest is always there: what follows is about it.
 * @param newestFirst messages of a session; no more are taken than are needed
 */
export function newestTurns(newestFirst: Iterable<Message>): readonly Message[] {
  let kept: readonly Message[] = []
  let turn: Message[] = []
  // Versions before this one kept system messages among the others.
  let prompt: Message | undefined
  let chars = 0
  let attachments = 0
  const withPrompt = (turns: readonly Message[]) => (prompt === undefined ? turns : [prompt, ...turns])
  for (const message of newestFirst) {
    if (isSystem(message)) {
      prompt ??= message
      continue
    }
    // A question begins here, so the turn collected so far is complete.
    if (message.role !== 'user' && turn[0]?.role === 'user') {
      kept = [...turn, ...kept]
      turn = []
    }
    turn.unshift(message)
    chars += weightOf(message)
    attachments += JSON.stringify(message.content ?? '').length
    if (chars > HISTORY_BUDGET_CHARS || attachments > ATTACHMENTS_BUDGET_CHARS) {
      // For the newest turn, keep all of it.
      if (kept.length > 0) return withPrompt(kept)
    }
  }
  return withPrompt(turn[0]?.role === 'user' ? [...turn, ...kept] : kept)
}

/** Characters that a message counts for. */
export function weightOf({ content, role: _, ...more }: Message): number {
  const rest = Object.keys(more).length === 0 ? 0 : JSON.stringify(more).length
  return rest + partWeight(content)
}

function partWeight(content: unknown): number {
  if (typeof content === 'string') return content.length
  if (Array.isArray(content)) return content.reduce((sum: number, part) => sum + partWeight(part), 0)
  if (typeof content !== 'object' || content === null) return 0
  const { text } = content as { text?: unknown }
  return typeof text === 'string' ? text.length : Math.min(ATTACHMENT_CHARS, JSON.stringify(content).length)
}

/**
 * A session's messages with those of a new request behind them: one system prompt first, the latest there was; and no
 * call of a tool without its result, which endpoints refuse.
 */
export function conversation(history: readonly Message[], asked: readonly Message[]): readonly Message[] {
  const instructions = asked.filter(isSystem)
  const prompt = instructions.length > 0 ? instructions : history.filter(isSystem)
  const all = [...history, ...asked].filter((message) => !isSystem(message))
  return [...(prompt.length === 0 ? [] : [asOne(prompt)]), ...withWholeCalls(all)]
}

/** A client that has called tools and then asks something else never sends their results. */
const withWholeCalls = (messages: readonly Message[]): readonly Message[] =>
  messages.flatMap((message, at) => {
    const { tool_calls: calls, ...rest } = message
    if (!Array.isArray(calls) || calls.length === 0 || messages[at + 1]?.role === 'tool') return [message]
    return typeof rest.content === 'string' && rest.content !== '' ? [rest] : []
  })
