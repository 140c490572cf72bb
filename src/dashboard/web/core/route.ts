/** The addresses of the page. */

export const PROFILE_TABS = ['log', 'deaths', 'sessions', 'settings'] as const
export type ProfileTab = (typeof PROFILE_TABS)[number]

export type Route =
  | { readonly view: 'overview' | 'kanban' | 'boots' | 'audit' | 'usage' | 'nodes' | 'terminal' | 'login' | 'unknown' }
  /** The log of a gateway of another node. */
  | { readonly view: 'node-gateway'; readonly node: string; readonly name: string }
  /** `until`: the log at that moment, an RFC 3339 time; absent: as it is written. */
  | { readonly view: 'profile'; readonly name: string; readonly tab: ProfileTab; readonly until?: string }

/** @param path without the prefix the dashboard is served under @param search with its `?`, or empty */
export function parseRoute(path: string, search: string): Route {
  switch (path) {
    case '/':
      return { view: 'overview' }
    case '/kanban':
    case '/boots':
    case '/audit':
    case '/usage':
    case '/nodes':
    case '/terminal':
    case '/login':
      return { view: path.slice(1) as 'kanban' | 'boots' | 'audit' | 'usage' | 'nodes' | 'terminal' | 'login' }
  }
  const [, node, ofNode] = /^\/nodes\/([a-z0-9][a-z0-9._-]*)\/([a-z0-9][a-z0-9_-]*)$/.exec(path) ?? []
  if (node !== undefined && ofNode !== undefined) return { view: 'node-gateway', node, name: ofNode }
  const name = /^\/profiles\/([a-z0-9][a-z0-9_-]*)$/.exec(path)?.[1]
  if (name === undefined) return { view: 'unknown' }
  const query = new URLSearchParams(search)
  const until = query.get('until')
  return {
    view: 'profile',
    name,
    tab: PROFILE_TABS.find((tab) => tab === query.get('tab')) ?? 'log',
    ...(until !== null && !Number.isNaN(Date.parse(until)) && { until: new Date(until).toISOString() }),
  }
}

/** Last lines of a process may come up to a second after its death. */
const LATE_MS = 1000

/** The log of a profile when its gateway died. @param at an RFC 3339 time */
export const deathPath = (name: string, at: string): string =>
  `/profiles/${name}?until=${new Date(Date.parse(at) + LATE_MS).toISOString()}`

export const profilePath = (name: string, tab: ProfileTab = 'log'): string =>
  `/profiles/${name}${tab === 'log' ? '' : `?tab=${tab}`}`

export const nodeGatewayPath = (node: string, name: string): string => `/nodes/${node}/${name}`
