import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const page = readFileSync('docs/security.md', 'utf8')
/** Rows of the tables of tests: | sentence | `file`: name of the test | */
const rows = [...page.matchAll(/^\|[^\n]*\| `(test\/[^`]+\.test\.ts)`: ([^\n]*) \|$/gm)].map(
  ([, file = '', name = '']) => ({
    file,
    name,
  }),
)

test('the security page names a test for each sentence of its tables', () => {
  const tables = page.split(/^\| sentence \| test \|$/m).slice(1)
  const sentences = tables.flatMap((text) => (text.split('\n\n')[0] ?? '').split('\n').slice(2))
  expect(sentences.filter((line) => line.startsWith('|'))).toHaveLength(rows.length)
  expect(rows.length).toBeGreaterThan(5)
})

test.each(rows)('$file has a test named "$name"', ({ file, name }) => {
  const source = readFileSync(file, 'utf8')
  expect(['test', 'contract'].some((call) => new RegExp(`${call}[^\\n]*\\(\\s*['"\`]`).test(source))).toBe(true)
  expect(source).toContain(name)
})
