// HERMES_DASHBOARD_ALLOWED_USERS, tried by users who may choose their address or their subject at the provider.
import { expect, test } from 'vitest'
import { startContainer } from '../../support/container/container.ts'
import { askHttp, cookieHeader, type DashboardAnswer } from '../../support/dashboard/dashboard.ts'
import { CLIENT, startIdentityProvider } from '../../support/dashboard/identity-provider.ts'
import { freePort } from '../../support/port.ts'
import { waitFor } from '../../support/wait.ts'

const ADDRESS = 'me@example.com'
const STRANGERS = {
  // Some providers say nothing about that, and let each organisation choose its users' addresses.
  silent: { email: ADDRESS },
  unverified: { email: ADDRESS, email_verified: false },
  quoted: { email: ADDRESS, email_verified: 'true' },
  [ADDRESS]: {},
}

test('an address on the list lets in only the user whose address the provider confirms: no other claim, no such subject', async () => {
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  await using provider = await startIdentityProvider({
    redirectUri: `${origin}/auth/callback`,
    accounts: { ...STRANGERS, owner: { email: ADDRESS, email_verified: true } },
  })
  await using box = await startContainer({
    // The provider listens on the loopback of this machine.
    network: 'host',
    env: {
      HERMES_DASHBOARD: '1',
      HERMES_DASHBOARD_PORT: String(port),
      HERMES_DASHBOARD_OIDC_ISSUER: provider.issuer,
      HERMES_DASHBOARD_OAUTH_CLIENT_ID: CLIENT.id,
      HERMES_DASHBOARD_OAUTH_CLIENT_SECRET: CLIENT.secret,
      HERMES_DASHBOARD_ALLOWED_USERS: ADDRESS,
    },
  })
  await waitFor('the dashboard to answer', async () => (await askHttp(port, '/api/status')).code === 200)
  const signIn = async (account: string): Promise<DashboardAnswer> => {
    const begun = await askHttp(port, '/auth/login?provider=nous')
    const back = await provider.signIn(begun.headers.location ?? '', account)
    return askHttp(port, back.replace(origin, ''), { headers: { cookie: cookieHeader(begun.cookies()) } })
  }
  for (const account of Object.keys(STRANGERS)) {
    const { code, cookies } = await signIn(account)
    expect([account, code, Object.keys(cookies())]).toEqual([account, 403, []])
  }
  expect((await signIn('owner')).cookies()).toHaveProperty('hermes_session_at')
  const refused = (box.file('logs/dashboard-auth.log') ?? '')
    .split('\n')
    .filter((line) => line.includes('"login_refused"'))
  expect(refused).toHaveLength(Object.keys(STRANGERS).length)
})
