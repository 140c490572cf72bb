import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { AnyAnswer } from '../contract/handler.ts'
import type { SecurityHeaders } from '../gate/headers.ts'
import { meansApi } from '../gate/next-path.ts'
import type { RefusedRequest } from '../gate/refusals.ts'
import type { RequestFacts } from '../gate/request-facts.ts'
import { escaped } from './page.ts'

/** Parts of every answer. */
interface Dress {
  readonly headers: SecurityHeaders
}

export function respond(app: Dress, answer: AnyAnswer): Response {
  if ('stream' in answer) return RESPONSE_ALREADY_SENT
  const { status, headers = {}, cookies = [] } = answer
  const all = new Headers({ ...app.headers, ...headers })
  for (const cookie of cookies) all.append('Set-Cookie', cookie)
  if ('bytes' in answer && answer.bytes !== undefined)
    return new Response(new Uint8Array(answer.bytes), { status, headers: all })
  if ('text' in answer && answer.text !== undefined) {
    all.set('Content-Type', answer.type)
    return new Response(answer.text, { status, headers: all })
  }
  if (!('body' in answer) || answer.body === undefined) return new Response(null, { status, headers: all })
  all.set('Content-Type', 'application/json')
  return new Response(`${JSON.stringify(answer.body)}\n`, { status, headers: all })
}

/** A user in a browser, sent here by the identity provider or by a link, needs a page and not JSON. */
export const isReader = ({ path, headers }: RequestFacts): boolean =>
  (path.startsWith('/auth/') || !meansApi(path)) && (headers.accept ?? '').includes('text/html')

export function refuseReader(app: Dress, refused: RefusedRequest, { prefix }: RequestFacts): Response {
  const { detail, next } = refused.body as { readonly detail: string; readonly next?: string }
  const response = refuse(app, refused)
  response.headers.set('Content-Type', 'text/html; charset=utf-8')
  const lines = [detail, ...(next === undefined ? [] : [next])].map((line) => `<p>${escaped(line)}</p>`)
  const link =
    refused.status === 404 ? `<a href="${prefix}/">To the dashboard</a>` : `<a href="${prefix}/login">Log in</a>`
  const html = `<!doctype html><html lang="en"><title>hermes</title>${lines.join('')}<p>${link}</p></html>\n`
  return new Response(html, { status: refused.status, headers: response.headers })
}

/** Every refusal there is, of a request or an upgrade, goes out as this makes it. */
export function refuse(app: Dress, { status, body, headers, cookies }: RefusedRequest): Response {
  const all = new Headers({ ...app.headers, 'Content-Type': 'application/json', ...headers })
  for (const cookie of cookies) all.append('Set-Cookie', cookie)
  return new Response(`${JSON.stringify(body)}\n`, { status, headers: all })
}
