/** Refusals and log-in. */
import * as z from 'zod/mini'
import { VIAS } from '../../access/audit-entry.ts'
import { SCOPES } from '../../access/scope.ts'
import { optional, text, time, whole, wholeText } from './fields.ts'

export const ApiError = z.strictObject({ error: z.string(), detail: z.string(), next: optional(z.string()) })
export type ApiError = z.infer<typeof ApiError>
export const Unauthenticated = z.strictObject({
  error: z.enum(['unauthenticated', 'session_expired', 'invalid_token']),
  detail: z.string(),
  reason: z.enum(['no_cookie', 'invalid_or_expired_session', 'invalid_token']),
  login_url: z.string(),
})
export type Unauthenticated = z.infer<typeof Unauthenticated>
export const LoginRefused = z.strictObject({
  error: z.enum(['invalid_credentials', 'not_allowed']),
  detail: z.string(),
  next: optional(z.string()),
})
export const TooManyTries = z.strictObject({
  error: z.literal('too_many_tries'),
  detail: z.string(),
  retry_after_s: whole(),
})

export const Providers = z.strictObject({
  providers: z.array(z.strictObject({ name: z.string(), kind: z.enum(['password', 'oidc']), label: z.string() })),
})
export type Providers = z.infer<typeof Providers>
/**
 * `user` and `provider` are null where no log-in is needed. Of an API token they are its name and `token`; it has
 * `profiles` if it may not see all of them, and no `expires_at` if it never expires.
 */
export const Me = z.strictObject({
  user: z.nullable(z.string()),
  provider: z.nullable(z.string()),
  expires_at: optional(time()),
  scope: z.enum(SCOPES),
  profiles: optional(z.array(z.string())),
})
export type Me = z.infer<typeof Me>
/** Other parameters of the address are ignored. */
export const LoginQuery = z.object({ provider: optional(text(200)), next: optional(text(4096)) })
export const PasswordLogin = z.strictObject({
  username: text(256),
  password: text(1024),
  next: optional(text(2048)),
})
export type PasswordLogin = z.infer<typeof PasswordLogin>
export const LoggedIn = z.strictObject({ next: z.string() })
export type LoggedIn = z.infer<typeof LoggedIn>

/** `since`: a time. `action`: a whole action, or its first words. */
export const AuditQuery = z.strictObject({
  since: optional(time()),
  actor: optional(text(200)),
  action: optional(text(200)),
  limit: optional(wholeText(1, 5000)),
})
export const AuditEntry = z.strictObject({
  time: time(),
  actor: z.string(),
  via: z.enum(VIAS),
  action: z.string(),
  target: z.nullable(z.string()),
  /** `done`, or the code of an error. */
  result: z.string(),
  /** Number of further changes of this kind in the minute before. */
  more: optional(whole()),
})
export type AuditEntry = z.infer<typeof AuditEntry>
export const Audit = z.strictObject({ entries: z.array(AuditEntry) })
export type Audit = z.infer<typeof Audit>
