import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../support/pages.ts'

/** As docs/ARCHITECTURE.md says, "Folders and imports". */
const MOST_FILES = 15

test('no folder of sources has more files than a reader takes in', () => {
  const counts = new Map<string, number>()
  for (const top of ['bin', 'scripts', 'src', 'test'])
    for (const entry of readdirSync(join(root, top), { recursive: true, withFileTypes: true }))
      if (entry.isFile()) counts.set(entry.parentPath, (counts.get(entry.parentPath) ?? 0) + 1)
  expect(counts.size).toBeGreaterThan(50)
  expect([...counts].filter(([, files]) => files > MOST_FILES)).toEqual([])
})
