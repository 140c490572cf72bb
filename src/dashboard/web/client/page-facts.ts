/** Facts that the server wrote into the page's head. */
import type { HistoryOfProfile } from '../../contract/history.ts'
import { type Scope, scopeOf } from '../core/rights.ts'

export interface PageFacts {
  /** Prefix of our paths: empty, or `/hermes`. */
  readonly prefix: string
  /** Sent with each request; absent before the log-in. */
  readonly token: string | undefined
  /** How much the user may do. */
  readonly scope: Scope
  readonly insecure: boolean
  readonly terminal: boolean
  /** The board is in a database, which other nodes may share. */
  readonly nodes: boolean
  /** Name of the container or the node, to tell tabs apart; absent before the log-in. */
  readonly host: string | undefined
  /** The build's version; absent before the log-in. */
  readonly build: string | undefined
  /** Address of the licences of what is in the page, below <base>. */
  readonly licenses: string | undefined
  /** The last day of the profile that the page was asked for; absent: it was asked for something else. */
  readonly history: HistoryOfProfile | undefined
}

export function readPageFacts(document: Document): PageFacts {
  const meta = (name: string): string | undefined =>
    document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content
  const history = meta('hermes-history')
  return {
    // The attribute, not the property: that one is resolved against the page's address.
    prefix: (document.querySelector('base')?.getAttribute('href') ?? '/').replace(/\/$/, ''),
    token: meta('hermes-token'),
    scope: scopeOf(meta('hermes-scope')),
    insecure: meta('hermes-insecure') !== undefined,
    terminal: meta('hermes-tui') !== undefined,
    nodes: meta('hermes-nodes') !== undefined,
    host: meta('hermes-host'),
    build: meta('hermes-build'),
    licenses: meta('hermes-licenses'),
    history: history === undefined ? undefined : (JSON.parse(history) as HistoryOfProfile),
  }
}
