import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { password, startDashboard } from '../support/dashboard/dashboard.ts'
import { waitFor } from '../support/wait.ts'
import type { Tab } from './browser.ts'
import { allJumps, watchJumps } from './jumps.ts'
import { logIn, openScene, type Scene } from './scene.ts'

const sleeps = (name: string) => ({ name, gateway: { command: ['sleep', '100000'], ready_after: '50ms' } })

let scene: Scene
beforeAll(async () => {
  scene = await openScene({
    profiles: [
      sleeps('coder'),
      sleeps('writer'),
      { name: 'parked', gateway: { command: ['sh', '-c', 'echo no key; exit 78'] } },
    ],
  })
})
afterAll(() => scene[Symbol.asyncDispose]())

const row = (name: string): string => `[data-slot="gateway-${name}"]`

/** Something that a load of the page would wipe out. */
const leaveMark = (tab: Tab) => tab.page.evaluate(() => Object.assign(window, { marked: true }))
const marked = (tab: Tab) => tab.page.evaluate(() => 'marked' in window)

describe('the log-in', () => {
  test('refuses a wrong password, and leads to the requested page', async () => {
    await using tab = await scene.tab()
    const { page } = tab
    await page.goto('/profiles/coder?tab=deaths')
    await page.getByLabel('Name').fill('me')
    await page.getByLabel('Password').fill('wrong')
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByRole('alert').waitFor()
    await tab.screenshot('login-refused')
    await page.getByLabel('Password').fill(password.HERMES_DASHBOARD_BASIC_AUTH_PASSWORD)
    await page.getByRole('button', { name: 'Log in' }).click()
    await tab.sees('h1', 'coder')
    expect(new URL(page.url()).pathname + new URL(page.url()).search).toBe('/profiles/coder?tab=deaths')
    // The refusal itself is in the console: the browser puts every answer of 401 there.
    expect(tab.complaints.filter((line) => !line.includes('401'))).toEqual([])
  })

  test('says how long to wait after too many tries', async () => {
    await using own = await startDashboard(scene.hermes, { args: ['--host', '0.0.0.0'], env: password })
    await using tab = await scene.tab()
    const { page } = tab
    await page.goto(`${own.origin}/login`)
    const button = page.locator('button[type=submit]')
    let status = 0
    for (let tried = 0; tried < 15 && status !== 429; tried++) {
      const answered = page.waitForResponse(/password-login/)
      await page.getByLabel('Name').fill('me')
      await page.getByLabel('Password').fill(`wrong ${tried}`)
      await button.click()
      status = (await answered).status()
    }
    await tab.sees('button[type=submit]', /Try again in \d+ s/)
    expect(await button.isDisabled()).toBe(true)
    await tab.screenshot('login-too-many-tries')
  })

  test('ends with a log-out, after which the page is closed to that browser', async () => {
    await using tab = await scene.tab()
    await logIn(tab, '/')
    await tab.page.getByRole('button', { name: /Log out/ }).click()
    await tab.page.getByRole('button', { name: 'Log in' }).waitFor()
    await tab.page.goto('/kanban')
    await tab.page.getByRole('button', { name: 'Log in' }).waitFor()
    expect(new URL(tab.page.url()).search).toBe('?next=%2Fkanban')
  })

  test('comes again when the session has ended elsewhere, and leads back to the view', async () => {
    await using tab = await scene.tab()
    await logIn(tab, '/boots')
    await tab.sees('h1', 'Boot history')
    // The same session in a second tab.
    const other = await tab.page.context().newPage()
    await other.goto('/')
    await other.getByRole('button', { name: /Log out/ }).click()
    await tab.page.getByRole('button', { name: 'Log in' }).waitFor()
    expect(new URL(tab.page.url()).search).toBe('?next=%2Fboots')
    await logIn(tab, tab.page.url())
    await tab.sees('h1', 'Boot history')
  })
})

describe('the overview', () => {
  test('shows every profile with its state, and why a parked one is parked', async () => {
    await using tab = await scene.at('/')
    await tab.sees(`${row('coder')} .slot-state`, 'up')
    await tab.sees(`${row('writer')} .slot-state`, 'up')
    await tab.sees(`${row('parked')} .slot-state`, 'parked')
    await tab.sees(`${row('parked')} .slot-reason`, '78')
    await tab.sees('.summary', /Running\s*3 of 4/)
    await tab.sees(`${row('coder')} .slot-usage`, /\d%/)
    await tab.screenshot('overview')
    expect(tab.complaints).toEqual([])
    expect(tab.strangers()).toEqual([])
  })

  test('keeps everything in its place when the profiles come late', async () => {
    await using tab = await scene.at('/boots')
    const { page } = tab
    const { promise: wait, resolve: answer } = Promise.withResolvers<void>()
    await page.route(/\/api\/profiles$/, async (route) => {
      await wait
      await route.continue()
    })
    await page.goto('/')
    // The supervisor's state is there, so the helpers are known.
    await tab.sees('.summary', /Running\s*\d of 4/)
    await tab.sees('.foot .build', /\d+\.\d+/)
    await tab.sees('.summary', /CPU\s*\d/)
    await watchJumps(tab, 'main')
    answer()
    await tab.sees(`${row('coder')} .slot-usage`, /\d%/)
    await page.locator('[aria-labelledby=helpers-title] .slot').first().waitFor()
    expect(await allJumps(tab)).toEqual([])
  })

  test('shows when a gateway that runs at times runs next, and what one waits for', async () => {
    const { command } = scene
    for (const [name, key, value] of [
      ['nightly', 'gateway.schedule', '0 4 * * *'],
      ['follower', 'gateway.depends_on', '{"gateway:nightly": "completed"}'],
    ] as const) {
      expect((await command('profile', 'create', name)).code).toBe(0)
      expect((await command('-p', name, 'config', 'set', key, value)).code).toBe(0)
      await command('-p', name, 'gateway', 'start', '--no-wait')
    }
    await using tab = await scene.at('/')
    await tab.sees(`${row('nightly')} .slot-state`, /down\s*runs in \d/)
    await tab.sees(`${row('follower')} .slot-reason`, /waits for/)
    await tab.page.goto('/profiles/follower')
    await tab.sees('.page > .slot-reason', /waits for/)
    for (const name of ['follower', 'nightly']) expect((await command('profile', 'delete', name, '--yes')).code).toBe(0)
  })

  test('shows a killed process die and come back, without loading and without asking', async () => {
    await using tab = await scene.at('/')
    await tab.sees(`${row('coder')} .slot-state`, 'up')
    await leaveMark(tab)
    const { pid, restarts = 0 } = (await scene.hermes.slot('gateway-coder')) ?? {}
    const asked = tab.requests.length
    process.kill(pid ?? 0, 'SIGKILL')
    await tab.sees(`${row('coder')} .slot-death`, /SIGKILL\s*now|SIGKILL\s*\d+s ago/)
    await tab.sees(`${row('coder')} .slot-restarts`, String(restarts + 1))
    await tab.sees(`${row('coder')} .slot-state`, 'up')
    await tab.screenshot('overview-after-a-death')
    expect(tab.requests.slice(asked)).toEqual([])
    expect(await marked(tab)).toBe(true)
    await tab.page.goto('/profiles/coder?tab=deaths')
    await tab.sees('tbody', 'SIGKILL')
  })

  test('leads from a death to the log of that moment, and from there to the live log', async () => {
    await using tab = await scene.at('/profiles/parked?tab=deaths')
    const { page } = tab
    await page.getByRole('link', { name: /log at that moment/ }).click()
    await tab.sees('.log-row', 'no key')
    expect(new URL(page.url()).searchParams.get('until')).toMatch(/Z$/)
    await page.getByRole('button', { name: 'Follow' }).click()
    await page.getByRole('button', { name: 'Pause' }).waitFor()
    await tab.sees('.log-row', 'no key')
    // Before there was a log, nothing is shown.
    await page.goto('/profiles/parked?until=2020-01-01T00:00:00Z')
    await tab.sees('.log-lines', 'Nothing to show')
    expect(tab.complaints).toEqual([])
  })

  test('stops, starts and restarts a gateway, as hermes status then says', async () => {
    await using tab = await scene.at('/')
    const { page } = tab
    await page.getByRole('button', { name: 'Stop writer' }).click()
    await tab.sees('.notice', /^writer is (stopping|down)/)
    await tab.sees(`${row('writer')} .slot-state`, 'down')
    expect((await scene.command('-p', 'writer', 'gateway', 'status')).code).toBe(1)
    await page.getByRole('button', { name: 'Start writer', exact: true }).click()
    await tab.sees(`${row('writer')} .slot-state`, 'up')
    const before = (await scene.hermes.slot('gateway-writer'))?.pid
    await page.getByRole('button', { name: 'Restart writer' }).click()
    await waitFor('another process', async () => {
      const slot = await scene.hermes.slot('gateway-writer')
      return slot?.state === 'up' && slot.pid !== before
    })
    await tab.sees(`${row('writer')} .slot-state`, 'up')
    expect(tab.complaints).toEqual([])
  })

  test('filters and sorts the profiles, and acts on those that are shown, and on no others', async () => {
    await using tab = await scene.at('/')
    const { page } = tab
    const names = () => page.locator('[aria-labelledby=profiles-title] .slot-name strong').allTextContents()
    await tab.sees(`${row('writer')} .slot-state`, 'up')
    expect(await page.title()).toBe(`Overview · ${hostname()} · hermes`)
    await page.getByLabel('Order').selectOption('Trouble first')
    await waitFor('the parked one to be first', async () => (await names())[0] === 'parked')
    await page.getByLabel('States shown').selectOption('Parked or backing off')
    await waitFor('only it to be shown', async () => (await names()).join() === 'parked')
    await page.getByLabel('States shown').selectOption('All states')
    await page.getByLabel('Filter profiles').fill('WRIT')
    await tab.sees('.slots-count', '1 profile')
    expect(await names()).toEqual(['writer'])
    const pid = (await scene.hermes.slot('gateway-coder'))?.pid
    await page.getByRole('button', { name: 'Stop all that are shown' }).click()
    await tab.sees('dialog', 'writer')
    await page.getByRole('button', { name: 'Stop 1 gateway' }).click()
    await tab.sees('.notice', '1 gateway will be stopped')
    await tab.sees(`${row('writer')} .slot-state`, 'down')
    await page.getByRole('button', { name: 'Start all that are shown', exact: true }).click()
    await page.getByRole('button', { name: 'Start 1 gateway' }).click()
    await tab.sees(`${row('writer')} .slot-state`, 'up')
    expect((await scene.hermes.slot('gateway-coder'))?.pid).toBe(pid)
    expect(tab.complaints).toEqual([])
  })

  test('creates a profile, and deletes it only under its own name', async () => {
    await using tab = await scene.at('/')
    const { page } = tab
    await page.getByRole('button', { name: 'New profile' }).click()
    await tab.screenshot('new-profile')
    await page.locator('dialog').getByLabel('Name').fill('coder')
    await page.getByRole('button', { name: 'Create profile' }).click()
    await tab.sees('dialog [role=alert]', 'coder')
    await page.locator('dialog').getByLabel('Name').fill('fresh')
    await page.getByLabel('Description').fill('Made in a browser')
    await page.getByRole('button', { name: 'Create profile' }).click()
    await tab.sees('h1', 'fresh')
    const directory = join(scene.hermes.home, 'profiles', 'fresh')
    expect(existsSync(directory)).toBe(true)
    await page.getByRole('link', { name: 'Settings' }).click()
    await page.getByRole('button', { name: 'Delete fresh' }).click()
    const forGood = page.getByRole('button', { name: 'Delete for good' })
    await page.getByLabel('Type "fresh" to confirm').fill('fres')
    expect(await forGood.isDisabled()).toBe(true)
    await page.getByLabel('Type "fresh" to confirm').fill('fresh')
    await tab.screenshot('delete-profile')
    await forGood.click()
    await tab.sees('h1', 'Overview')
    await page.locator(row('fresh')).waitFor({ state: 'detached' })
    expect(existsSync(directory)).toBe(false)
  })

  test('shows a profile that was created on the command line', async () => {
    await using tab = await scene.at('/')
    await tab.sees(`${row('coder')} .slot-state`, 'up')
    await leaveMark(tab)
    expect((await scene.command('profile', 'create', 'elsewhere')).code).toBe(0)
    await tab.sees(`${row('elsewhere')} .slot-state`, 'down')
    expect((await scene.command('profile', 'delete', 'elsewhere', '--yes')).code).toBe(0)
    await tab.page.locator(row('elsewhere')).waitFor({ state: 'detached' })
    expect(await marked(tab)).toBe(true)
  })
})

describe('settings', () => {
  const text = (tab: Tab) => tab.page.getByRole('textbox', { name: 'config.yaml' })

  test('are checked while they are written, and saved', async () => {
    await using tab = await scene.at('/profiles/writer?tab=settings')
    const { page } = tab
    await text(tab).fill('description: Writes\ngateway:\n  restart: often\n')
    await tab.sees('.problems', 'gateway.restart')
    await tab.screenshot('settings-problem')
    await text(tab).fill('description: Writes\ngateway:\n  command: [sleep, "100000"]\n')
    await tab.sees('.problems', 'No problems')
    await page.getByRole('button', { name: 'Save' }).click()
    await tab.sees('.notice', 'saved')
    expect((await scene.command('-p', 'writer', 'config', 'get', 'description')).stdout).toContain('Writes')
  })

  test('that are typed while earlier ones are being saved are not taken for saved', async () => {
    await using tab = await scene.at('/profiles/writer?tab=settings')
    const { page } = tab
    const first = 'description: First\ngateway:\n  command: [sleep, "100000"]\n'
    await text(tab).fill(first)
    const { promise: wait, resolve: answer } = Promise.withResolvers<void>()
    await page.route(/\/api\/config$/, async (route) => {
      await wait
      await route.continue()
    })
    await page.getByRole('button', { name: 'Save' }).click()
    await text(tab).fill(first.replace('First', 'Second'))
    answer()
    await tab.sees('.notice', 'saved')
    await tab.sees('.editor header', 'changed, not saved')
    await page.getByRole('button', { name: 'Save' }).click()
    await tab.sees('.editor header', 'as in the file')
    expect((await scene.command('-p', 'writer', 'config', 'get', 'description')).stdout).toContain('Second')
  })

  test('that another user changed in the meantime are not overwritten without asking', async () => {
    await using tab = await scene.at('/profiles/coder?tab=settings')
    const { page } = tab
    const before = await text(tab).inputValue()
    await scene.command('-p', 'coder', 'config', 'set', 'description', 'Theirs')
    await text(tab).fill('description: Mine\ngateway:\n  command: [sleep, "100000"]\n')
    await page.getByRole('button', { name: 'Save' }).click()
    await tab.sees('.editor [role=alert]', 'has changed since')
    await tab.screenshot('settings-conflict')
    await page.getByRole('button', { name: 'Take the file, drop my changes' }).click()
    await waitFor('their text', async () => {
      const now = await text(tab).inputValue()
      return now.includes('Theirs') && now !== before
    })
    expect((await scene.command('-p', 'coder', 'config', 'get', 'description')).stdout).toContain('Theirs')
  })
})

test('there is no terminal without its switch', async () => {
  await using tab = await scene.at('/terminal')
  await tab.sees('.empty', 'The terminal is off')
  await tab.page.getByRole('link', { name: 'Kanban' }).waitFor()
  expect(await tab.page.getByRole('link', { name: 'Terminal' }).count()).toBe(0)
  expect(tab.complaints).toEqual([])
})

test('a page that is open to everybody says so', async () => {
  await using open = await startDashboard(scene.hermes, { args: ['--host', '0.0.0.0', '--insecure'] })
  await using tab = await scene.tab()
  await tab.page.goto(`${open.origin}/`)
  await tab.sees('.banner.insecure', 'No log-in is required')
  await tab.sees(`${row('coder')} .slot-state`, 'up')
  await tab.screenshot('insecure')
})

test('the page says when the dashboard is away, and recovers by itself', async () => {
  const gated = { args: ['--host', '0.0.0.0'], env: password }
  const first = await startDashboard(scene.hermes, gated)
  await using tab = await scene.tab()
  await logIn(tab, `${first.origin}/`)
  await tab.sees('.foot .live', 'live')
  await leaveMark(tab)
  await first.stop()
  await tab.sees('.banner.away', 'may be out of date')
  await tab.screenshot('away')
  await using _again = await startDashboard(scene.hermes, { ...gated, port: first.port })
  await tab.sees('.foot .live', 'live', 30_000)
  await tab.page.locator('.banner.away').waitFor({ state: 'detached' })
  await tab.sees(`${row('coder')} .slot-state`, 'up')
  expect(await marked(tab)).toBe(true)
})

test('the page says when the supervisor is away, keeps the last state, and recovers by itself', async () => {
  await using tab = await scene.at('/')
  await tab.sees(`${row('coder')} .slot-state`, 'up')
  await leaveMark(tab)
  const before = await scene.hermes.slot('gateway-coder')
  const told = tab.sees('.banner.away', 'The supervisor does not answer')
  process.kill(await scene.hermes.supervisorPid(), 'SIGKILL')
  await told
  await tab.page.locator('.banner.away').waitFor({ state: 'detached' })
  await tab.sees(`${row('coder')} .slot-state`, 'up')
  expect(await scene.hermes.slot('gateway-coder')).toMatchObject({ pid: before?.pid })
  expect(await marked(tab)).toBe(true)
})
