/** The last day of a slot. */
import * as z from 'zod/mini'
import { optional, time, whole } from './fields.ts'

/** Minutes of a step: divisors of a day. */
const STEPS = ['1', '2', '5', '10', '15', '30', '60'] as const

export const HistoryQuery = z.strictObject({ step: optional(z.enum(STEPS)) })

/** One entry a step, the oldest first; null: nothing is known of it, because the dashboard did not run. */
export const History = z.strictObject({
  /** When the first step began. */
  from: time(),
  step_minutes: whole(),
  /** In cores, on average. */
  cpu: z.array(z.nullable(z.number())),
  /** The most there was. */
  memory_bytes: z.array(z.nullable(whole())),
  restarts: z.array(z.nullable(whole())),
  /** The most tasks that waited for it. */
  queued: z.array(z.nullable(whole())),
})
export type History = z.infer<typeof History>

/** As a page has it in its own text. */
export interface HistoryOfProfile {
  readonly profile: string
  readonly day: History
}
