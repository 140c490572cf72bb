/** Sent with every answer. */
export type SecurityHeaders = Readonly<Record<string, string>>

export const SECURITY_HEADERS: SecurityHeaders = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; '),
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  // Not no-referrer: browsers would then send `Origin: null` with our own forms (Fetch, "append a request Origin
  // header").
  'Referrer-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Cache-Control': 'no-store',
}

/** For a stream of events: a compressing proxy would hold events back until there are many (RFC 9111, 5.2.2.6). */
export const STREAM_HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-store, no-transform',
  // nginx does so whatever it does with them.
  'X-Accel-Buffering': 'no',
} as const
