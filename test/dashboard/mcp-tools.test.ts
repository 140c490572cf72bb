import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect, test } from 'vitest'
import { ROUTES, type Route, type RouteName } from '../../src/dashboard/contract/routes.ts'
import { partsOf, TOOLS } from '../../src/dashboard/mcp/tools.ts'

const named = (name: string) => TOOLS.find((tool) => tool.name === name)

test('every tool has a name of its own, and arguments of which no two have one name', () => {
  expect(new Set(TOOLS.map(({ name }) => name)).size).toBe(TOOLS.length)
  for (const { route, input } of TOOLS) {
    const { path, query, body }: Route = ROUTES[route]
    const ofSchema = (schema: unknown): string[] => Object.keys((schema as { shape?: object } | undefined)?.shape ?? {})
    const fields = [
      ...[...path.matchAll(/\{(\w+)\}/g)].map(([, field]) => field),
      ...ofSchema(query),
      ...ofSchema(body),
    ]
    expect([route, Object.keys(input.properties)]).toEqual([route, fields])
    expect(() => new Ajv2020({ strict: false, validateFormats: false }).compile(input)).not.toThrow()
  }
})

test('streams, files, log-ins, the terminal and routes for nodes are left out', () => {
  const routes = TOOLS.map(({ route }) => route)
  for (const route of ['events', 'followLogs', 'attachFile', 'readAttachment', 'passwordLogin', 'terminal', 'metrics'])
    expect(routes).not.toContain(route)
  expect(routes.filter((route) => route.startsWith('node') && route !== 'nodes')).toEqual([])
  expect(named('create_profile')).toMatchObject({ reads: false, destroys: false })
  expect(named('delete_task')).toMatchObject({ reads: false, destroys: true })
  expect(named('profiles')).toMatchObject({ reads: true, destroys: false })
  expect(named('gateway')).toMatchObject({
    description: 'Start, stop or restart its gateway (POST /api/profiles/{name}/gateway; scope operate)',
    input: { required: ['name', 'action'], additionalProperties: false },
  })
})

const parts = (route: RouteName, args: Record<string, unknown>) => partsOf({ name: 'a_tool', route }, args)

test('arguments become the parts of a request', () => {
  expect(parts('moveTask', { id: 't_1', board: 'b', to: 'done', reason: 'r' })).toEqual({
    path: { id: 't_1' },
    query: { board: 'b' },
    body: { to: 'done', reason: 'r' },
  })
  expect(parts('tasks', { limit: 5 })).toEqual({ path: {}, query: { limit: '5' }, body: {} })
})

test('an argument that is wrong, unknown or missing is refused in one line', () => {
  expect(() => parts('tasks', { limt: 5 })).toThrow('a_tool has no argument "limt"')
  expect(() => parts('boards', { board: 'b' })).toThrow('a_tool has no argument "board"')
  expect(() => parts('profiles', JSON.parse('{"__proto__": {"name": "x"}}'))).toThrow('no argument "__proto__"')
  for (const args of [{}, { name: '' }, { name: { a: 1 } }, { name: null }])
    expect(() => parts('profile', args)).toThrow('a_tool needs the argument name, a text')
})
