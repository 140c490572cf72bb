import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { INTERNAL_VARIABLES, VARIABLES } from '../../src/cli/variables.ts'
import { MADE_PAGES, MARK } from '../support/reference.ts'

const root = join(import.meta.dirname, '..', '..')
const page = (name: string): string => join(root, 'docs', name)

test.each(Object.keys(MADE_PAGES))('docs/%s says what the code does', (name) => {
  const text = readFileSync(page(name), 'utf8')
  const [before, between, after] = text.split(`${MARK}\n`)
  const made = `\n${MADE_PAGES[name]?.()}\n`
  if (process.env.HERMES_WRITE_DOCS === '1') writeFileSync(page(name), [before, made, after].join(`${MARK}\n`))
  else expect(between).toBe(made)
})

test('every variable that the code reads stands in the list of docs/environment.md', () => {
  const listed = [...VARIABLES, ...INTERNAL_VARIABLES].map(({ name }) => name)
  const read = [
    ...new Set(
      sources().flatMap((text) =>
        [...text.matchAll(/\b(HERMES|API_SERVER|S6)_[A-Z0-9_]*[A-Z0-9]\b/g)].map(([name]) => name),
      ),
    ),
  ]
  const own = ['HERMES_VERSION', 'HERMES_SAVED', 'HERMES_TEST_INSTALL']
  expect(
    read.filter((name) => !listed.includes(name) && !own.includes(name) && !name.startsWith('HERMES_SAVED_')),
  ).toEqual([])
})

function sources(dir = join(root, 'src')): readonly string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) return sources(path)
    // The list itself, and code points of unrelated words, are no readers.
    return path.endsWith('.ts') && !path.endsWith('cli/variables.ts') ? [readFileSync(path, 'utf8')] : []
  })
}
