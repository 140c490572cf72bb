/** A real run with a real dashboard before a real browser. */
import { dirname, join } from 'node:path'
import type { Browser, BrowserContextOptions } from 'playwright-core'
import { hermes as hermesCommand, type Ran } from '../support/cli.ts'
import { password, type RunningDashboard, startDashboard } from '../support/dashboard/dashboard.ts'
import { type RunningHermes, startHermes, type TestProfile } from '../support/hermes.ts'
import { within } from '../support/wait.ts'
import { launchChromium, Tab } from './browser.ts'

export const PROGRAMS = join(dirname(import.meta.dirname), 'support', 'programs')

export interface Scene extends AsyncDisposable {
  readonly hermes: RunningHermes
  readonly dashboard: RunningDashboard
  readonly browser: Browser
  /** A tab without a signed-in user. */
  tab(options?: BrowserContextOptions): Promise<Tab>
  /** A tab that is signed in (where that is needed) and shows this path. */
  at(path: string, options?: BrowserContextOptions): Promise<Tab>
  readonly home: string
  /** `hermes …` in the same home. */
  command(...args: string[]): Promise<Ran>
}

/** @param env of the dashboard; default: log-in by password, on every address */
export async function openScene(options: {
  readonly profiles: readonly TestProfile[]
  readonly env?: Readonly<Record<string, string>>
  readonly args?: readonly string[]
}): Promise<Scene> {
  await using made = new AsyncDisposableStack()
  const hermes = made.use(await startHermes({ profiles: options.profiles }))
  const dashboard = made.use(
    await startDashboard(hermes, {
      args: options.args ?? ['--host', '0.0.0.0'],
      env: options.env ?? password,
    }),
  )
  const browser = await launchChromium()
  // Named, so that an end that does not come says whose it is.
  made.defer(() => within('the browser to close', browser.close()))
  const gated = options.args === undefined
  let cookies: Awaited<ReturnType<typeof signIn>> | undefined
  const all = made.move()
  return {
    hermes,
    dashboard,
    browser,
    tab: (more = {}) => Tab.open(browser, dashboard.origin, more),
    async at(path, more = {}) {
      if (gated) cookies ??= await signIn(browser, dashboard.origin)
      const tab = await Tab.open(browser, dashboard.origin, {
        ...more,
        ...(cookies && { storageState: { cookies, origins: [] } }),
      })
      await tab.page.goto(path)
      return tab
    },
    home: hermes.home,
    command: (...args) => hermesCommand(args, { home: hermes.home }),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

/** Once for all tabs: log-ins are limited to ten a minute. */
async function signIn(browser: Browser, origin: string) {
  await using tab = await Tab.open(browser, origin)
  await logIn(tab, '/')
  return await tab.page.context().cookies()
}

/** By the form, as a person does. */
export async function logIn(tab: Tab, path: string): Promise<void> {
  const { page } = tab
  await page.goto(path)
  await page.getByLabel('Name').fill(password.HERMES_DASHBOARD_BASIC_AUTH_USERNAME)
  await page.getByLabel('Password').fill(password.HERMES_DASHBOARD_BASIC_AUTH_PASSWORD)
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.locator('.shell').waitFor()
}
