/** Names and attributes of our cookies. Pure. */

/** Where the browser sends a cookie. */
export interface CookiePlace {
  readonly secure: boolean
  /** `/`, or what the browser has before our paths. */
  readonly path: string
  /** Mark of this dashboard: cookies are not separated by port, and another dashboard on this host has cookies, too. */
  readonly mark: string
}

export type CookieName = 'hermes_session_at' | 'hermes_session_rt' | 'hermes_session_pkce' | 'hermes_known'
const SESSION: readonly CookieName[] = ['hermes_session_at', 'hermes_session_rt']

/** Browsers refuse to set these prefixed names from elsewhere, so a session cannot be planted (RFC 6265bis, 4.1.3). */
function prefixOf({ secure, path }: CookiePlace): '' | '__Host-' | '__Secure-' {
  if (!secure) return ''
  return path === '/' ? '__Host-' : '__Secure-'
}

export const cookieName = (name: CookieName, place: CookiePlace): string => `${plainName(name, place)}_${place.mark}`

/** The name in earlier versions; their cookies are still accepted. */
const plainName = (name: CookieName, place: CookiePlace): string => `${prefixOf(place)}${name}`

export const setCookie = (name: CookieName, value: string, maxAgeS: number, place: CookiePlace): string =>
  written(cookieName(name, place), value, Math.max(0, Math.floor(maxAgeS)), place.path, place.secure)

export const deleteCookie = (name: CookieName, place: CookiePlace): string => setCookie(name, '', 0, place)

/**
 * Takes the session cookies back under every name they can have had: the dashboard may have moved behind a proxy since.
 */
export function deletions({ path, mark }: Pick<CookiePlace, 'path' | 'mark'>): readonly string[] {
  return SESSION.flatMap((name) => [`${name}_${mark}`, name]).flatMap((name) => [
    written(name, '', 0, '/', false),
    ...(path === '/' ? [] : [written(name, '', 0, path, false)]),
    written(`__Host-${name}`, '', 0, '/', true),
    written(`__Secure-${name}`, '', 0, path, true),
  ])
}

const written = (name: string, value: string, maxAgeS: number, path: string, secure: boolean): string =>
  `${name}=${value}; Path=${path}; Max-Age=${maxAgeS}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`

/** The value of our cookie in a Cookie header, by the one name it has in this place, or had there. */
export function readCookie(header: string | undefined, name: CookieName, place: CookiePlace): string | undefined {
  const pairs = header?.split(';').map((part) => part.trim()) ?? []
  const cookieOf = (wanted: string): string | undefined =>
    pairs.find((part) => part.startsWith(`${wanted}=`))?.slice(wanted.length + 1) || undefined
  return cookieOf(cookieName(name, place)) ?? cookieOf(plainName(name, place))
}
