import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { descendants, listProcesses } from '../../src/system/programs/proc.ts'
import { waitFor } from '../support/wait.ts'
import { openScene, type Scene } from './scene.ts'

const agent = { command: ['sh', '-c', 'echo "you said $1"', 'sh', '{prompt}'] }

let scene: Scene
beforeAll(async () => {
  scene = await openScene({ profiles: [], args: [], env: { HERMES_DASHBOARD_TUI: '1' } })
  const set = await scene.command('config', 'set', 'agent.command', JSON.stringify(agent.command))
  expect(set.stderr).toBe('')
})
afterAll(() => scene[Symbol.asyncDispose]())

/** Processes that the dashboard runs on terminals. */
const chats = () =>
  descendants(listProcesses(), scene.dashboard.child.pid ?? 0).filter(({ session, pid }) => session === pid)
const sizeOf = (pid: number): string =>
  execFileSync('stty', ['-F', `/proc/${pid}/fd/0`, 'size'])
    .toString()
    .trim()

test('typed text is answered, the program knows the size of the view, and leaving ends it', async () => {
  await using tab = await scene.at('/')
  const { page } = tab
  // The emulator is loaded by its own view only.
  const emulator = () => tab.requests.filter((url) => url.includes('terminal-session'))
  await tab.sees('.foot .live', 'live')
  expect(emulator()).toEqual([])
  await page.getByRole('link', { name: 'Terminal' }).click()
  const [chat] = await waitFor('the chat', () => chats().length === 1 && chats())
  expect(emulator()).not.toEqual([])
  await page.locator('.xterm-rows').waitFor()
  const before = await waitFor('a size', () => sizeOf(chat?.pid ?? 0))
  // Focus and connection are there once the program's own text is.
  await tab.sees('.xterm-rows', /\S/)
  await page.keyboard.type('hello\n')
  await tab.sees('.xterm-rows', 'you said hello')
  await tab.screenshot('terminal')
  await page.setViewportSize({ width: 900, height: 500 })
  await waitFor('another size', () => sizeOf(chat?.pid ?? 0) !== before)
  await page.getByRole('link', { name: 'Overview' }).click()
  await waitFor('the end of the chat', () => chats().length === 0)
  expect(tab.complaints).toEqual([])
  expect(tab.strangers()).toEqual([])
})

test('when the program ends the page says so, and opens another', async () => {
  await using tab = await scene.at('/terminal')
  await waitFor('the chat', () => chats().length === 1)
  await tab.sees('.xterm-rows', /\S/)
  await tab.page.keyboard.press('Control+d')
  await tab.page.getByRole('button', { name: 'Open again' }).click()
  await waitFor('another chat', () => chats().length === 1)
  expect(tab.complaints).toEqual([])
})

test('a tab that is closed ends its program', async () => {
  {
    await using tab = await scene.at('/terminal')
    await tab.page.locator('.xterm-rows').waitFor()
    await waitFor('the chat', () => chats().length === 1)
  }
  await waitFor('the end of the chat', () => chats().length === 0)
})
