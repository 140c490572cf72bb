/** Where to go after the log-in. It comes from an address that anybody may have made up. */

/**
 * A path of the page, as it may be sent in `Location`; anything that could lead elsewhere, or to a route that acts, is `/`.
 * @param text a path with its query, not decoded
 */
export function safeNext(text: string | undefined): string {
  if (text === undefined || !text.startsWith('/') || text.length > 2048) return '/'
  // Browsers read a backslash as a slash and drop tabs and newlines: `/\evil`, `/<TAB>/evil` are `//evil` (WHATWG URL).
  if (/[\\\u0000-\u0020\u007f-\uffff]/.test(text)) return '/'
  const path = plainPath(text)
  if (path === undefined || text.startsWith('//') || isUnder(path, 'api') || isUnder(path, 'auth')) return '/'
  return path === '/login' ? '/' : text
}

/** Whether a client means the API, however it writes the path: it gets JSON and no redirect. */
export function meansApi(rawPath: string): boolean {
  const path = plainPath(rawPath)
  return path === undefined || isUnder(path, 'api') || isUnder(path, 'auth')
}

const isUnder = (path: string, segment: string): boolean => path === `/${segment}` || path.startsWith(`/${segment}/`)

/** Decoded as often as it takes, dots and double slashes resolved, in lower case; undefined: it cannot be decoded. */
function plainPath(text: string): string | undefined {
  let path = text.split(/[?#]/)[0] ?? ''
  for (let i = 0; path.includes('%'); i++) {
    if (i === 5) return undefined
    try {
      path = decodeURIComponent(path)
    } catch {
      // Not percent-encoded text: it means nothing we serve.
      return undefined
    }
  }
  const segments: string[] = []
  for (const segment of path.replaceAll('\\', '/').split('/')) {
    if (segment === '..') segments.pop()
    else if (segment !== '' && segment !== '.') segments.push(segment)
  }
  return `/${segments.join('/')}`.toLowerCase()
}
