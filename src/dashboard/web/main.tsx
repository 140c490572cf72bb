/** Puts the page together. */
import './styles/page.css'
import { signal } from '@preact/signals'
import { render } from 'preact'
import type { Me } from '../contract/access.ts'
import { createClient } from './client/client.ts'
import { readPageFacts } from './client/page-facts.ts'
import { Page } from './shell.tsx'
import { type App, AppContext } from './stores/app-context.ts'
import { createClock } from './stores/clock.ts'
import { createFleet } from './stores/fleet.ts'
import { createNotices } from './stores/notices.ts'
import { createRouter } from './stores/router.ts'
import { createTheme } from './stores/theme.ts'

const theme = createTheme(document.documentElement)
const facts = readPageFacts(document)
const router = createRouter(facts.prefix)
const { prefix } = facts
const atLogin = router.route.value.view === 'login'

const client = createClient({
  prefix,
  token: facts.token,
  async freshToken() {
    const response = await fetch(`${prefix}/`, { redirect: 'manual' })
    if (!response.ok) return undefined
    return readPageFacts(new DOMParser().parseFromString(await response.text(), 'text/html')).token
  },
  onSignedOut() {
    if (atLogin) return
    const here = `${location.pathname.slice(prefix.length)}${location.search}`
    location.assign(`${prefix}/login?next=${encodeURIComponent(here)}`)
  },
})

const me = signal<Me | undefined>(undefined)
const notices = createNotices()
const app: App = {
  facts,
  client,
  router,
  theme,
  notices,
  me,
  now: createClock(),
  fleet: createFleet(client, !atLogin),
  async logout() {
    try {
      await client.signOut()
      location.assign(`${prefix}/login`)
    } catch (error) {
      notices.failed(error)
    }
  },
}
if (!atLogin) void client.get<Me>('/api/auth/me').then((answer) => (me.value = answer), notices.failed)

const root = document.getElementById('app')
if (root === null) throw new Error('index.html has no #app')
render(
  <AppContext.Provider value={app}>
    <Page />
  </AppContext.Provider>,
  root,
)
