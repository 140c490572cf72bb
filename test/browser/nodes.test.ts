// The page's view of the nodes, on two nodes with one database.
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type TwoNodes, twoNodes } from '../support/kanban/nodes.ts'
import { whyNoPostgres } from '../support/kanban/postgres.ts'
import { waitFor, within } from '../support/wait.ts'
import { launchChromium, Tab } from './browser.ts'
import { violations } from './violations.ts'

const why = whyNoPostgres()
const PHONE = { width: 360, height: 740 }

describe.skipIf(why !== undefined)(`the nodes on the page (${why ?? 'a server of our own'})`, () => {
  let nodes: TwoNodes
  let browser: Browser
  beforeAll(async () => {
    nodes = await twoNodes()
    browser = await launchChromium()
  }, 300_000)
  afterAll(async () => {
    await within('the browser to close', browser.close())
    await nodes[Symbol.asyncDispose]()
  })
  const at = async (path: string, options = {}): Promise<Tab> => {
    const tab = await Tab.open(browser, nodes.h1.url, options)
    await tab.page.goto(path)
    return tab
  }

  test('both are there with state and version, and each gateway with its own', async () => {
    await using tab = await at('/')
    await tab.page.getByRole('link', { name: 'Nodes' }).click()
    await tab.sees('[data-node=h1] .tag', /^here$/)
    await tab.sees('[data-node=h2] .tag', /^up$/)
    await tab.sees('[data-node=h1] [data-gateway=coder] .state', 'up')
    await tab.sees('[data-node=h2] [data-gateway=writer] .state', 'up')
    await tab.sees('[data-node=h2] header', '2 profiles on the board')
    await tab.screenshot('nodes')
    expect(await violations(tab)).toEqual([])
    expect(tab.complaints).toEqual([])
    expect(tab.strangers()).toEqual([])
  })

  test('a gateway of the other node is stopped and started with its buttons', async () => {
    await using tab = await at('/nodes')
    const state = async () => (await nodes.h2.hermes.slot('gateway-writer'))?.state
    await tab.page.getByRole('button', { name: 'Stop writer on h2' }).click()
    await waitFor('it to be down', async () => (await state()) === 'down')
    await tab.sees('[data-gateway=writer] .state', 'down')
    await tab.page.getByRole('button', { name: 'Start writer on h2', exact: true }).click()
    await waitFor('it to be up', async () => (await state()) === 'up')
    await tab.sees('[data-gateway=writer] .state', 'up')
    expect(tab.complaints).toEqual([])
  })

  test('the log of a gateway of the other node is shown as it is written', async () => {
    await using tab = await at('/nodes')
    await tab.page.getByRole('link', { name: 'writer' }).click()
    await tab.sees('h1', 'writer')
    const last = async () =>
      Number(/line (\d+)/.exec((await tab.page.locator('.log-row').last().textContent()) ?? '')?.[1])
    const seen = await waitFor('a line', last)
    await waitFor('later lines', async () => (await last()) > seen + 10)
    expect(tab.complaints).toEqual([])
    // None of it came from elsewhere than the dashboard of h1.
    expect(tab.strangers()).toEqual([])
  })

  test('it fits on a phone', async () => {
    await using tab = await at('/nodes', { viewport: PHONE, hasTouch: true, isMobile: true })
    await tab.sees('[data-gateway=writer] .state', 'up')
    await tab.screenshot('nodes-phone')
    const widths = await tab.page.evaluate(() => {
      const main = document.querySelector('main')
      return [document.documentElement.scrollWidth, (main?.scrollWidth ?? 0) - (main?.clientWidth ?? 0)]
    })
    expect(widths).toEqual([PHONE.width, 0])
  })

  test('a node that has ended is shown as such, with what to do', { timeout: 300_000 }, async () => {
    await nodes.h2.hermes.stop()
    await using tab = await at('/nodes')
    await tab.sees(
      '[data-node=h2] [role=alert]',
      /cannot be reached: ECONNREFUSED.*check that its container runs/s,
      60_000,
    )
    await tab.sees('[data-node=h2] .tag', /^lapsed for /, 120_000)
    await tab.screenshot('nodes-lapsed')
    // The other one is as it was.
    await tab.sees('[data-node=h1] [data-gateway=coder] .state', 'up')
  })
})
