/** The parts of the page, put together once in main.tsx. */
import type { ReadonlySignal } from '@preact/signals'
import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { Me } from '../../contract/access.ts'
import type { Client } from '../client/client.ts'
import type { PageFacts } from '../client/page-facts.ts'
import { covers, type Scope } from '../core/rights.ts'
import type { Fleet } from './fleet.ts'
import type { Notices } from './notices.ts'
import type { Router } from './router.ts'
import type { ThemeStore } from './theme.ts'

export interface App {
  readonly facts: PageFacts
  readonly client: Client
  readonly router: Router
  readonly theme: ThemeStore
  readonly notices: Notices
  readonly now: ReadonlySignal<number>
  readonly fleet: Fleet
  readonly me: ReadonlySignal<Me | undefined>
  logout(): Promise<void>
}

export const AppContext = createContext<App | undefined>(undefined)

export function useApp(): App {
  const app = useContext(AppContext)
  if (app === undefined) throw new Error('the page is drawn outside of its context')
  return app
}

/** Tells whether the user has this scope: what needs it is not drawn otherwise. */
export function useMay(): (needs: Scope) => boolean {
  const { facts } = useApp()
  return (needs) => covers(facts.scope, needs)
}
