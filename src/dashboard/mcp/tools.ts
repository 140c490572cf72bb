/** The tools of the MCP server, made from the table of routes. Pure. */
import * as z from 'zod/mini'
import { SCOPES, type Scope } from '../../access/scope.ts'
import { ROUTES, type Route, type RouteName } from '../contract/routes.ts'
import { badRequest } from '../gate/refusals.ts'

type Json = Readonly<Record<string, unknown>>
type Part = 'path' | 'query' | 'body'

export interface Tool {
  readonly name: string
  readonly route: RouteName
  readonly description: string
  /** JSON Schema of an object. */
  readonly input: ToolInput
  readonly reads: boolean
  readonly destroys: boolean
}

export interface ToolInput {
  readonly type: 'object'
  readonly properties: Readonly<Record<string, object>>
  readonly required: string[]
  readonly additionalProperties: false
}

/** The parts of a request that the arguments of a call are. */
export interface ToolParts {
  readonly path: Readonly<Record<string, string>>
  readonly query: Json
  readonly body: Json
}

/** Routes that are of no use to a program that has tools: the document of all routes, and the caller's own name. */
const NOT_TOOLS: readonly RouteName[] = ['openapi', 'me']

/** Every route that takes JSON, answers with JSON, and needs a scope. */
export const TOOLS: readonly Tool[] = (Object.entries(ROUTES) as [RouteName, Route][])
  .filter(([name, route]) => !NOT_TOOLS.includes(name) && isTool(route))
  .map(([name, route]) => toolOf(name, route))

function isTool({ scope, events, file, upload, socket, answers }: Route): boolean {
  const special = [events, file, upload, socket].some((one) => one !== undefined)
  return SCOPES.some((one) => one === scope) && !special && !Object.values(answers).includes('text')
}

function toolOf(route: RouteName, row: Route): Tool {
  const { method, path, scope, summary } = row
  const places = fieldsOf(row)
  return {
    name: route.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    route,
    // "its gateway": of the profile in the path.
    description: `${summary} (${method} ${path}; scope ${scope})`,
    input: {
      type: 'object',
      properties: Object.fromEntries(places.map(({ name, schema }) => [name, schema])),
      required: places.filter(({ isRequired }) => isRequired).map(({ name }) => name),
      additionalProperties: false,
    },
    reads: scope === ('read' satisfies Scope),
    destroys: method === 'DELETE',
  }
}

interface Field {
  readonly part: Part
  readonly name: string
  readonly schema: object
  readonly isRequired: boolean
}

/** The arguments of a tool are the fields of all parts; no two parts of a route have a field of the same name. */
function fieldsOf({ path, query, body }: Route): readonly Field[] {
  const segments = [...path.matchAll(/\{(\w+)\}/g)].map(
    ([, name = '']): Field => ({ part: 'path', name, schema: { type: 'string' }, isRequired: true }),
  )
  return [...segments, ...ofSchema('query', query), ...ofSchema('body', body)]
}

function ofSchema(part: Part, schema: z.ZodMiniType | undefined): readonly Field[] {
  if (schema === undefined) return []
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  return Object.entries(properties).map(([name, one]) => ({
    part,
    name,
    schema: typeof one === 'boolean' ? {} : one,
    isRequired: required.includes(name),
  }))
}

/**
 * @param args as a client sends them: the values for query and body are checked by the route
 * @throws Refused 400 for an argument that the tool does not have, and for a part of the path that is missing
 */
export function partsOf({ name: tool, route }: Pick<Tool, 'name' | 'route'>, args: Json): ToolParts {
  const fields = fieldsOf(ROUTES[route])
  const unknown = Object.keys(args).find((name) => !fields.some((field) => field.name === name))
  if (unknown !== undefined) {
    const known = fields.map(({ name }) => name).join(', ') || 'no arguments'
    throw badRequest(`${tool} has no argument ${JSON.stringify(unknown.slice(0, 80))}`, `it takes ${known}`)
  }
  const of = (part: Part): Json =>
    Object.fromEntries(
      fields
        .filter((field) => field.part === part && args[field.name] !== undefined)
        .map(({ name }) => [name, args[name]]),
    )
  const path = of('path')
  for (const { name, part } of fields)
    if (part === 'path' && (typeof path[name] !== 'string' || path[name] === ''))
      throw badRequest(`${tool} needs the argument ${name}, a text`)
  return { path: path as Readonly<Record<string, string>>, query: inText(of('query')), body: of('body') }
}

/** A query is text; a schema that has numbers in it reads them from there. */
const inText = (query: Json): Json =>
  Object.fromEntries(
    Object.entries(query).map(([name, value]) => [name, typeof value === 'object' ? value : String(value)]),
  )
