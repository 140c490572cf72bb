import { AgentError, type Message } from './agent.ts'

/**
 * Joins the messages into the one text that a program gets: a single user message unchanged, a conversation as a
 * transcript with a `Role:` before each message.
 * @throws AgentError bad-question when a message contains something other than text
 */
export function promptText(messages: readonly Message[]): string {
  const [only] = messages
  if (messages.length === 1 && only !== undefined) return contentText(only)
  return messages.map((message) => `${title(message.role)}: ${contentText(message)}`).join('\n\n')
}

const title = (role: string): string => role.charAt(0).toUpperCase() + role.slice(1)

/** A message's content is a text, or a list of parts of which a program can read the texts. */
export function contentText(message: Message): string {
  const { content } = message
  if (typeof content === 'string') return content
  if (content === null || content === undefined) return ''
  if (!Array.isArray(content)) throw noText()
  return content.map((part: unknown) => partText(part)).join('')
}

function partText(part: unknown): string {
  const { text } = (part ?? {}) as { text?: unknown }
  if (typeof text === 'string') return text
  throw noText()
}

const noText = (): AgentError =>
  new AgentError('bad-question', 'this agent is a program and reads only text; a message contains something else')

/** Instructions for the agent; newer OpenAI models call the role `developer`. */
export const isSystem = ({ role }: Message): boolean => role === 'system' || role === 'developer'

/**
 * The messages with the profile's SOUL.md as the system prompt. One system message, not two: some servers refuse a
 * second.
 * @param soul empty: nothing is added
 */
export function withSoul(messages: readonly Message[], soul: string): readonly Message[] {
  if (soul === '') return messages
  const end = messages.findIndex((message) => !isSystem(message))
  const leading = end === -1 ? messages : messages.slice(0, end)
  return [asOne([{ role: 'system', content: soul }, ...leading]), ...messages.slice(leading.length)]
}

/** Joins several system messages into one. @param messages at least one; the last one determines the role */
export function asOne(messages: readonly Message[]): Message {
  const contents = messages.map(({ content }) => content).filter((content) => content !== null && content !== undefined)
  const texts = contents.filter((content) => typeof content === 'string')
  const content =
    texts.length === contents.length
      ? texts.join('\n\n')
      : contents.flatMap((part) => (Array.isArray(part) ? part : [{ type: 'text', text: part }]))
  return { role: 'system', ...messages.at(-1), content }
}
