import { useComputed } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'
import type { Scope } from './core/rights.ts'
import { profilePath, type Route } from './core/route.ts'
import { Button } from './parts/button.tsx'
import { Empty } from './parts/failure.tsx'
import { Icon, type IconName } from './parts/icon.tsx'
import { useInSteps } from './parts/in-steps.ts'
import { StateDot } from './parts/state.tsx'
import { useApp, useMay } from './stores/app-context.ts'
import { gatewaySlot } from './stores/fleet.ts'
import { Audit } from './views/audit.tsx'
import { AwayBanner, InsecureBanner, NoticeList } from './views/banners.tsx'
import { Kanban } from './views/board/kanban.tsx'
import { Boots } from './views/boots.tsx'
import { Login } from './views/login.tsx'
import { NodeGateway } from './views/nodes/node-gateway.tsx'
import { Nodes } from './views/nodes/nodes.tsx'
import { Overview } from './views/overview/overview.tsx'
import { ProfilePage } from './views/profile/profile.tsx'
import { Terminal } from './views/terminal.tsx'
import { Usage } from './views/usage.tsx'

const PLACES: readonly {
  readonly view: Route['view']
  readonly path: string
  readonly title: string
  readonly icon: IconName
  /** Default: read. */
  readonly needs?: Scope
}[] = [
  { view: 'overview', path: '/', title: 'Overview', icon: 'overview' },
  { view: 'kanban', path: '/kanban', title: 'Kanban', icon: 'board' },
  { view: 'boots', path: '/boots', title: 'Boots', icon: 'boots' },
  { view: 'audit', path: '/audit', title: 'Audit log', icon: 'audit', needs: 'operate' },
  { view: 'usage', path: '/usage', title: 'Usage', icon: 'usage' },
  { view: 'nodes', path: '/nodes', title: 'Nodes', icon: 'nodes' },
  { view: 'terminal', path: '/terminal', title: 'Terminal', icon: 'terminal', needs: 'admin' },
]

export function Page() {
  const { router, facts } = useApp()
  const route = router.route.value
  useEffect(() => {
    const place = PLACES.find(({ view }) => view === route.view)
    const here = 'name' in route ? route.name : (place?.title ?? 'Log in')
    document.title = [here, ...(facts.host === undefined ? [] : [facts.host]), 'hermes'].join(' · ')
  }, [route])
  if (route.view === 'login')
    return (
      <>
        <InsecureBanner />
        <Login />
      </>
    )
  return (
    <Shell route={route}>
      {route.view === 'terminal' && !facts.terminal ? <NoTerminal /> : <View route={route} />}
    </Shell>
  )
}

const NoTerminal = () => (
  <Empty
    title="The terminal is off"
    hint="Set HERMES_DASHBOARD_TUI=1 to enable it at the next start of the dashboard."
  />
)

/** A view whose requests would all be refused says so instead. */
function View({ route }: { readonly route: Route }) {
  const { needs = 'read' } = PLACES.find(({ view }) => view === route.view) ?? {}
  if (!useMay()(needs)) return <Empty title="This page needs another role" hint="Ask the operator for it." />
  switch (route.view) {
    case 'overview':
      return <Overview />
    case 'profile':
      return <ProfilePage key={route.name} name={route.name} tab={route.tab} until={route.until} />
    case 'kanban':
      return <Kanban />
    case 'boots':
      return <Boots />
    case 'audit':
      return <Audit />
    case 'usage':
      return <Usage />
    case 'nodes':
      return <Nodes />
    case 'node-gateway':
      return <NodeGateway key={`${route.node}/${route.name}`} node={route.node} name={route.name} />
    case 'terminal':
      return <Terminal />
    default:
      return <Empty title="Page not found" hint="Choose a page from the navigation." />
  }
}

function Shell({ route, children }: { readonly route: Route; readonly children: ComponentChildren }) {
  const { facts, router, fleet } = useApp()
  const may = useMay()
  // Its slot is there if a profile has a budget, or has had one.
  const isMetered = useComputed(() => fleet.slots.value.has('meter')).value
  const isHere: Partial<Record<Route['view'], boolean>> = {
    terminal: facts.terminal,
    nodes: facts.nodes,
    usage: isMetered,
  }
  const places = PLACES.filter(({ view, needs = 'read' }) => may(needs) && isHere[view] !== false)
  return (
    <div class="shell">
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        Skip to the content
      </button>
      <nav class="side" aria-label="Dashboard">
        <a class="brand" href={router.href('/')} data-view>
          <span class="brand-mark" aria-hidden="true" />
          hermes
        </a>
        <ul class="places">
          {places.map(({ view, path, title, icon }) => (
            <li key={view}>
              <a href={router.href(path)} data-view aria-current={route.view === view ? 'page' : undefined}>
                <Icon name={icon} />
                <span>{title}</span>
              </a>
            </li>
          ))}
        </ul>
        <ProfileLinks current={route.view === 'profile' ? route.name : undefined} />
        <Foot />
      </nav>
      <div class="content">
        <InsecureBanner />
        <AwayBanner />
        <main id="main" tabIndex={-1}>
          {children}
        </main>
      </div>
      <NoticeList />
    </div>
  )
}

function ProfileLinks({ current }: { readonly current: string | undefined }) {
  const { fleet } = useApp()
  const profiles = fleet.profiles.value ?? []
  const drawn = useInSteps(profiles.length)
  return (
    <div class="profile-links">
      <h2>Profiles</h2>
      <ul aria-busy={drawn < profiles.length}>
        {profiles.slice(0, drawn).map(({ name }) => (
          <li key={name}>
            <ProfileLink name={name} current={name === current} />
          </li>
        ))}
      </ul>
    </div>
  )
}

function ProfileLink({ name, current }: { readonly name: string; readonly current: boolean }) {
  const { fleet, router } = useApp()
  const slot = useComputed(() => fleet.slots.value.get(gatewaySlot(name))).value
  return (
    <a href={router.href(profilePath(name))} data-view aria-current={current ? 'page' : undefined}>
      <StateDot slot={slot} />
      <span>{name}</span>
    </a>
  )
}

function Foot() {
  const { fleet, theme, me, logout, facts } = useApp()
  const choice = theme.choice.value
  const { state } = fleet.connection.value
  const user = me.value?.user
  return (
    <div class="foot">
      <span class={`live ${state}`}>{state === 'live' ? 'live' : state === 'away' ? 'away' : 'connecting'}</span>
      <Button
        icon={choice}
        label={`Theme: ${choice === 'auto' ? "the system's" : choice}`}
        tone="quiet"
        onClick={() => theme.next()}
      />
      {user != null && <Button icon="leave" label={`Log out ${user}`} tone="quiet" onClick={() => void logout()} />}
      <p class="build muted" title={facts.build}>
        {facts.licenses !== undefined && (
          <a class="muted" href={facts.licenses} target="_blank" rel="noreferrer">
            Licences
          </a>
        )}
        <span class="mono">
          {fleet.supervisor.value?.version}
          {facts.build !== undefined && ` (${facts.build.split(',')[0]})`}
        </span>
      </p>
    </div>
  )
}
