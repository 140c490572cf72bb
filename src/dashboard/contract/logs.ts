/** Logs of slots and of boots. */
import * as z from 'zod/mini'
import { optional, text, time, whole, wholeText } from './fields.ts'

export const LogQuery = z.strictObject({
  lines: optional(wholeText(1, 5000)),
  before: optional(text(200)),
  /** Without `before`: what was written up to then. */
  until: optional(time()),
  search: optional(text(200)),
})
export const LogLine = z.strictObject({ at: optional(time()), text: z.string() })
export type LogLine = z.infer<typeof LogLine>
export const LogPage = z.strictObject({
  lines: z.array(LogLine),
  /** For the previous page; absent: this is the start of the log. */
  before: optional(z.string()),
})
export type LogPage = z.infer<typeof LogPage>
export const LogLines = z.strictObject({ lines: z.array(LogLine) })
export type LogLines = z.infer<typeof LogLines>
export const Missed = z.strictObject({ missed: whole() })
export type Missed = z.infer<typeof Missed>

export const BootLog = z.strictObject({
  lines: z.array(
    z.strictObject({
      at: time(),
      profile: z.string(),
      prior_state: z.string(),
      action: z.string(),
      prior_exit: z.string(),
      reason: optional(z.string()),
    }),
  ),
})
export type BootLog = z.infer<typeof BootLog>
