import { expect, test } from 'vitest'
import { startDashboard } from '../support/dashboard/dashboard.ts'
import { CLIENT, startIdentityProvider } from '../support/dashboard/identity-provider.ts'
import { startHermes } from '../support/hermes.ts'
import { freePort } from '../support/port.ts'
import { launchChromium, Tab } from './browser.ts'

test('a user logs in at a real identity provider, comes back to the requested page, and logs out again', async () => {
  const port = await freePort()
  await using provider = await startIdentityProvider({
    redirectUri: `http://127.0.0.1:${port}/auth/callback`,
    accounts: { alice: { email: 'alice@example.com', email_verified: true } },
  })
  await using hermes = await startHermes({ profiles: [] })
  await using dashboard = await startDashboard(hermes, {
    args: ['--host', '0.0.0.0'],
    port,
    env: {
      HERMES_DASHBOARD_OAUTH_CLIENT_ID: CLIENT.id,
      HERMES_DASHBOARD_OAUTH_CLIENT_SECRET: CLIENT.secret,
      HERMES_DASHBOARD_OIDC_ISSUER: provider.issuer,
      HERMES_DASHBOARD_PUBLIC_URL: `http://127.0.0.1:${port}`,
    },
  })
  const browser = await launchChromium()
  try {
    await using tab = await Tab.open(browser, dashboard.origin)
    const { page } = tab
    await page.goto('/kanban')
    await page.getByRole('link', { name: 'Continue with nous' }).waitFor()
    await tab.screenshot('login-identity-provider')
    await page.getByRole('link', { name: 'Continue with nous' }).click()
    await page.locator('input[name=login]').fill('alice')
    await page.locator('input[name=password]').fill('any')
    await page.locator('button[type=submit]').click()
    // The consent.
    await page.locator('input[name=prompt][value=consent]').waitFor({ state: 'attached' })
    await page.locator('button[type=submit]').click()
    await tab.sees('h1', 'Kanban')
    expect(new URL(page.url()).pathname).toBe('/kanban')
    await page.getByRole('button', { name: /Log out alice@example.com/ }).click()
    await page.getByRole('link', { name: 'Continue with nous' }).waitFor()
  } finally {
    await browser.close()
  }
})
