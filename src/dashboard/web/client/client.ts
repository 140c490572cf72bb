/** Requests to the dashboard's API. */
import type { ApiError } from '../../contract/access.ts'
import { eventReader, type ServerEvent } from '../core/event-stream.ts'

/** A refusal of the server (`status` is HTTP's), or no answer at all (`status` 0). */
export class Failure extends Error {
  readonly status: number
  readonly code: string
  readonly next: string | undefined
  readonly retryAfterS: number | undefined

  constructor(status: number, body: Partial<ApiError> & { readonly retry_after_s?: number }) {
    super(body.detail ?? (status === 0 ? 'the dashboard does not answer' : `the dashboard answered ${status}`))
    this.status = status
    this.code = body.error ?? 'unknown'
    this.next = body.next
    this.retryAfterS = body.retry_after_s
  }
}

export type Query = Readonly<Record<string, string | number | undefined>>

export interface Client {
  get<T>(path: string, query?: Query): Promise<T>
  /** @returns undefined where the answer has no body */
  send<T>(method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown, query?: Query): Promise<T>
  /** Sends a file. */
  upload<T>(path: string, file: Blob, query?: Query): Promise<T>
  /** Gets a file. */
  download(path: string, query?: Query): Promise<Blob>
  /** Events until the server ends the stream or `signal` aborts. @param opened called once it flows */
  events(path: string, signal: AbortSignal, opened: () => void): AsyncGenerator<ServerEvent>
  /** URL of a WebSocket at this path. */
  socketUrl(path: string): string
  token(): string | undefined
  /**
   * Ends the session. Requests made during or after this call never settle: they would be refused, and the redirect
   * to the login page would bring the user straight back here.
   */
  signOut(): Promise<void>
}

export interface ClientOptions {
  readonly prefix: string
  readonly token: string | undefined
  /** Gets the page again and reads its token: a server that was started again knows the old one no more. */
  readonly freshToken: () => Promise<string | undefined>
  /** A log-in is needed, or needed again. */
  readonly onSignedOut: () => void
}

export function createClient({ prefix, token: first, freshToken, onSignedOut }: ClientOptions): Client {
  let token = first
  /** Resolves when signing out has failed. */
  let signingOut: Promise<void> | undefined

  const ask = async (path: string, init: RequestInit): Promise<Response> => {
    if (!path.startsWith('/auth/')) await signingOut
    const headers = new Headers(init.headers)
    if (token !== undefined) headers.set('X-Hermes-Token', token)
    try {
      return await fetch(`${prefix}${path}`, { ...init, headers, credentials: 'same-origin' })
    } catch (error) {
      if (init.signal?.aborted) throw error
      throw new Failure(0, {})
    }
  }

  /** @throws Failure when the answer is not a success */
  const request = async (path: string, init: RequestInit): Promise<Response> => {
    let response = await ask(path, init)
    if (response.status === 401 || response.status === 403) {
      const failure = await failureOf(response)
      const tokenRefused = failure.code === 'bad_token' || failure.code === 'unauthenticated'
      const fresh = tokenRefused ? await freshToken() : undefined
      if (fresh !== undefined && fresh !== token) {
        token = fresh
        response = await ask(path, init)
      } else {
        if (failure.status === 401 && !path.startsWith('/auth/') && signingOut === undefined) onSignedOut()
        throw failure
      }
    }
    if (!response.ok) throw await failureOf(response)
    return response
  }

  const send = async <T>(method: string, path: string, body?: unknown, query: Query = {}): Promise<T> => {
    const response = await request(`${path}${queryText(query)}`, {
      method,
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body ?? {}),
    })
    return (response.status === 204 ? undefined : await response.json()) as T
  }

  return {
    async get<T>(path: string, query: Query = {}) {
      return (await (await request(`${path}${queryText(query)}`, {})).json()) as T
    },
    send,
    async upload<T>(path: string, body: Blob, query: Query = {}) {
      const headers = { 'Content-Type': 'application/octet-stream' }
      return (await (await request(`${path}${queryText(query)}`, { method: 'POST', headers, body })).json()) as T
    },
    async download(path, query = {}) {
      const response = await request(`${path}${queryText(query)}`, {})
      return response.blob().catch(() => {
        throw new Failure(0, { detail: 'the connection broke' })
      })
    },
    async *events(path, signal, opened) {
      const { body } = await request(path, { signal, headers: { Accept: 'text/event-stream' } })
      if (body === null) return
      opened()
      const read = eventReader()
      const text = body.pipeThrough(new TextDecoderStream()).getReader()
      while (true) {
        const { done, value } = await text.read().catch((error: unknown) => {
          throw signal.aborted ? error : new Failure(0, { detail: 'the connection broke' })
        })
        if (done) return
        yield* read(value)
      }
    },
    socketUrl: (path) => `${location.origin.replace(/^http/, 'ws')}${prefix}${path}`,
    token: () => token,
    async signOut() {
      const failed = Promise.withResolvers<void>()
      signingOut = failed.promise
      try {
        await send('POST', '/auth/logout')
      } catch (error) {
        signingOut = undefined
        failed.resolve()
        throw error
      }
    },
  }
}

async function failureOf(response: Response): Promise<Failure> {
  const body: unknown = await response.json().catch(() => ({})) // a proxy's page of its own: the status says enough
  return new Failure(response.status, typeof body === 'object' && body !== null ? body : {})
}

function queryText(query: Query): string {
  const search = new URLSearchParams()
  for (const [key, value] of Object.entries(query))
    if (value !== undefined && value !== '') search.set(key, String(value))
  return search.size === 0 ? '' : `?${search}`
}
