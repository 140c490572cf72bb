import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'

/** Values that handlers find in hono's context. `admitted`: the request had the key, or needs none. */
export type ApiContext = {
  Bindings: HttpBindings
  Variables: { requestId: string; session?: string; admitted?: true }
}

/** The fields of a log line about a request. */
export interface LogFields {
  readonly request_id: string
  readonly session?: string
}

export const logFields = ({ var: { requestId, session } }: Context<ApiContext>): LogFields => ({
  request_id: requestId,
  ...(session === undefined ? {} : { session }),
})

/** pino's way: fields first. */
export interface RequestLog {
  info(fields: object, text: string): void
  warn(fields: object, text: string): void
  error(fields: object, text: string): void
}
