import { type ReadonlySignal, signal } from '@preact/signals'
import { parseRoute, type Route } from '../core/route.ts'

export interface Router {
  readonly route: ReadonlySignal<Route>
  /** An address for `href`: our path behind the prefix. */
  href(path: string): string
  go(path: string, how?: 'push' | 'replace'): void
}

/** Links of the page change the view without loading it again. */
export function createRouter(prefix: string): Router {
  const here = (): Route => parseRoute(location.pathname.slice(prefix.length), location.search)
  const route = signal(here())
  const go: Router['go'] = (path, how = 'push') => {
    if (how === 'push') history.pushState(null, '', `${prefix}${path}`)
    else history.replaceState(null, '', `${prefix}${path}`)
    route.value = here()
  }
  addEventListener('popstate', () => {
    route.value = here()
  })
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>('a[data-view]') : null
    const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey
    if (link === null || !plain || event.defaultPrevented) return
    event.preventDefault()
    go(`${link.pathname.slice(prefix.length)}${link.search}`)
  })
  return { route, go, href: (path) => `${prefix}${path}` }
}
