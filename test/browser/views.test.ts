import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writePoint } from '../../src/dashboard/history/ring-file.ts'
import { dayOf } from '../../src/meter/budget.ts'
import { openLedger } from '../../src/meter/ledger/ledger.ts'
import { hashPassword } from '../../src/system/password-hash.ts'
import { historyDir, historyFile } from '../../src/system/paths.ts'
import type { Tab } from './browser.ts'
import { openScene, PROGRAMS, type Scene } from './scene.ts'
import { violations } from './violations.ts'

const FIRST_VIEW_BYTES = 150_000
const PHONE = { width: 360, height: 740 }

const sleeps = (name: string) => ({ name, gateway: { command: ['sleep', '100000'], ready_after: '50ms' } })

/** A line with each colour, and a progress bar. */
const COLORS = [
  ...[31, 32, 33, 34, 35, 36, 90].map((code) => `printf '\\033[${code}mcolor '`),
  "printf '\\n10%%\\rdone\\n'",
].join('; ')

let scene: Scene
let task: string
beforeAll(async () => {
  scene = await openScene({
    profiles: [
      sleeps('coder'),
      {
        name: 'chatty',
        gateway: {
          command: ['sh', '-c', `echo INFO one; echo WARN two; ${COLORS}; echo ERROR three; exec sleep 100000`],
        },
      },
      { name: 'parked', gateway: { command: ['sh', '-c', 'echo no key; exit 78'] } },
      { name: 'dies', gateway: { command: ['sh', '-c', 'exit 1'], restart_delay: { first: '30s', max: '60s' } } },
    ],
    env: {
      HERMES_DASHBOARD_TUI: '1',
      HERMES_DASHBOARD_BASIC_AUTH_USERNAME: 'me',
      HERMES_DASHBOARD_BASIC_AUTH_PASSWORD: 'correct horse',
      HERMES_DASHBOARD_BASIC_AUTH_USERS: `eve:viewer:${await hashPassword('of eve')}`,
    },
  })
  const ledger = openLedger(scene.hermes.home, () => undefined)
  ledger.begin({ id: 'one', day: dayOf(Date.now()), profile: 'coder', board: 'default', task: '', model: 'gpt-4o' })
  ledger.note('one', { inputTokens: 1200, cachedTokens: 0, outputTokens: 340 }, 6_400_000)
  ledger.finish('one')
  ledger.close()
  await scene.command('config', 'set', 'kanban.dispatch_in_gateway', 'false')
  const made = await scene.command('kanban', 'create', 'Fix the flaky test', '--assignee', 'coder', '--json')
  task = (JSON.parse(made.stdout) as { id: string }).id
  await scene.command('kanban', 'comment', task, 'Look at the clock first.')
  const attached = await scene.command('kanban', 'attach', task, join(PROGRAMS, 'thousand-lines.cjs'))
  expect([attached.code, attached.stderr]).toEqual([0, ''])
  await scene.command('kanban', 'create', 'An idea', '--triage')
  const routine = ['--cron', '0 9 * * 1-5', '--title', 'Write the report of the day', '--assignee', 'coder']
  await scene.command('kanban', 'routine', 'create', 'daily', ...routine)
})
afterAll(() => scene[Symbol.asyncDispose]())

/** Each view: where it is, what shows that it is there, and what to open in it. */
const VIEWS: readonly { name: string; path: string; ready: string; open?: (tab: Tab) => Promise<void> }[] = [
  { name: 'overview', path: '/', ready: '[data-slot="gateway-parked"] .slot-reason' },
  {
    name: 'new-profile',
    path: '/',
    ready: '.slot',
    open: (tab) => tab.page.getByRole('button', { name: 'New profile' }).click(),
  },
  { name: 'log', path: '/profiles/chatty', ready: '.log-row.error' },
  { name: 'deaths', path: '/profiles/dies?tab=deaths', ready: 'tbody tr' },
  { name: 'sessions', path: '/profiles/coder?tab=sessions', ready: '.empty' },
  { name: 'settings', path: '/profiles/coder?tab=settings', ready: '.code textarea' },
  { name: 'kanban', path: '/kanban', ready: '.card' },
  {
    name: 'task',
    path: '/kanban',
    ready: '.card',
    open: async (tab) => {
      await tab.page.locator(`[data-card=${task}]`).click()
      await tab.page.locator('.task .comments li').waitFor()
    },
  },
  {
    name: 'routines',
    path: '/kanban',
    ready: '.card',
    open: async (tab) => {
      await tab.page.getByRole('button', { name: 'Routines' }).click()
      await tab.page.locator('[data-routine=daily]').waitFor()
    },
  },
  { name: 'usage', path: '/usage', ready: 'tbody tr' },
  { name: 'boots', path: '/boots', ready: 'tbody tr' },
  { name: 'audit', path: '/audit', ready: 'tbody tr' },
  { name: 'terminal', path: '/terminal', ready: '.xterm-rows' },
  { name: 'login', path: '/login', ready: 'form' },
]
const THEMES = ['light', 'dark'] as const

describe.each(THEMES)('in %s colours', (colorScheme) => {
  test.each(VIEWS)('$name has nothing that axe-core finds serious', async ({ name, path, ready, open }) => {
    await using tab = await scene.at(path, { colorScheme })
    await tab.page.locator(ready).first().waitFor()
    await open?.(tab)
    await tab.screenshot(`${name}-${colorScheme}`)
    expect(await violations(tab)).toEqual([])
    expect(tab.complaints).toEqual([])
    expect(tab.strangers()).toEqual([])
  })

  test.each(VIEWS)('$name fits on a phone', async ({ name, path, ready, open }) => {
    await using tab = await scene.at(path, { colorScheme, viewport: PHONE, hasTouch: true, isMobile: true })
    await tab.page.locator(ready).first().waitFor()
    await open?.(tab)
    await tab.screenshot(`${name}-${colorScheme}-phone`)
    const widths = await tab.page.evaluate(() => {
      const main = document.querySelector('main')
      return [document.documentElement.scrollWidth, (main?.scrollWidth ?? 0) - (main?.clientWidth ?? 0)]
    })
    expect(widths).toEqual([PHONE.width, 0])
    expect(tab.complaints).toEqual([])
  })
})

test('axe-core sees a button without a name, so that the other tests can rely on it', async () => {
  await using tab = await scene.at('/')
  await tab.page.locator('.slot').first().waitFor()
  await tab.page.evaluate(() => {
    const button = document.createElement('button')
    document.querySelector('main')?.append(button)
  })
  expect((await violations(tab)).join('\n')).toContain('button-name')
})

test('the theme is the one of the system until one is chosen, and the choice is kept', async () => {
  await using tab = await scene.at('/', { colorScheme: 'dark' })
  const { page } = tab
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)
  await page.locator('.slot').first().waitFor()
  const dark = await background()
  await page.getByRole('button', { name: "Theme: the system's" }).click()
  const light = await background()
  expect(light).not.toBe(dark)
  await page.reload()
  await page.getByRole('button', { name: 'Theme: light' }).waitFor()
  expect(await background()).toBe(light)
  await page.getByRole('button', { name: 'Theme: light' }).click()
  expect(await background()).toBe(dark)
})

test('every place is reached with the keyboard, and the focus is visible', async () => {
  await using tab = await scene.at('/')
  const { page } = tab
  await page.locator('[data-slot="gateway-coder"] .state.up').waitFor()
  // Its name comes with an answer of its own.
  await page.getByRole('button', { name: 'Log out me' }).waitFor()
  const reached = new Set<string>()
  for (let press = 0; press < 60; press++) {
    await page.keyboard.press('Tab')
    const { name, outline } = await page.evaluate(() => {
      const element = document.activeElement
      const name = element?.getAttribute('aria-label') ?? element?.textContent ?? ''
      return { name, outline: element ? getComputedStyle(element).outlineStyle : '' }
    })
    if (name.includes('Overview') && reached.has('Log out me')) break
    expect(`${name}: ${outline}`).toBe(`${name}: solid`)
    reached.add(name)
  }
  for (const name of [
    'Skip to the content',
    'Kanban',
    'Boots',
    'Terminal',
    'Log out me',
    'New profile',
    'Stop coder',
    'Restart coder',
  ])
    expect([...reached]).toContain(name)
})

test('the first view weighs no more than 150 kB', async () => {
  await using tab = await scene.at('/')
  await tab.page.locator('.slot').first().waitFor()
  const loaded = await tab.page.evaluate(() =>
    [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
      .map((entry) => entry as PerformanceResourceTiming)
      .filter(({ name }) => !new URL(name).pathname.startsWith('/api/'))
      .map(({ name, encodedBodySize }) => ({ path: new URL(name).pathname, bytes: encodedBodySize })),
  )
  expect(loaded.map(({ path }) => path)).toContainEqual(expect.stringMatching(/\.js$/))
  expect(loaded.map(({ path }) => path)).toContainEqual(expect.stringMatching(/\.css$/))
  for (const { path, bytes } of loaded) expect(`${path} ${bytes > 0}`).toBe(`${path} true`)
  const total = loaded.reduce((sum, { bytes }) => sum + bytes, 0)
  expect(total).toBeLessThan(FIRST_VIEW_BYTES)
})

test('the plots of the last day are there before the page has asked for anything', async () => {
  const now = Math.floor(Date.now() / 60_000)
  mkdirSync(historyDir(scene.home), { recursive: true })
  for (let ago = 3; ago < 600; ago++) {
    const busy = { cpuMillis: ago, memoryKiB: 50_000 + ago, restarts: ago % 200 === 0 ? 1 : 0, queued: ago % 7 }
    writePoint(historyFile(scene.home, 'gateway-coder'), { minute: now - ago, ...busy })
  }
  await using tab = await scene.at('/')
  await tab.page.route('**/api/**', (route) => route.abort())
  await tab.page.goto('/profiles/coder')
  const figures = tab.page.locator('.day figure')
  await figures.nth(3).waitFor()
  const lines = await tab.page.locator('.day .line').evaluateAll((all) => all.map((one) => one.getAttribute('d')))
  expect(lines.map((line) => (line ?? '').split('L').length > 50)).toEqual([true, true, true, true])
  const texts = await figures.allTextContents()
  expect(texts).toEqual([
    expect.stringContaining('CPU'),
    expect.stringContaining('Memory'),
    'Restarts, 24 h 2 in all',
    'Waiting tasks, 24 h at most 6',
  ])
  await tab.screenshot('day')
})

test('a viewer sees everything but the buttons, and the server refuses what a hidden one would do', async () => {
  await using tab = await scene.tab()
  const { page } = tab
  await page.goto('/')
  await page.getByLabel('Name').fill('eve')
  await page.getByLabel('Password').fill('of eve')
  await page.getByRole('button', { name: 'Log in' }).click()
  await page.locator('[data-slot="gateway-coder"]').waitFor()
  const shown = (name: string | RegExp) => page.getByRole('button', { name }).count()
  expect([await shown('New profile'), await shown(/^(Start|Stop|Restart) /)]).toEqual([0, 0])
  expect(await page.locator('.places a').allTextContents()).toEqual(['Overview', 'Kanban', 'Boots'])
  await page.goto('/profiles/chatty')
  await page.locator('.log-row.error').waitFor()
  expect(await page.locator('.tabs a').allTextContents()).toEqual(['Log', 'Deaths', 'Sessions'])
  await page.goto('/kanban')
  await page.locator(`[data-card=${task}]`).click()
  await page.locator('.task .comments li').waitFor()
  expect([await shown('New task'), await shown('Edit'), await shown('Delete'), await shown('Comment')]).toEqual([
    0, 0, 0, 0,
  ])
  expect(await page.getByLabel('Assignee').isDisabled()).toBe(true)
  for (const path of ['/terminal', '/audit', '/profiles/coder?tab=settings']) {
    await page.goto(path)
    await page.locator('.empty').waitFor()
  }
  expect(tab.complaints).toEqual([])
  const codes = await page.evaluate(async () => {
    const token = document.querySelector<HTMLMetaElement>('meta[name="hermes-token"]')?.content ?? ''
    const headers = { 'X-Hermes-Token': token, 'Content-Type': 'application/json' }
    const ask = (url: string, body: object) => fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
    const answers = [
      await ask('/api/profiles/coder/gateway', { action: 'stop' }),
      await ask('/api/kanban/tasks', { title: 'no' }),
    ]
    return Promise.all(answers.map(async (answer) => [answer.status, (await answer.json()).error]))
  })
  expect(codes).toEqual(Array(2).fill([403, 'insufficient_scope']))
})
