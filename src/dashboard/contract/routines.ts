/** Routines of a board. */
import * as z from 'zod/mini'
import { CATCH_UPS } from '../../kanban/routines/routine.ts'
import { optional, text, time } from './fields.ts'

/** As in `hermes kanban routine list --json`. */
export const Routine = z.strictObject({
  name: z.string(),
  cron: z.string(),
  tz: z.string(),
  catch_up: z.enum(CATCH_UPS),
  paused: z.boolean(),
  /** Null: it is paused, or no time follows. */
  next: z.nullable(time()),
  /** Why its times cannot be read. */
  problem: optional(z.string()),
  title: z.string(),
  body: z.string(),
  assignee: z.nullable(z.string()),
  priority: z.int(),
})
export type Routine = z.infer<typeof Routine>
export const Routines = z.strictObject({ routines: z.array(Routine) })
export type Routines = z.infer<typeof Routines>
export const NewRoutine = z.strictObject({
  name: text(64),
  cron: text(200),
  tz: optional(text(100)),
  catch_up: optional(z.enum(CATCH_UPS)),
  title: text(2000),
  body: optional(text(1_000_000)),
  assignee: optional(z.nullable(text(64))),
  priority: optional(z.int()),
})
export type NewRoutine = z.infer<typeof NewRoutine>
export const RoutineChange = z.strictObject({ paused: z.boolean() })
export const RoutineRun = z.strictObject({ routine: z.string(), task_id: z.string() })
export const RoutineDeleted = z.strictObject({ routine: z.string(), deleted: z.literal(true) })
