import { createServer, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { password, startDashboard } from '../support/dashboard/dashboard.ts'
import { startHermes } from '../support/hermes.ts'
import { freePort } from '../support/port.ts'
import { launchChromium, Tab } from './browser.ts'
import { logIn } from './scene.ts'

/** A proxy that has the dashboard below `/hermes/`, and takes that off before it asks. */
async function proxyTo(port: number, ownPort: number): Promise<AsyncDisposable> {
  const server = createServer((incoming, outgoing) => {
    const { url = '', method, headers } = incoming
    if (!url.startsWith('/hermes/')) return outgoing.writeHead(404).end('not the dashboard')
    const asked = request({ port, method, headers, path: url.slice('/hermes'.length) }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    asked.on('error', () => outgoing.destroy())
    outgoing.on('close', () => asked.destroy())
    return incoming.pipe(asked)
  })
  await new Promise<void>((resolve) => server.listen(ownPort, '127.0.0.1', resolve))
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

test('behind a proxy that has it below a path, every view, link and request stays below it', async () => {
  const outside = await freePort()
  await using hermes = await startHermes({
    profiles: [{ name: 'coder', gateway: { command: ['sh', '-c', 'echo here; exec sleep 100000'] } }],
  })
  await using dashboard = await startDashboard(hermes, {
    args: ['--host', '0.0.0.0'],
    env: { ...password, HERMES_DASHBOARD_PUBLIC_URL: `http://127.0.0.1:${outside}/hermes` },
  })
  await using _proxy = await proxyTo(dashboard.port, outside)
  const browser = await launchChromium()
  try {
    await using tab = await Tab.open(browser, `http://127.0.0.1:${outside}`)
    const { page } = tab
    await logIn(tab, '/hermes/kanban')
    await tab.sees('h1', 'Kanban')
    await page.getByRole('link', { name: 'coder' }).click()
    await tab.sees('.log-row', 'here')
    expect(new URL(page.url()).pathname).toBe('/hermes/profiles/coder')
    await page.reload()
    await tab.sees('.log-row', 'here')
    await page.goBack()
    await tab.sees('h1', 'Kanban')
    // The next page comes slowly: what the one that is left would still ask is refused, and leads to a log-in that
    // returns here.
    await page.route('**/login*', async (route) => {
      await delay(1000)
      await route.continue()
    })
    await page.getByRole('button', { name: /Log out/ }).click()
    await page.getByRole('button', { name: 'Log in' }).waitFor()
    expect(page.url()).toBe(`http://127.0.0.1:${outside}/hermes/login`)
    const paths = tab.requests.map((url) => new URL(url).pathname)
    expect(paths.filter((path) => !path.startsWith('/hermes/'))).toEqual([])
    expect(tab.complaints).toEqual([])
  } finally {
    await browser.close()
  }
})
