import type { HttpBindings } from '@hono/node-server'

/** What handlers find in hono's context. */
export type ApiContext = { Bindings: HttpBindings; Variables: { session?: string } }

/** pino's way: fields first. */
export interface RequestLog {
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
  error(fields: object, text: string): void
}
