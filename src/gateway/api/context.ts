import type { HttpBindings } from '@hono/node-server'

/** Values that handlers find in hono's context. `admitted`: the request had the key, or needs none. */
export type ApiContext = { Bindings: HttpBindings; Variables: { session?: string; admitted?: true } }

/** pino's way: fields first. */
export interface RequestLog {
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
  error(fields: object, text: string): void
}
