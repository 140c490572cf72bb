// docs/image.md against the install tree.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { installDir } from '../../support/install.ts'
import { root } from '../../support/pages.ts'

/** Rounding, and what a version may change before the page is made anew. */
const SLACK_MB = 0.15
const SLACK = 0.15

/** `supervisor.js` -> supervisor; `dashboard/assets/…` -> dashboard */
const partOf = (file: string): string => (file.split('/')[0] ?? '').replace(/\.(js|cjs|cache|node|json)$/, '')

test('the page names every file of the install once, with the size of its feature', () => {
  const lib = join(installDir(), 'lib')
  const sizes = new Map<string, number>()
  for (const entry of readdirSync(lib, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name)
    const part = partOf(relative(lib, file))
    if (entry.isFile()) sizes.set(part, (sizes.get(part) ?? 0) + statSync(file).size)
  }
  const page = readFileSync(join(root, 'docs', 'image.md'), 'utf8')
  const [, table = ''] = /^## What each feature adds\n(.*?)^## /ms.exec(`${page}\n## `) ?? []
  const rows = [...table.matchAll(/^\| ([^|]+) \| (`[^|]+`) \| ([\d.]+) \|$/gm)].map(([, feature, files = '', mb]) => ({
    feature,
    parts: [...files.matchAll(/`([^`]+)`/g)].map(([, part = '']) => part),
    mb: Number(mb),
  }))
  expect(rows.flatMap(({ parts }) => parts).sort()).toEqual([...sizes.keys()].sort())
  const wrong = rows.flatMap(({ feature, parts, mb }) => {
    const real = parts.reduce((sum, part) => sum + (sizes.get(part) ?? 0), 0) / 1e6
    return Math.abs(real - mb) <= SLACK_MB + SLACK * real ? [] : [`${feature}: ${real.toFixed(1)} MB, not ${mb}`]
  })
  expect(wrong).toEqual([])
})
