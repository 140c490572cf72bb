/** Page to open after the log-in. It comes from an address that anyone may have made up. */

/**
 * A path of the page, as it may be sent in `Location`; anything that could lead elsewhere, or to a route that acts, is
 * `/`.
 * @param text a path with its query, not decoded
 */
export function safeNext(text: string | undefined): string {
  if (text === undefined || !text.startsWith('/') || text.length > 2048) return '/'
  // Browsers read a backslash as a slash and drop tabs and newlines: `/\evil`, `/<TAB>/evil` are `//evil` (WHATWG URL).
  if (/[\\\u0000-\u0020\u007f-\uffff]/.test(text)) return '/'
  return text.startsWith('//') || meansApi(text) || readings(text)?.at(-1) === '/login' ? '/' : text
}

/** Tells whether a client addresses the API, in any spelling of the path: it gets JSON and no redirect. */
export function meansApi(rawPath: string): boolean {
  return readings(rawPath)?.some((path) => /^\/(api|auth|mcp)(\/|$)/.test(path)) ?? true
}

/**
 * The path itself, and decoded once, twice and so on: a reader may stop at any of these forms, and decoding can hide
 * parts of it (`/api/..%5c` is below `/api` to a browser and `/` when decoded). Undefined: it cannot be decoded, so
 * it is not one of our paths.
 */
function readings(text: string): readonly string[] | undefined {
  let path = text.split(/[?#]/)[0] ?? ''
  const found = [plain(path)]
  while (path.includes('%')) {
    if (found.length > 5) return undefined
    try {
      path = decodeURIComponent(path)
    } catch {
      // Not percent-encoded text.
      return undefined
    }
    found.push(plain(path))
  }
  return found
}

/** Dots (encoded ones as well, as browsers do) and double slashes resolved, in lower case. */
function plain(path: string): string {
  const segments: string[] = []
  for (const segment of path.toLowerCase().replaceAll('\\', '/').split('/')) {
    const dots = segment.replaceAll('%2e', '.')
    if (dots === '..') segments.pop()
    else if (dots !== '' && dots !== '.') segments.push(segment)
  }
  return `/${segments.join('/')}`
}
