import { type Method, ROUTES, type RouteName } from '../contract/routes.ts'

const names = Object.keys(ROUTES) as RouteName[]
const patterns = names.map((name) => ({
  method: ROUTES[name].method as Method,
  pattern: new RegExp(`^${ROUTES[name].path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
}))

/** The methods of a path; none: it is not a route. HEAD is included in GET. */
export const methodsOf = (path: string): readonly string[] =>
  patterns
    .filter(({ pattern }) => pattern.test(path))
    .flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
