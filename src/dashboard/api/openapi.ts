/** The OpenAPI document, made from the table of routes. */
import * as z from 'zod/mini'
import { ApiError, TooManyTries, Unauthenticated } from '../contract/access.ts'
import { type AnswerBody, ROUTES, type Route } from '../contract/routes.ts'
import { isForNodes } from '../gate/guard.ts'
import { isPublic, loginList, type PublicList } from '../gate/public-paths.ts'

type Json = Readonly<Record<string, unknown>>

const schemaOf = (schema: z.ZodMiniType, io: 'input' | 'output'): Json => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  return rest
}

/** @param open the public paths in force */
export function openApi(version: string, list: PublicList, publicApi: boolean): Json {
  const open = loginList(list, publicApi)
  const paths: Record<string, Record<string, Json>> = {}
  for (const [name, route] of Object.entries<Route>(ROUTES)) {
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operation(name, route, open) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'hermes dashboard',
      version,
      description:
        'Programs send an API token (hermes token create) as bearer; its scope must include the one that an operation names. A request of the page that changes something must send our own Origin and X-Hermes-Token; the page contains that token in <meta name="hermes-token">.',
    },
    paths,
    components: {
      securitySchemes: {
        session: { type: 'apiKey', in: 'cookie', name: '__Host-hermes_session_at_XXXXXXXX' },
        pageToken: { type: 'apiKey', in: 'header', name: 'X-Hermes-Token' },
        token: { type: 'http', scheme: 'bearer', bearerFormat: 'hermes_XXXXXXXX_…' },
        metrics: { type: 'http', scheme: 'bearer' },
        node: { type: 'http', scheme: 'bearer' },
      },
    },
    security: [{ session: [] }, { pageToken: [] }, { token: [] }],
  }
}

function operation(name: string, route: Route, open: PublicList): Json {
  const { path, summary, query, body, upload } = route
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, segment]) => ({
    name: segment,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
  return {
    operationId: name,
    summary,
    security: securityOf(route, open),
    parameters: [...inPath, ...(query === undefined ? [] : queryParameters(query))],
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: schemaOf(body, 'input') } } } }),
    ...(upload === undefined
      ? {}
      : { requestBody: { required: true, content: { [upload]: { schema: { type: 'string', format: 'binary' } } } } }),
    responses: answersOf(route),
  }
}

/** The scope stands where OpenAPI 3.1 has the names of roles. */
function securityOf({ path, scope }: Route, open: PublicList): readonly Json[] {
  if (isPublic(path, open)) return []
  if (scope === 'node') return [{ node: [] }]
  const roles = scope === 'anyone' ? [] : [scope]
  const people = [{ session: roles }, { pageToken: [] }, { token: roles }]
  return path === ROUTES.metrics.path ? [...people, { metrics: [] }] : people
}

function queryParameters(query: z.ZodMiniType): readonly Json[] {
  const { properties = {}, required = [] } = schemaOf(query, 'input') as {
    properties?: Json
    required?: readonly string[]
  }
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
  }))
}

function answersOf(route: Route): Json {
  const { method, path, scope, query, body, upload, answers, events, file, socket } = route
  const general: Record<number, AnswerBody> = {
    ...(query === undefined && body === undefined ? {} : { 400: ApiError }),
    ...(path.startsWith('/auth/') ? {} : { 401: isForNodes({ path }) ? ApiError : Unauthenticated }),
    ...(method === 'GET' && (scope === 'anyone' || scope === 'node') ? {} : { 403: ApiError }),
    ...(path.startsWith('/auth/') || scope === 'node' ? {} : { 429: TooManyTries }),
    ...(body === undefined && upload === undefined ? {} : { 413: ApiError, 415: ApiError }),
    421: ApiError,
    500: ApiError,
    503: ApiError,
    504: ApiError,
  }
  const all = Object.entries({ ...general, ...answers }).map(
    ([status, content]) => [status, response(content)] as const,
  )
  return {
    ...Object.fromEntries(all),
    ...(events === undefined ? {} : { 200: eventStream(events) }),
    ...(file === undefined
      ? {}
      : { 200: { description: 'A file', content: { [file]: { schema: { type: 'string' } } } } }),
    ...(socket === undefined ? {} : { 101: { description: 'A WebSocket, with the sub-protocol hermes' } }),
  }
}

function response(content: AnswerBody): Json {
  if (content === null) return { description: 'No body' }
  if (content === 'text') return { description: 'Text', content: { 'text/plain': { schema: { type: 'string' } } } }
  return { description: 'JSON', content: { 'application/json': { schema: schemaOf(content, 'output') } } }
}

/** OpenAPI cannot express the events of a stream: their data is described next to it. */
const eventStream = (events: Readonly<Record<string, z.ZodMiniType>>): Json => ({
  description: 'Server-sent events; x-events has the JSON data of each',
  content: { 'text/event-stream': { schema: { type: 'string' } } },
  'x-events': Object.fromEntries(Object.entries(events).map(([name, schema]) => [name, schemaOf(schema, 'output')])),
})
