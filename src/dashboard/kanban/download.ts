/** Headers of a file from elsewhere: a browser saves it, and neither shows it nor runs what is in it. Pure. */

/** @param name of the file: 1 to 120 bytes without slashes and control characters */
export const downloadHeaders = (name: string): Readonly<Record<string, string>> => ({
  'Content-Type': 'application/octet-stream',
  'Content-Disposition': `attachment; filename="${ascii(name)}"; filename*=UTF-8''${encoded(name)}`,
  // Even if a browser were made to show it, nothing in it would run, and it would have no origin.
  'Content-Security-Policy': "default-src 'none'; sandbox",
  'X-Content-Type-Options': 'nosniff',
})

/** For programs that know no `filename*` (RFC 6266, 4.3, appendix D). */
const ascii = (name: string): string => name.replaceAll(/[^\x20-\x7e]|["\\%]/gu, '_')

/** RFC 8187, 3.2.1. */
const encoded = (name: string): string =>
  encodeURIComponent(name).replaceAll(/['()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)
