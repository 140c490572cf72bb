/** Usage of endpoints, as the meter has counted it. */
import * as z from 'zod/mini'
import { GROUPINGS } from '../../meter/report.ts'
import { optional, text, whole, wholeText } from './fields.ts'

export const UsageQuery = z.strictObject({
  by: optional(z.enum(GROUPINGS)),
  days: optional(wholeText(1, 36_500)),
  profile: optional(text(200)),
})

const amounts = {
  requests: whole(),
  uncounted_requests: whole(),
  input_tokens: whole(),
  cached_input_tokens: whole(),
  output_tokens: whole(),
  unpriced_tokens: whole(),
  usd: optional(z.number()),
}

export const Usage = z.strictObject({
  since: z.iso.date(),
  by: z.enum(GROUPINGS),
  groups: z.array(
    z.strictObject({
      profile: z.string(),
      board: optional(z.nullable(z.string())),
      task: optional(z.nullable(z.string())),
      day: optional(z.iso.date()),
      model: optional(z.nullable(z.string())),
      ...amounts,
    }),
  ),
  total: z.strictObject(amounts),
  budgets: z.array(
    z.strictObject({
      profile: z.string(),
      per: z.string(),
      since: z.iso.date(),
      usd: z.nullable(z.number()),
      tokens: z.nullable(whole()),
      task_usd: z.nullable(z.number()),
      spent_usd: z.number(),
      spent_tokens: whole(),
      /** Its requests are refused until the period ends. */
      spent: z.boolean(),
    }),
  ),
})
export type Usage = z.infer<typeof Usage>
