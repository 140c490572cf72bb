/** Which callers may use a route, and for which profiles. Pure. */
import { covers, type Rights, type Scope, sees } from '../../access/scope.ts'
import { HermesError } from '../../system/errors.ts'
import type { Caller } from './guard.ts'
import { forbidden, notFound, RefusedRequest } from './refusals.ts'

/** The rights that a route needs. Every row of the table of routes has it, so that no route is open by oversight. */
export interface Access {
  /** Least scope of a caller. `anyone`: also of strangers, if the path is public. `node`: only another node. */
  readonly scope: Scope | 'anyone' | 'node'
  /**
   * The profile that it is about, of a segment of the path or a key of the query. To callers who may not see it, it is
   * one that does not exist. If a key of the query is absent, and with `listed`, the handler leaves out what the caller
   * may not see. `all`: callers who may not see all profiles are refused. `none`: nothing in it belongs to a profile.
   */
  readonly profile: `path.${string}` | `query.${string}` | `body.${string}` | 'default' | 'listed' | 'all' | 'none'
}

/**
 * Checks what can be known before the body is read.
 * @throws Refused 401, 403
 */
export function checkScope({ scope, profile }: Access, caller: Caller, rights: Rights | undefined): void {
  if (scope === 'anyone') return
  if (scope === 'node') {
    if (caller.kind === 'node') return
    throw forbidden('insufficient_scope', 'only another node may ask this')
  }
  if (rights === undefined)
    throw new RefusedRequest(401, {
      error: 'unauthenticated',
      detail: 'Unauthorized',
      reason: 'no_cookie',
      login_url: '/login',
    })
  if (!covers(rights.scope, scope))
    throw forbidden('insufficient_scope', `this needs the scope ${scope}, and the caller has ${rights.scope}`)
  if (profile === 'all' && rights.profiles !== undefined)
    throw forbidden('insufficient_scope', 'this needs a caller who may see all profiles')
}

export interface Parts {
  readonly path: unknown
  readonly query: unknown
  readonly body: unknown
}

/** @throws Refused 404 for a profile that the caller may not see, as for one that does not exist */
export function checkProfile({ profile }: Pick<Access, 'profile'>, rights: Rights | undefined, parts: Parts): void {
  if (rights?.profiles === undefined) return
  const name = nameIn(profile, parts)
  if (name !== undefined && !sees(rights, name)) throw noProfile()
}

/** @returns the name as the handlers take it: exactly as it was sent */
function nameIn(profile: Access['profile'], parts: Parts): string | undefined {
  if (profile === 'default') return profile
  const [, part, key = ''] = /^(path|query|body)\.(\w+)$/.exec(profile) ?? []
  if (part === undefined) return undefined
  const value = (parts[part as keyof Parts] as Readonly<Record<string, unknown>> | undefined)?.[key]
  return typeof value === 'string' ? value : undefined
}

/** The refusal of a handler names the nearest profile, which the caller may not know. */
export const hidingOthers = (error: unknown, rights: Rights | undefined): unknown =>
  rights?.profiles !== undefined && error instanceof HermesError && error.code === 'NO_SUCH_PROFILE'
    ? noProfile()
    : error

export const noProfile = (): RefusedRequest => notFound('no such profile', 'see /api/profiles')
