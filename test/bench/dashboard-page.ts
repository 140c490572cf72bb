/** The dashboard's page in a real Chromium: how soon it is there, how soon it knows, and how it keeps up with a log. */
import { dirname, join } from 'node:path'
import type { Browser } from 'playwright-core'
import { launchChromium, Tab } from '../browser/browser.ts'
import { whyNoBrowser } from '../support/dashboard/browser.ts'
import { type RunningDashboard, startDashboard } from '../support/dashboard/dashboard.ts'
import { type RunningHermes, startHermes } from '../support/hermes.ts'
import { cell, type Effort, type Row } from './row.ts'
import { median, quantile } from './statistics.ts'

const WRITER = join(dirname(import.meta.dirname), 'support', 'programs', 'thousand-lines.cjs')
const LONG_S = 300
const DIES = { command: ['sleep', '100000'], ready_after: '50ms', restart_delay: { first: '50ms', max: '50ms' } }

/** @param install tree with bin/ and lib/ */
export async function dashboardPage(install: string, { quick, long, say }: Effort): Promise<Row[]> {
  const why = whyNoBrowser()
  if (why !== undefined) {
    say(`left out the dashboard's page: ${why}`)
    return []
  }
  say("the dashboard's page")
  await using hermes = await startHermes({
    install,
    profiles: [
      { name: 'dies', gateway: DIES },
      { name: 'writes', gateway: { command: [process.execPath, WRITER, 'writes'] } },
    ],
  })
  await using dashboard = await startDashboard(hermes, { install })
  const browser = await launchChromium()
  try {
    const first = await firstViews(browser, dashboard, quick ? 2 : 10)
    const known = await deathsSeen(browser, dashboard, hermes, quick ? 2 : 10)
    const seconds = long ? LONG_S : quick ? 3 : 15
    say(`following a log for ${seconds} s`)
    const { frames, heapMb } = await followedLog(browser, dashboard, seconds)
    const ours = (samples: readonly number[]): Row['cells'] => ({ hermes: cell(samples) })
    return [
      ...(await manyProfiles(browser, install, quick)),
      { title: 'page: first paint on localhost', unit: 'ms', budget: 300, cells: ours(first.paintMs) },
      { title: 'page: first view, as it is sent', unit: 'kB', budget: 150, cells: ours(first.kilobytes) },
      { title: 'page: process killed → its death is seen', unit: 'ms', budget: 200, cells: ours(known) },
      {
        title: 'page: frames while 1,000 lines/s come, median',
        unit: 'ms',
        budget: null,
        cells: ours([quantile(frames, 0.5)]),
      },
      { title: 'page: likewise, p99', unit: 'ms', budget: null, cells: ours([quantile(frames, 0.99)]) },
      { title: `page: its heap after ${seconds} s of that`, unit: 'MB', budget: null, cells: ours([heapMb]) },
    ]
  } finally {
    await browser.close()
  }
}

async function manyProfiles(browser: Browser, install: string, quick: boolean): Promise<Row[]> {
  const profiles = quick ? 50 : 1000
  const { paintMs, rowsMs, drawingMs, drawnMs } = await overviewTimes(browser, install, profiles, quick ? 2 : 5)
  const what = `page: overview of ${profiles} profiles`
  const row = (title: string, budget: number, samples: readonly number[]): Row => ({
    title: `${what}: ${title}`,
    unit: 'ms',
    budget,
    cells: { hermes: cell(samples) },
  })
  return [
    row('first paint', 500, paintMs),
    row('first rows painted', 500, rowsMs),
    row('process killed → its death is painted, while the rows are drawn', 200, drawingMs),
    row('the same, once they are drawn', 200, drawnMs),
  ]
}

/** One figure of each kind, for a build beside another one. @param install tree with bin/ and lib/ */
export async function overviewOnce(install: string, profiles: number) {
  const browser = await launchChromium()
  try {
    const { paintMs, rowsMs, drawnMs } = await overviewTimes(browser, install, profiles, 3)
    return { paint: median(paintMs), rows: median(rowsMs), drawn: median(drawnMs) }
  } finally {
    await browser.close()
  }
}

/** The overview of a thousand profiles: one that dies, the others stopped. */
async function overviewTimes(browser: Browser, install: string, profiles: number, rounds: number) {
  await using hermes = await startHermes({
    install,
    profiles: [
      { name: 'dies', gateway: DIES },
      ...Array.from({ length: profiles - 2 }, (_, index) => ({
        name: `stopped-${index}`,
        gateway: { command: ['sleep', '100000'] },
        desired: 'stopped' as const,
      })),
    ],
  })
  await using dashboard = await startDashboard(hermes, { install })
  const { paintMs, rowsMs } = await firstViews(browser, dashboard, rounds)
  const drawingMs: number[] = []
  for (let round = 0; round < rounds; round++) drawingMs.push(...(await deathsSeen(browser, dashboard, hermes, 1)))
  const drawnMs = await deathsSeen(browser, dashboard, hermes, rounds, profiles)
  return { paintMs, rowsMs, drawingMs, drawnMs }
}

/** Each in a context of its own, so with empty caches. */
async function firstViews(browser: Browser, { origin }: RunningDashboard, rounds: number) {
  const paintMs: number[] = []
  const rowsMs: number[] = []
  const kilobytes: number[] = []
  for (let round = 0; round < rounds; round++) {
    await using tab = await Tab.open(browser, origin)
    // Runs before the page's own code. After a frame's callbacks comes its paint, and then the next task.
    await tab.page.addInitScript(`
      window.rowsPainted = new Promise((resolve) => {
        new MutationObserver((_, observer) => {
          if (document.querySelector('.slot[data-slot^=gateway-]') === null) return
          observer.disconnect()
          requestAnimationFrame(() => setTimeout(() => resolve(performance.now())))
        }).observe(document, { subtree: true, childList: true })
      })
      // Chromium adds the entry only once the frame is on the screen: after the rows, on a slow machine.
      window.firstPaint = new Promise((resolve) => {
        new PerformanceObserver((list) => {
          const [entry] = list.getEntriesByName('first-contentful-paint')
          if (entry !== undefined) resolve(entry.startTime)
        }).observe({ type: 'paint', buffered: true })
      })`)
    await tab.page.goto('/', { waitUntil: 'commit' })
    rowsMs.push(Number(await tab.page.evaluate('window.rowsPainted')))
    paintMs.push(Number(await tab.page.evaluate('window.firstPaint')))
    await tab.page.waitForLoadState()
    const bytes = await tab.page.evaluate(`
      [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
        .filter(({ name }) => !name.includes('/api/'))
        .reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)`)
    kilobytes.push(Number(bytes) / 1000)
  }
  return { paintMs, rowsMs, kilobytes }
}

/**
 * From the kill to the frame that shows the death, both by the machine's clock.
 * @param drawn rows that are in the document before
 */
async function deathsSeen(
  browser: Browser,
  { origin }: RunningDashboard,
  hermes: RunningHermes,
  rounds: number,
  drawn = 1,
) {
  await using tab = await Tab.open(browser, origin)
  await tab.page.goto('/', { waitUntil: 'commit' })
  await tab.page
    .locator('.slot')
    .nth(drawn - 1)
    .waitFor({ state: 'attached' })
  await tab.page.locator('[data-slot="gateway-dies"] .state.up').waitFor()
  const tookMs: number[] = []
  for (let round = 0; round < rounds; round++) {
    const pid = (await hermes.slot('gateway-dies'))?.pid
    if (pid === undefined) throw new Error('gateway-dies does not run')
    await tab.page.evaluate(`
      window.seen = new Promise((resolve) => {
        const row = document.querySelector('[data-slot="gateway-dies"]')
        const death = () => row.querySelector('.slot-death time')?.dateTime
        const before = death()
        const painted = () => requestAnimationFrame(() => setTimeout(() => resolve(Date.now())))
        new MutationObserver(() => { if (death() !== before) painted() })
          .observe(row, { subtree: true, childList: true, attributes: true, characterData: true })
      })
      undefined`)
    const killedAt = Date.now()
    process.kill(pid, 'SIGKILL')
    tookMs.push(Number(await tab.page.evaluate('window.seen')) - killedAt)
    await tab.page.locator('[data-slot="gateway-dies"] .state.up').waitFor()
  }
  return tookMs
}

/** Times between the frames that were drawn while the log was followed; ms. */
async function followedLog(browser: Browser, { origin }: RunningDashboard, seconds: number) {
  await using tab = await Tab.open(browser, origin)
  await tab.page.goto('/profiles/writes')
  await tab.page.locator('.log-row').first().waitFor()
  const frames = (await tab.page.evaluate(`
    new Promise((resolve) => {
      const frames = []
      const end = performance.now() + ${seconds * 1000}
      const turn = (before) => requestAnimationFrame((now) => {
        frames.push(now - before)
        if (now < end) turn(now)
        else resolve(frames)
      })
      requestAnimationFrame(turn)
    })`)) as number[]
  const session = await tab.page.context().newCDPSession(tab.page)
  await session.send('HeapProfiler.collectGarbage')
  const { usedSize } = await session.send('Runtime.getHeapUsage')
  return { frames, heapMb: usedSize / 1e6 }
}
