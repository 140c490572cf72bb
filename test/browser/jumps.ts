/** Moves on a page, as Chromium itself reports them. */
import { waitFor } from '../support/wait.ts'
import type { Tab } from './browser.ts'

/**
 * Everything that moves without having been asked to, as the browser itself finds it, and by how much.
 * @param where a selector; only what is in such an element counts
 */
export const watchJumps = (tab: Tab, where = '*') =>
  tab.page.evaluate((where) => {
    interface Shift extends PerformanceEntry {
      readonly value: number
      readonly hadRecentInput: boolean
      readonly sources: readonly {
        readonly node: Node | null
        readonly previousRect: DOMRect
        readonly currentRect: DOMRect
      }[]
    }
    const jumps: string[] = []
    Object.assign(window, { jumps })
    new PerformanceObserver((list) => {
      for (const { hadRecentInput, sources } of list.getEntries() as Shift[]) {
        if (hadRecentInput) continue
        for (const { node, previousRect: from, currentRect: to } of sources) {
          // Gone from the view, as most lines have at each look; what is read and held has its own expectation.
          if (to.width === 0 && to.height === 0) continue
          // Rounded to whole pixels; a line drawn a pixel lower is not a jump.
          if (Math.hypot(to.x - from.x, to.y - from.y) <= 1) continue
          // A node that is no longer on the page has no place that could be compared.
          const element = node instanceof Element ? node : node?.parentElement
          if (!element?.closest(`${where}, .moved-by-the-test`)) continue
          jumps.push(`${element.outerHTML.slice(0, 80)} from ${from.x},${from.y} to ${to.x},${to.y}`)
        }
      }
    }).observe({ type: 'layout-shift' })
  }, where)
const jumps = (tab: Tab) => tab.page.evaluate(() => (window as unknown as { jumps: string[] }).jumps)

/**
 * Everything that has moved, once the browser has reported a move of ours: it reports them in their order. It is moved
 * again and again, because a move shortly after a click or a key does not count.
 */
export async function allJumps(tab: Tab): Promise<string[]> {
  await tab.page.evaluate(() => {
    const ours = document.createElement('b')
    ours.textContent = ours.className = 'moved-by-the-test'
    ours.style.cssText = 'position: fixed; left: 0; top: 0; font-size: 40px'
    document.body.append(ours)
    const move = () => {
      if (!ours.isConnected) return
      const place = ours.style.left === '0px' ? '300px' : '0px'
      Object.assign(ours.style, { left: place, top: place })
      requestAnimationFrame(() => requestAnimationFrame(move))
    }
    requestAnimationFrame(() => requestAnimationFrame(move))
  })
  const isOurs = (jump: string): boolean => jump.includes('moved-by-the-test')
  await waitFor('our own move to be reported', async () => (await jumps(tab)).some(isOurs))
  await tab.page.evaluate(() => document.querySelector('.moved-by-the-test')?.remove())
  return (await jumps(tab)).filter((jump) => !isOurs(jump))
}
