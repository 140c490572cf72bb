/** Terminals. */
import * as z from 'zod/mini'
import { text } from './fields.ts'

export const TerminalSize = z.strictObject({
  cols: z.int().check(z.minimum(2), z.maximum(1000)),
  rows: z.int().check(z.minimum(2), z.maximum(1000)),
})
export type TerminalSize = z.infer<typeof TerminalSize>
/** Maximum of one message; the page splits a longer paste. */
export const MAX_INPUT_CHARS = 1024 * 1024
export const TerminalMessage = z.union([
  z.strictObject({ type: z.literal('input'), data: text(MAX_INPUT_CHARS) }),
  z.extend(TerminalSize, { type: z.literal('resize') }),
])
export type TerminalMessage = z.infer<typeof TerminalMessage>
