import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openTables } from '../../src/kanban/store/board.ts'
import { boardPlace } from '../../src/kanban/store/places.ts'
import { waitFor } from '../support/wait.ts'
import type { Tab } from './browser.ts'
import { openScene, type Scene } from './scene.ts'

const sleeps = (name: string) => ({ name, gateway: { command: ['sleep', '100000'] } })

let scene: Scene
beforeAll(async () => {
  scene = await openScene({ profiles: [sleeps('coder'), sleeps('writer')] })
  // Nothing but these tests moves a card.
  expect((await scene.command('config', 'set', 'kanban.dispatch_in_gateway', 'false')).code).toBe(0)
  expect((await scene.command('kanban', 'init')).code).toBe(0)
})
afterAll(() => scene[Symbol.asyncDispose]())

async function create(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await scene.command('kanban', 'create', ...args, '--json')
  if (code !== 0) throw new Error(stderr)
  return (JSON.parse(stdout) as { id: string }).id
}
const statusOf = async (id: string): Promise<string> =>
  (JSON.parse((await scene.command('kanban', 'show', id, '--json')).stdout) as { status: string }).status

const card = (id: string): string => `[data-card="${id}"]`
const inColumn = (column: string, id: string): string => `[data-column="${column}"] ${card(id)}`

/** From the middle of one place to the middle of another, as a hand does it: on the way there are movements. */
async function drag(page: Page, from: string, to: string): Promise<void> {
  const middle = async (selector: string) => {
    const box = await page.locator(selector).boundingBox()
    if (box === null) throw new Error(`${selector} is not seen`)
    return { x: box.x + box.width / 2, y: box.y + box.height / 2 }
  }
  const [start, end] = [await middle(from), await middle(to)]
  await page.mouse.move(start.x, start.y)
  await page.mouse.down()
  await page.mouse.move(start.x + 10, start.y + 10)
  await page.mouse.move(end.x, end.y, { steps: 5 })
  await page.locator(`${to}.over`).waitFor()
}

const said = (tab: Tab, text: string | RegExp): Promise<void> => tab.sees('[aria-live=assertive]', text)

describe('a card', () => {
  test('is moved with the mouse, and the board keeps the move', async () => {
    const id = await create('Drag me', '--assignee', 'coder')
    await using tab = await scene.at('/kanban', { viewport: { width: 1920, height: 900 } })
    const { page } = tab
    await page.locator(inColumn('ready', id)).waitFor()
    await drag(page, card(id), '[data-column=blocked]')
    await tab.screenshot('kanban-dragging')
    await page.mouse.up()
    await page.locator(inColumn('blocked', id)).waitFor()
    await said(tab, 'Drag me is blocked now')
    expect(await statusOf(id)).toBe('blocked')
    // A drag is not a click.
    expect(await page.locator('dialog').count()).toBe(0)
    expect(tab.complaints).toEqual([])
    expect(tab.strangers()).toEqual([])
  })

  test('goes back when it is let go where it may not be, and on Escape', async () => {
    const id = await create('Stay', '--assignee', 'coder')
    await using tab = await scene.at('/kanban', { viewport: { width: 1920, height: 900 } })
    const { page } = tab
    await page.locator(inColumn('ready', id)).waitFor()
    await drag(page, card(id), '[data-column=running]')
    await page.mouse.up()
    await said(tab, 'Stay cannot go from ready to running')
    // Over itself it makes no click either.
    await drag(page, card(id), '[data-column=ready]')
    await page.locator(inColumn('ready', id)).hover({ force: true })
    await page.mouse.up()
    await said(tab, 'Stay stays in ready')
    expect(await page.locator('dialog').count()).toBe(0)
    await drag(page, card(id), '[data-column=done]')
    await page.keyboard.press('Escape')
    await page.locator('.ghost').waitFor({ state: 'detached' })
    await page.mouse.up()
    await page.locator(inColumn('ready', id)).waitFor()
    expect(await statusOf(id)).toBe('ready')
  })

  test('is moved with the keyboard alone, and every step is announced', async () => {
    const below = await create('Below', '--assignee', 'coder', '--priority', '98')
    const id = await create('Type me', '--assignee', 'coder', '--priority', '99')
    await using tab = await scene.at('/kanban')
    const { page } = tab
    await page.locator(inColumn('ready', id)).waitFor()
    // Tab leads to the board's first card, arrows from there to the others.
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute('data-card'))
    for (let press = 0; press < 40 && !(await focused()); press++) await page.keyboard.press('Tab')
    expect(await focused()).toBe(id)
    await page.keyboard.press('ArrowDown')
    expect(await focused()).toBe(below)
    await page.keyboard.press('ArrowUp')
    expect(await focused()).toBe(id)
    await page.keyboard.press('Space')
    await said(tab, 'Type me is lifted')
    await page.keyboard.press('ArrowRight')
    await said(tab, 'blocked')
    await tab.screenshot('kanban-lifted')
    await page.keyboard.press('Space')
    await said(tab, 'Type me is blocked now')
    expect(await statusOf(id)).toBe('blocked')
    // The focus went with the card: it can be moved on.
    expect(await focused()).toBe(id)
    await page.keyboard.press('Space')
    await page.keyboard.press('ArrowLeft')
    await said(tab, 'ready')
    await page.keyboard.press('Escape')
    await said(tab, 'Type me stays in blocked')
    expect(await statusOf(id)).toBe('blocked')
  })

  test('stays where it was put, and keeps the focus, when the board answers an earlier question late', async () => {
    const id = await create('Hold me', '--assignee', 'coder', '--priority', '99')
    await using tab = await scene.at('/kanban')
    const { page } = tab
    await page.locator(inColumn('ready', id)).focus()
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>()
    const { promise: sent, resolve: send } = Promise.withResolvers<void>()
    const { promise: wait, resolve: accept } = Promise.withResolvers<void>()
    await page.route(/\/api\/kanban\/tasks\?/, async (route) => {
      const earlier = await route.fetch()
      ask()
      await sent
      await route.fulfill({ response: earlier })
    })
    await page.route(/\/move(\?|$)/, async (route) => {
      send()
      await wait
      await route.continue()
    })
    const other = await create('Meanwhile', '--triage')
    await asked
    await page.keyboard.press('Space')
    await said(tab, 'Hold me is lifted')
    await page.keyboard.press('ArrowRight')
    await said(tab, 'blocked')
    await page.keyboard.press('Space')
    // The answer from before the move is drawn.
    await page.locator(inColumn('triage', other)).waitFor()
    const focused = () => page.evaluate(() => document.activeElement?.closest('[data-column]')?.textContent)
    expect(await page.locator(inColumn('blocked', id)).count()).toBe(1)
    expect(await focused()).toContain('blocked')
    accept()
    await said(tab, 'Hold me is blocked now')
    expect(await page.locator(inColumn('blocked', id)).count()).toBe(1)
    expect(await focused()).toContain('blocked')
    for (const task of [id, other]) expect((await scene.command('kanban', 'archive', task)).code).toBe(0)
  })

  test('is moved with a finger that holds it first', async () => {
    const id = await create('Touch me', '--assignee', 'coder', '--priority', '100')
    await using tab = await scene.at('/kanban', { viewport: { width: 1920, height: 900 }, hasTouch: true })
    const { page } = tab
    const from = await page.locator(inColumn('ready', id)).boundingBox()
    const to = await page.locator('[data-column=blocked] h2').boundingBox()
    if (from === null || to === null) throw new Error('not seen')
    const session = await page.context().newCDPSession(page)
    const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', x: number, y: number) =>
      session.send('Input.dispatchTouchEvent', { type, touchPoints: type === 'touchEnd' ? [] : [{ x, y }] })
    await touch('touchStart', from.x + 20, from.y + 10)
    await page.locator('.ghost').waitFor()
    await touch('touchMove', to.x + 40, to.y + 60)
    await page.locator('[data-column=blocked].over').waitFor()
    await touch('touchEnd', 0, 0)
    await page.locator(inColumn('blocked', id)).waitFor()
    expect(await statusOf(id)).toBe('blocked')
  })

  test('that the board refuses to move comes back, with the reason', async () => {
    const parent = await create('Parent', '--assignee', 'coder')
    const id = await create('Child', '--assignee', 'coder', '--parent', parent)
    await using tab = await scene.at('/kanban', { viewport: { width: 1920, height: 900 } })
    const { page } = tab
    await page.locator(inColumn('todo', id)).waitFor()
    await drag(page, card(id), '[data-column=ready]')
    await page.mouse.up()
    await tab.sees('.notice.failed', 'parents')
    await page.locator(inColumn('todo', id)).waitFor()
  })
})

test('a task is created, says why it is not running, is assigned, commented and completed', async () => {
  await using tab = await scene.at('/kanban')
  const { page } = tab
  await page.locator('.column').first().waitFor()
  await page.keyboard.press('n')
  await page.getByLabel('Title').fill('Made in a browser')
  await page.getByLabel('What to do').fill('Something.')
  await tab.screenshot('new-task')
  await page.getByRole('button', { name: 'Create task' }).click()
  await tab.sees('.notice', 'is ready')
  await page.locator('.card', { hasText: 'Made in a browser' }).click()
  await tab.sees('.why', 'it has no assignee')
  await page.getByLabel('Assignee').selectOption('writer')
  await tab.sees('.why', /writer/)
  await page.getByLabel('New comment').fill('Take your time.')
  await page.getByRole('button', { name: 'Comment', exact: true }).click()
  await tab.sees('.comments', 'Take your time.')
  await tab.screenshot('task')
  await page.getByRole('button', { name: 'Complete' }).click()
  await tab.sees('.task-facts', 'done')
  await page.keyboard.press('Escape')
  await tab.sees('[data-column=done]', 'Made in a browser')
  expect(tab.complaints).toEqual([])
})

test('a task is created for any profile, with the labels that it needs, to be started at most once', async () => {
  await using tab = await scene.at('/kanban')
  const { page } = tab
  await page.locator('.column').first().waitFor()
  await page.keyboard.press('n')
  await page.getByLabel('Title').fill('Where there is a gpu')
  await page.getByLabel('Needs').fill('region=eu, gpu')
  await page.getByLabel('Start it at most once').check()
  await page.getByRole('button', { name: 'Create task' }).click()
  await tab.sees('.notice', 'is ready')
  await page.locator('.card', { hasText: 'Where there is a gpu' }).click()
  await tab.sees('.why', 'needs gpu, region=eu, which this node does not have')
  await tab.sees('.task-facts', 'needs gpu, region=eu')
  await tab.sees('.task-facts', 'started at most once')
  await page.getByLabel('Assignee').selectOption('writer')
  await tab.sees('.why', 'needs gpu, region=eu')
  await page.getByRole('button', { name: 'Complete' }).click()
  await tab.sees('.task-facts', 'done')
  expect(tab.complaints).toEqual([])
})

test('a comment stays in its field until the board has accepted it, and is not sent twice', async () => {
  const id = await create('Discuss it', '--assignee', 'writer')
  await using tab = await scene.at('/kanban')
  const { page } = tab
  await page.locator(card(id)).click()
  await page.route(/\/comment(\?|$)/, (route) => route.abort(), { times: 1 })
  const field = page.getByLabel('New comment')
  const button = page.getByRole('button', { name: 'Comment', exact: true })
  await field.fill('Only once.')
  await button.click()
  await page.locator('.notice.failed').waitFor()
  expect(await field.inputValue()).toBe('Only once.')
  const { promise: wait, resolve: accept } = Promise.withResolvers<void>()
  await page.route(/\/comment(\?|$)/, async (route) => {
    await wait
    await route.continue()
  })
  await button.click()
  await page.locator('.say button:disabled').waitFor()
  await field.press('End')
  await field.pressSequentially(' And more')
  accept()
  await tab.sees('.comments', 'Only once.')
  await waitFor('what was sent to leave the field', async () => (await field.inputValue()) === ' And more')
  expect(await page.locator('.comments li').count()).toBe(1)
})

test('work in review shows its result as a value, and goes back with what has to change', async () => {
  const id = await create('Measure it', '--assignee', 'writer')
  const tables = openTables(boardPlace(scene.home, 'default'), { mode: 'write', warn: () => undefined })
  const result = '{"size":42}'
  tables.run("UPDATE tasks SET status = 'review', result = ?, result_json = ? WHERE id = ?", result, result, id)
  tables.close()
  await using tab = await scene.at('/kanban')
  const { page } = tab
  await page.locator(inColumn('review', id)).click()
  await tab.sees('.task-body', '"size": 42')
  await page.getByLabel('Changes for the next run').fill('Name the unit.')
  await tab.screenshot('review')
  await page.getByRole('button', { name: 'Request changes' }).click()
  await tab.sees('.task-facts', 'ready')
  expect(await page.getByLabel('Changes for the next run').count()).toBe(0)
  const { stdout } = await scene.command('kanban', 'tail', id, '--no-follow')
  expect(stdout).toMatch(/ changes_requested .*reason=Name the unit\./)
  expect(tab.complaints).toEqual([])
})

test('files of a task are added, saved and removed with the keyboard, and a refusal is shown', async () => {
  const id = await create('With files', '--assignee', 'writer')
  const file = { name: 'list \u00e4".bin', mimeType: 'text/html', buffer: Buffer.from([0, 255, 10, 13, 128]) }
  await using tab = await scene.at('/kanban')
  const { page } = tab
  await page.locator(card(id)).click()
  const add = async (): Promise<void> => {
    const chooser = page.waitForEvent('filechooser')
    await page.getByRole('button', { name: 'Add files' }).press('Enter')
    await (await chooser).setFiles(file)
  }
  await add()
  await tab.sees('.files', `${file.name} 5 B`)
  await page.locator('button:enabled', { hasText: 'Add files' }).waitFor()
  await add()
  await tab.sees('.notice.failed', 'already')
  const download = page.waitForEvent('download')
  await page.getByRole('button', { name: file.name, exact: true }).press('Enter')
  const saved = await download
  expect(readFileSync(await saved.path())).toEqual(file.buffer)
  await page.getByRole('button', { name: `Remove ${file.name}` }).press('Enter')
  // Only now the key is for this dialog, and not for the one below.
  await page.getByRole('button', { name: 'Remove for good' }).waitFor()
  await page.keyboard.press('Escape')
  await page.locator('dialog:not(.drawer)').waitFor({ state: 'detached' })
  await page.locator('dialog.drawer').waitFor()
  expect(await page.locator('.files li').count()).toBe(1)
  await page.getByRole('button', { name: `Remove ${file.name}` }).press('Enter')
  await page.getByRole('button', { name: 'Remove for good' }).press('Enter')
  await page.locator('.files li').waitFor({ state: 'detached' })
  expect(JSON.parse((await scene.command('kanban', 'attachments', id, '--json')).stdout)).toEqual([])
  expect(tab.complaints.filter((line) => !line.includes('409'))).toEqual([])
})

test('a task is edited and deleted, and an edit over one that was not seen keeps what was written', async () => {
  const id = await create('A mistkae', '--assignee', 'writer', '--body', 'one\ntwo')
  await using tab = await scene.at('/kanban')
  const { page } = tab
  await page.locator(card(id)).click()
  await page.getByRole('button', { name: 'Edit' }).click()
  await page.getByLabel('Title').fill('A mistake')
  await page.getByLabel('Priority').fill('7')
  await page.getByRole('button', { name: 'Save' }).click()
  await tab.sees('dialog.drawer h2', 'A mistake')
  const task = JSON.parse((await scene.command('kanban', 'show', id, '--json')).stdout) as Record<string, unknown>
  expect(task).toMatchObject({ title: 'A mistake', body: 'one\ntwo', priority: 7 })
  await page.getByRole('button', { name: 'Edit' }).click()
  await page.getByLabel('What to do').fill('mine')
  expect((await scene.command('kanban', 'edit', id, '--body', 'theirs')).code).toBe(0)
  await tab.sees('dialog.drawer .task-body', 'theirs')
  await page.getByRole('button', { name: 'Save' }).click()
  await tab.sees('.trouble', 'changed')
  expect(await page.getByLabel('What to do').inputValue()).toBe('mine')
  await page.getByRole('button', { name: 'Cancel' }).click()
  await page.getByRole('button', { name: 'Delete' }).click()
  await tab.screenshot('delete-task')
  await page.getByRole('button', { name: 'Delete for good' }).click()
  await tab.sees('.notice', 'is deleted')
  await page.locator(card(id)).waitFor({ state: 'detached' })
  expect(await page.locator('dialog').count()).toBe(0)
  expect((await scene.command('kanban', 'show', id)).code).toBe(1)
})

test('a routine is created, shows its next time, is paused, run and deleted', async () => {
  await using tab = await scene.at('/kanban')
  const { page } = tab
  await page.getByRole('button', { name: 'Routines' }).click()
  await tab.sees('.empty', 'No routines')
  await page.getByRole('button', { name: 'New routine' }).click()
  await page.getByLabel('Name').fill('daily')
  await page.getByLabel('When').fill('0 25 * * *')
  await page.getByLabel('Title of the tasks').fill('Write the report')
  await page.getByRole('button', { name: 'Create routine' }).click()
  await tab.sees('.trouble', 'cron must be cron fields')
  // Far away: no time comes while this test runs.
  await page.getByLabel('When').fill('0 9 1 1 *')
  await page.getByLabel('Time zone').fill('UTC')
  await tab.screenshot('new-routine')
  await page.getByRole('button', { name: 'Create routine' }).click()
  await tab.sees('[data-routine=daily] .next', /next in .* 1 Jan 09:00:00 UTC/)
  await page.getByRole('button', { name: 'Pause' }).click()
  await tab.sees('[data-routine=daily] .next', 'paused')
  await page.getByRole('button', { name: 'Run now' }).click()
  await tab.sees('.notice', 'is created')
  await tab.sees('[data-column=ready]', 'Write the report')
  await page.getByRole('button', { name: 'Resume' }).click()
  await tab.sees('[data-routine=daily] .next', 'next in')
  await page.getByRole('button', { name: 'Delete' }).click()
  await page.getByRole('button', { name: 'Delete for good' }).click()
  await tab.sees('.empty', 'No routines')
  expect((await scene.command('kanban', 'routine', 'list')).stdout).toBe('no routines\n')
})

test('the preview shows what the next tick would do, and writes nothing', async () => {
  const id = await create('Not mine', '--assignee', 'nobody-here', '--lane')
  await using tab = await scene.at('/kanban')
  await tab.page.getByRole('button', { name: 'Next tick' }).click()
  await tab.sees('.report', /Assignee is not a profile.*t_/s)
  await tab.screenshot('next-tick')
  expect(await statusOf(id)).toBe('ready')
})

test('a change from the command line is on the board without loading', async () => {
  await using tab = await scene.at('/kanban')
  await tab.page.locator('.card').first().waitFor()
  const id = await create('From elsewhere', '--triage')
  await tab.page.locator(inColumn('triage', id)).waitFor()
  await scene.command('kanban', 'archive', id)
  await tab.page.locator(card(id)).waitFor({ state: 'detached' })
})
