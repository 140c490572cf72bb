import { type ErrorCode, HermesError } from '../../system/errors.ts'

/** A code that clients branch on, and a line for users. */
interface RefusedBody {
  readonly error: string
  readonly detail: string
  readonly [more: string]: unknown
}

/** An answer that ends a request. */
export class RefusedRequest extends Error {
  readonly status: number
  readonly body: RefusedBody
  readonly headers: Readonly<Record<string, string>>
  readonly cookies: readonly string[]

  constructor(
    status: number,
    body: RefusedBody,
    more: { readonly headers?: Readonly<Record<string, string>>; readonly cookies?: readonly string[] } = {},
  ) {
    super(body.detail)
    this.status = status
    this.body = body
    this.headers = more.headers ?? {}
    this.cookies = more.cookies ?? []
  }
}

/** The same refusal; keeps the cookies of a session that was renewed on the way to it. */
export const withCookies = (
  { status, body, headers, cookies }: RefusedRequest,
  more: readonly string[],
): RefusedRequest => new RefusedRequest(status, body, { headers, cookies: [...more, ...cookies] })

const refusal = (status: number, error: string, detail: string, next?: string): RefusedRequest =>
  new RefusedRequest(status, { error, detail, ...(next === undefined ? {} : { next }) })

export const badRequest = (detail: string, next?: string): RefusedRequest => refusal(400, 'bad_request', detail, next)
export const badHandshake = (why: string): RefusedRequest =>
  new RefusedRequest(
    400,
    { error: 'bad_handshake', detail: `not a WebSocket handshake: ${why}` },
    { headers: { 'Sec-WebSocket-Version': '13' } },
  )
export const forbidden = (error: string, detail: string, next?: string): RefusedRequest =>
  refusal(403, error, detail, next)
export const notFound = (detail: string, next?: string): RefusedRequest => refusal(404, 'not_found', detail, next)
export const conflict = (detail: string, next?: string): RefusedRequest => refusal(409, 'conflict', detail, next)
export const tooLarge = (maxBytes: number): RefusedRequest =>
  refusal(413, 'too_large', `the request body is longer than ${maxBytes} bytes`)
export const notJson = (): RefusedRequest => refusal(415, 'not_json', 'send JSON, with Content-Type: application/json')
export const notBytes = (): RefusedRequest =>
  refusal(415, 'not_bytes', 'send the bytes of the file, with Content-Type: application/octet-stream')
export const unavailable = (error: string, detail: string, next?: string): RefusedRequest =>
  refusal(503, error, detail, next)
export const misdirected = (expected: string, next: string): RefusedRequest =>
  refusal(421, 'misdirected', `the Host header must be ${expected}`, next)
export const notAllowed = (method: string, allowed: readonly string[]): RefusedRequest =>
  new RefusedRequest(
    405,
    { error: 'method_not_allowed', detail: `the method ${method.slice(0, 20)} is not allowed here` },
    { headers: { Allow: allowed.join(', ') } },
  )

/** @param waitMs until the next attempt is allowed */
export function tooManyTries(waitMs: number): RefusedRequest {
  const seconds = Math.ceil(waitMs / 1000)
  return new RefusedRequest(
    429,
    { error: 'too_many_tries', detail: `too many attempts; wait ${seconds} s`, retry_after_s: seconds },
    { headers: { 'Retry-After': String(seconds) } },
  )
}

const STATUS_OF: Readonly<Record<ErrorCode, number>> = {
  BAD_NAME: 400,
  BAD_REQUEST: 400,
  USAGE: 400,
  NO_SUCH_PROFILE: 404,
  NO_SUCH_SLOT: 404,
  EXISTS: 409,
  PARKED: 409,
  REFUSED: 409,
  STOPPING: 409,
  VOLUME_BUSY: 409,
  FAILED: 500,
  NO_SUPERVISOR: 503,
  TIMED_OUT: 504,
}

/** Converts any failure to an answer; unexpected errors are passed to `bug`. */
export function refusalOf(error: unknown, bug: (error: unknown) => void): RefusedRequest {
  if (error instanceof RefusedRequest) return error
  if (error instanceof HermesError)
    return refusal(STATUS_OF[error.code], error.code.toLowerCase(), error.message, error.next)
  bug(error)
  return refusal(500, 'internal', 'internal error of the dashboard', 'see "hermes logs dashboard"')
}
