/**
 * Paths that may be read without a session and without the page's token. Both gates use this list and nothing else.
 * They must be safe for an uptime probe, for the page before the log-in, and for anyone with curl.
 */

export interface PublicList {
  /** HERMES_DASHBOARD_PUBLIC_API can put these behind the log-in. */
  readonly api: readonly string[]
  readonly always: readonly string[]
  /** Includes everything below it; ends with a slash, so that `/assetsleak` does not match. */
  readonly prefix: string
}

export const PUBLIC: PublicList = {
  api: [
    '/api/status',
    '/api/config/defaults',
    '/api/config/schema',
    '/api/model/info',
    '/api/dashboard/themes',
    '/api/dashboard/plugins',
  ],
  always: [
    '/login',
    '/auth/login',
    '/auth/callback',
    '/auth/password-login',
    '/auth/logout',
    '/api/auth/providers',
    '/favicon.ico',
  ],
  prefix: '/assets/',
}

/**
 * @param path as it stands in the request line, without the query: what only means the same after decoding is another
 * path
 */
export const isPublic = (path: string, list: PublicList): boolean =>
  list.always.includes(path) ||
  list.api.includes(path) ||
  (path.startsWith(list.prefix) && !/%|\/\.|\/\/|\\/.test(path))

/** The list for the log-in gate. @param publicApi value of HERMES_DASHBOARD_PUBLIC_API; unset: true */
export const loginList = (list: PublicList, publicApi: boolean): PublicList => (publicApi ? list : { ...list, api: [] })
