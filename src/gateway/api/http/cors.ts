/** Which web pages may use the API from a browser (https://fetch.spec.whatwg.org/#http-cors-protocol). Pure. */

/** `*`: every page there is. */
export type Origins = readonly string[] | '*'

/** Headers that a page may read besides the body. */
const EXPOSED = 'X-Request-Id, X-Hermes-Session, Retry-After, X-Should-Retry'
const PREFLIGHT_SECONDS = 600

export const isListed = (origins: Origins, origin: string | undefined): origin is string =>
  origin !== undefined && (origins === '*' || origins.includes(origin))

/** Headers for the answer to a page's request. */
export function corsHeaders(origins: Origins, origin: string | undefined): Readonly<Record<string, string>> {
  if (origins.length === 0) return {}
  // Kept by a cache, an answer to one page must not be given to another.
  if (!isListed(origins, origin)) return { Vary: 'Origin' }
  return { Vary: 'Origin', 'Access-Control-Allow-Origin': origin, 'Access-Control-Expose-Headers': EXPOSED }
}

/** Headers for the answer to a preflight request. Browsers send it without the key, so none is required. */
export const preflightHeaders = (wanted: string, isPrivate: boolean): Readonly<Record<string, string>> => ({
  'Access-Control-Allow-Methods': 'GET, POST',
  'Access-Control-Max-Age': String(PREFLIGHT_SECONDS),
  // Clients send headers of their own (x-stainless-…): which they are does not matter here.
  ...(wanted === '' ? {} : { 'Access-Control-Allow-Headers': wanted }),
  // For a page on the internet that calls a server in a private network (Private Network Access).
  ...(isPrivate ? { 'Access-Control-Allow-Private-Network': 'true' } : {}),
})
