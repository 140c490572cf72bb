import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { waitFor } from '../support/wait.ts'
import type { Tab } from './browser.ts'
import { allJumps, watchJumps } from './jumps.ts'
import { openScene, PROGRAMS, type Scene } from './scene.ts'

const MAX_LINES = 20_000
/** Rows of a viewport of 800 px with what is drawn around it; far below what is held. */
const MOST_ROWS = 250

const writer = join(PROGRAMS, 'thousand-lines.cjs')
const writes = (name: string, rate: number, desired: 'running' | 'stopped' = 'running') => ({
  name,
  desired,
  gateway: { command: [process.execPath, writer, name, String(rate)], ready_after: '50ms' },
})

const SAYS_ONE_LINE = 'until [ -e go ]; do sleep 0.05; done; echo the one line; exec sleep 100000'

let scene: Scene
beforeAll(async () => {
  scene = await openScene({
    profiles: [
      writes('steady', 1_000),
      writes('flood', 400_000, 'stopped'),
      { name: 'quiet', desired: 'stopped', gateway: { command: ['sleep', '100000'] } },
      { name: 'one-line', gateway: { command: ['sh', '-c', SAYS_ONE_LINE] } },
    ],
  })
})
afterAll(() => scene[Symbol.asyncDispose]())

/** Writes a gateway's earlier log: numbered lines, one of them an error. */
function writeLog(profile: string, count: number): void {
  const directory = join(scene.hermes.home, 'logs', 'gateways', profile)
  mkdirSync(directory, { recursive: true })
  const line = (n: number): string => `2026-11-22T12:15:18.810Z ${n === 1_234 ? 'ERROR ' : ''}entry ${n}\n`
  writeFileSync(join(directory, 'current'), Array.from({ length: count }, (_, index) => line(index + 1)).join(''))
}

const held = async (tab: Tab): Promise<number> =>
  Number(/([\d,]+) lines?/.exec((await tab.page.locator('.log-count').textContent()) ?? '')?.[1]?.replaceAll(',', ''))
const rows = (tab: Tab) => tab.page.locator('.log-row')
/** Texts of the lines that are seen, not of those that are only drawn. */
const visible = (tab: Tab): Promise<string[]> =>
  tab.page.locator('.log-lines').evaluate((box) => {
    const { top, bottom } = box.getBoundingClientRect()
    return [...box.querySelectorAll('.log-row')]
      .filter((row) => row.getBoundingClientRect().top >= top - 1 && row.getBoundingClientRect().bottom <= bottom + 1)
      .map((row) => row.textContent)
  })

/** Turns the wheel until the view is held: a browser ignores it over a box that it has not drawn yet. */
const wheelUp = ({ page }: Tab, px: number): Promise<unknown> =>
  waitFor('the view to be held', async () => {
    await page.mouse.wheel(0, -px)
    return page.getByRole('button', { name: /^Follow/ }).isVisible()
  })

test.each([
  ['what a profile is', /\/api\/profiles\/steady$/],
  ['what runs', /\/api\/(events|profiles)$/],
  ['both', /\/api\/(events|profiles|profiles\/steady)$/],
])('%s leaves the rest of the page where it is when it comes late', async (_, late) => {
  await using tab = await scene.at('/')
  const { page } = tab
  const { promise: wait, resolve: answer } = Promise.withResolvers<void>()
  await page.route(late, async (route) => {
    await wait
    await route.continue()
  })
  // No click: what moves shortly after one does not count.
  await page.goto('/profiles/steady')
  await rows(tab).first().waitFor()
  await watchJumps(tab)
  answer()
  await tab.sees('.facts', 'Pid')
  await tab.sees('.facts', '/profiles/steady')
  await tab.sees('.foot .build', /\d+\.\d+/)
  expect(await allJumps(tab)).toEqual([])
})

describe('while a thousand lines come each second', () => {
  test('the page follows, stays usable and bounded, and nothing on it jumps', async () => {
    await using tab = await scene.at('/profiles/steady')
    const { page } = tab
    await rows(tab).first().waitFor()
    await watchJumps(tab)

    // It follows: the last line drawn is a new one again and again.
    const last = () => rows(tab).last().locator('span').textContent()
    const seen = new Set<string | null>()
    await waitFor('ten different last lines', async () => seen.add(await last()).size >= 10)

    // Held, what is read stays where it is, and what comes is counted.
    await page.getByRole('button', { name: /^Pause/ }).click()
    const read = await visible(tab)
    await tab.sees('.behind', /[\d,]{4,} new lines/)
    expect(await visible(tab)).toEqual(read)
    await tab.screenshot('log-held')
    await page.getByRole('button', { name: /^Follow/ }).click()

    // Other parts of the page answer, and the log is there again afterwards.
    await page.getByRole('link', { name: 'Deaths' }).click()
    await tab.sees('.empty', 'It has not died yet')
    await page.getByRole('link', { name: 'Log', exact: true }).click()
    await rows(tab).first().waitFor()

    // The bound.
    await waitFor('the buffer to be full', async () => (await held(tab)) === MAX_LINES, { deadlineMs: 90_000 })
    const full = await last()
    await waitFor('lines beyond the bound', async () => (await last()) !== full)
    expect(await held(tab)).toBe(MAX_LINES)
    expect(await rows(tab).count()).toBeLessThan(MOST_ROWS)
    expect(await page.evaluate(() => document.querySelectorAll('*').length)).toBeLessThan(2_000)
    await tab.screenshot('log-full')
    expect(await allJumps(tab)).toEqual([])
    expect(tab.complaints).toEqual([])
    expect(tab.strangers()).toEqual([])
  })

  test('scrolling up holds the view, while lines are still added at the end', async () => {
    await using tab = await scene.at('/profiles/steady')
    const { page } = tab
    await waitFor('some lines', async () => (await held(tab)) > 1_000)
    await page.locator('.log-lines').hover()
    await wheelUp(tab, 600)
    const read = await visible(tab)
    await tab.sees('.behind', /[\d,]{3,} new lines/)
    expect(await visible(tab)).toEqual(read)
    await page.locator('.log-lines').focus()
    await page.keyboard.press('End')
    await page.getByRole('button', { name: /^Pause/ }).waitFor()
    await page.locator('.log-lines').hover()
    await wheelUp(tab, 600)
    await waitFor('the end to be reached', async () => {
      await page.mouse.wheel(0, 100_000)
      return page.getByRole('button', { name: /^Pause/ }).isVisible()
    })
  })
})

test('a log that is written faster than a page can show it says how many lines were missed', async () => {
  await using tab = await scene.at('/profiles/flood')
  await tab.sees('.log-count', 'live')
  await watchJumps(tab, '.log-controls')
  await scene.command('-p', 'flood', 'gateway', 'start')
  await tab.sees('.missed', /[\d,]+ lines? missed/)
  await scene.command('-p', 'flood', 'gateway', 'stop')
  expect(await allJumps(tab)).toEqual([])
  // The places are marked; a filter that nothing passes leaves only them.
  await tab.page.getByLabel('Search the log').fill('no such text')
  await tab.sees('.log-row.gap', /[\d,]+ lines? missed/)
  await tab.screenshot('log-missed')
  expect(tab.complaints).toEqual([])
})

test('a line that comes while the log is held is counted, and nothing moves for that', async () => {
  await using tab = await scene.at('/profiles/one-line')
  await tab.sees('.log-count', 'live')
  await watchJumps(tab, '.log-controls')
  await tab.page.getByRole('button', { name: /^Pause/ }).click()
  // A browser expects something to move for half a second after a click.
  const heldAtMs = performance.now()
  await waitFor('the click to be forgotten', () => performance.now() - heldAtMs > 1_000)
  writeFileSync(join(scene.hermes.home, 'profiles', 'one-line', 'go'), '')
  await tab.sees('.behind', '1 new line')
  expect(await allJumps(tab)).toEqual([])
})

describe('a long log without a writer', () => {
  test('is loaded upwards as far as it goes, and the view does not move by that', async () => {
    writeLog('quiet', 3_000)
    await using tab = await scene.at('/profiles/quiet')
    const { page } = tab
    await tab.sees('.log-row', 'entry 3000')
    expect(await held(tab)).toBe(500)
    const box = page.locator('.log-lines')
    await box.hover()
    await wheelUp(tab, 1_000)
    while ((await held(tab)) < 3_000) {
      const before = await held(tab)
      await box.evaluate((element) => {
        element.scrollTop = 3 * 20
      })
      await waitFor('an older page', async () => (await held(tab)) > before)
      // The fourth line of those that were there is still the first one that is seen: the older ones are above it.
      await waitFor('the view to stay', async () => (await visible(tab))[0]?.endsWith(`entry ${3_000 - before + 4}`))
    }
    await box.evaluate((element) => {
      element.scrollTop = 0
    })
    await page.locator('.log-row', { hasText: /entry 1$/ }).waitFor()
    // A way down that does not lead to the end leaves the view where it is.
    await box.evaluate((element) => {
      element.scrollTop = 1_000 * 20
    })
    await waitFor('the middle', async () => (await visible(tab))[0]?.endsWith('entry 1001'))
    await page.getByRole('button', { name: /^Follow/ }).waitFor()
    expect(await held(tab)).toBe(3_000)
  })

  test('is held by scrolling up, also when it is drawn again before the browser reports the scrolling', async () => {
    writeLog('quiet', 3_000)
    await using tab = await scene.at('/profiles/quiet')
    await tab.sees('.log-row', 'entry 3000')
    await tab.page.evaluate(() => {
      const box = document.querySelector('.log-lines') as HTMLElement
      const search = document.querySelector('.log-controls input') as HTMLInputElement
      box.scrollTop -= 1_000
      search.value = 'entry'
      search.dispatchEvent(new InputEvent('input', { bubbles: true }))
    })
    await tab.page.getByRole('button', { name: /^Follow/ }).waitFor()
    // 1,000 px are 50 rows.
    expect((await visible(tab)).at(-1)).toMatch(/entry 2950$/)
  })

  test('is filtered by text and level, and searched to its beginning', async () => {
    writeLog('quiet', 3_000)
    await using tab = await scene.at('/profiles/quiet')
    const { page } = tab
    await tab.sees('.log-row', 'entry 3000')
    // Loaded lines only: 2500 to 3000.
    await page.keyboard.press('/')
    await page.keyboard.type('ENTRY 299')
    await tab.sees('.log-count', '10 of 500 lines')
    expect(await rows(tab).locator('mark').count()).toBe(10)
    // The whole log: 299, and 2990 to 2999.
    await page.keyboard.press('Enter')
    await tab.sees('.log-count', '11 hits for “ENTRY 299”')
    await tab.sees('.log-row', /entry 299$/)
    await tab.screenshot('log-search')
    await page.keyboard.press('Escape')
    await tab.sees('.log-count', '500 lines')
    await page.getByLabel('Search the log').fill('entry 1234')
    await page.keyboard.press('Enter')
    await tab.sees('.log-row.error', 'entry 1234')
    await page.keyboard.press('Escape')
    await page.getByLabel('Minimum level shown').selectOption('error')
    await tab.sees('.log-count', '0 of 500 lines')
  })

  test('shows a line whole when it is chosen', async () => {
    writeLog('quiet', 10)
    const long = `long ${'x'.repeat(5_000)} end`
    appendFileSync(
      join(scene.hermes.home, 'logs', 'gateways', 'quiet', 'current'),
      `2026-11-22T12:15:19.000Z ${long}\n`,
    )
    await using tab = await scene.at('/profiles/quiet')
    await tab.sees('.log-row em', '3,009 more characters')
    await rows(tab).last().click()
    expect(await tab.page.locator('.log-line-whole pre').textContent()).toBe(long)
  })
})
