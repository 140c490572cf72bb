import { existsSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, test } from 'vitest'
import { anchors, links, pages, root } from '../support/pages.ts'

const all = pages()

test('there are pages, links and anchors to check', () => {
  expect(all.length).toBeGreaterThan(15)
  expect(all.flatMap(links).length).toBeGreaterThan(30)
  expect(all.flatMap(anchors)).toContain('one-container-at-a-time')
})

test.each(all)('every link of $path leads somewhere', (page) => {
  const broken = links(page).filter((link) => {
    if (/^https?:/.test(link)) return false
    const [file = '', anchor] = link.split('#')
    const path = file === '' ? page.path : normalize(join(dirname(page.path), file))
    if (!existsSync(join(root, path))) return true
    if (anchor === undefined || statSync(join(root, path)).isDirectory()) return false
    const target = all.find((one) => one.path === path)
    return target !== undefined && !anchors(target).includes(anchor)
  })
  expect(broken).toEqual([])
})

test('every page of docs/ can be reached from the README', () => {
  const reached = new Set<string>()
  const open = ['README.md']
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const page = all.find((one) => one.path === path)
    if (page === undefined || reached.has(path)) continue
    reached.add(path)
    open.push(...links(page).map((link) => normalize(join(dirname(page.path), link.split('#')[0] ?? ''))))
  }
  expect(all.map(({ path }) => path).filter((path) => !reached.has(path) && path !== 'CHANGELOG.md')).toEqual([])
})
