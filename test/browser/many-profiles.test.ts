import { afterAll, beforeAll, expect, test } from 'vitest'
import { waitFor } from '../support/wait.ts'
import type { Tab } from './browser.ts'
import { openScene, type Scene } from './scene.ts'

const MANY = 300
const SCREEN = { width: 1280, height: 800 }
/** Rows of 46 pixels that such a screen has room for, generously. */
const ON_SCREEN = 25

const named = (index: number): string => `p-${String(index).padStart(3, '0')}`
const LAST = named(MANY - 1)
const row = (name: string): string => `[data-slot="gateway-${name}"]`

let scene: Scene
beforeAll(async () => {
  const gateway = { command: ['sleep', '100000'], ready_after: '50ms' }
  scene = await openScene({
    profiles: Array.from({ length: MANY }, (_, index) => ({
      name: named(index),
      gateway,
      desired: named(index) === LAST ? ('running' as const) : ('stopped' as const),
    })),
  })
})
afterAll(() => scene[Symbol.asyncDispose]())

/** The overview with every row in the document. */
async function overview(): Promise<Tab> {
  const tab = await scene.at('/', { viewport: SCREEN })
  await tab.page.locator(`.slots[aria-busy="false"] ${row(LAST)}`).waitFor({ state: 'attached' })
  return tab
}

test('the first rows are painted before the others are in the document', async () => {
  await using tab = await scene.at('/boots', { viewport: SCREEN })
  const { page } = tab
  await page.addInitScript(() => {
    const counts: number[] = []
    Object.assign(window, { counts })
    const count = (): number => document.querySelectorAll('.slot[data-slot^="gateway-"]').length
    // A frame's callbacks run before it is painted: it shows what is in the document then.
    const frame = (): void => {
      if (count() > (counts.at(-1) ?? 0)) counts.push(count())
      requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
  })
  await page.goto('/')
  await page.locator(`.slots[aria-busy="false"] ${row(LAST)}`).waitFor({ state: 'attached' })
  const painted = await waitFor('the last frame to count', async () => {
    const counts = (await page.evaluate('window.counts')) as number[]
    return (counts.at(-1) ?? 0) > MANY && counts
  })
  expect(painted[0]).toBeGreaterThanOrEqual(ON_SCREEN)
  expect(painted[0]).toBeLessThan(MANY / 2)
  expect(tab.complaints).toEqual([])
})

test('the columns of every row are below their titles', async () => {
  await using tab = await overview()
  const places = (selector: string): Promise<readonly (readonly number[])[]> =>
    tab.page.locator(selector).evaluateAll((cells) =>
      cells.map((cell) => {
        const { left, right } = cell.getBoundingClientRect()
        return [Math.round(left), Math.round(right)]
      }),
    )
  const titles = await places('.slots >> nth=0 >> th')
  expect(titles).toHaveLength(8)
  for (const name of [named(0), LAST]) expect(await places(`${row(name)} td`)).toEqual(titles)
})

test('a search in the page finds a row below the screen', async () => {
  await using tab = await overview()
  const found = await tab.page.evaluate(
    ([text = '', own = '']) => {
      // The navigation has the name, too: the search begins after it.
      getSelection()?.collapse(document.querySelector('main'), 0)
      const isFound = (window as unknown as { find(text: string): boolean }).find(text)
      const element = getSelection()?.anchorNode?.parentElement
      return { isFound, isInRow: element?.closest(own) != null }
    },
    [LAST, row(LAST)],
  )
  expect(found).toEqual({ isFound: true, isInRow: true })
})

test('the keyboard reaches the buttons of a row below the screen', async () => {
  await using tab = await overview()
  const { page } = tab
  await page.getByRole('button', { name: `Stop ${LAST}` }).focus()
  await page.keyboard.press('Tab')
  const focused = await page.evaluate(() => {
    const { bottom = 0 } = document.activeElement?.getBoundingClientRect() ?? {}
    return { name: document.activeElement?.getAttribute('aria-label'), isOnScreen: bottom > 0 && bottom <= innerHeight }
  })
  expect(focused).toEqual({ name: `Restart ${LAST}`, isOnScreen: true })
})

test('to a screen reader it is one table with all rows, each with eight cells', async () => {
  await using tab = await overview()
  const session = await tab.page.context().newCDPSession(tab.page)
  const { nodes } = await session.send('Accessibility.getFullAXTree')
  const byId = new Map(nodes.map((node) => [node.nodeId, node]))
  const below = (id: string, role: string): typeof nodes =>
    (byId.get(id)?.childIds ?? []).flatMap((childId) => {
      const child = byId.get(childId)
      return child?.role?.value === role ? [child] : below(childId, role)
    })
  const table = nodes.find(({ role, name }) => role?.value === 'table' && name?.value === 'Profiles')
  const [titles, ...rows] = below(table?.nodeId ?? '', 'row')
  expect(below(titles?.nodeId ?? '', 'columnheader').map(({ name }) => name?.value)).toEqual([
    'Profile',
    'State',
    'Uptime',
    'Restarts',
    'Last death',
    'CPU',
    'Memory',
    'Actions',
  ])
  // The default profile's too.
  expect(rows).toHaveLength(MANY + 1)
  expect(new Set(rows.map(({ nodeId }) => below(nodeId, 'cell').length))).toEqual(new Set([8]))
  expect(below(rows.at(-1)?.nodeId ?? '', 'cell')[0]?.name?.value).toBe(LAST)
})

test('a death is seen in a row below the screen, and no other row is drawn again', async () => {
  await using tab = await overview()
  const { page } = tab
  await tab.page.locator(`${row(LAST)} .state.up`).waitFor({ state: 'attached' })
  await page.evaluate((own) => {
    const touched = new Set<string>()
    Object.assign(window, { touched })
    new MutationObserver((changes) => {
      for (const { target } of changes) {
        const slot = (target instanceof Element ? target : target.parentElement)?.closest('[data-slot]')
        const name = slot?.getAttribute('data-slot') ?? ''
        if (name.startsWith('gateway-p-') && slot?.matches(own) === false) touched.add(name)
      }
    }).observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true })
  }, row(LAST))
  const { pid } = (await scene.hermes.slot(`gateway-${LAST}`)) ?? {}
  process.kill(pid ?? 0, 'SIGKILL')
  await page
    .locator(`${row(LAST)} .slot-death`)
    .filter({ hasText: 'SIGKILL' })
    .waitFor({ state: 'attached' })
  expect(await page.evaluate(() => [...(window as unknown as { touched: Set<string> }).touched])).toEqual([])
})
