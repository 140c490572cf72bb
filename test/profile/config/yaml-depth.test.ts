import { beforeAll, expect, test } from 'vitest'
import { parseConfig } from '../../../src/profile/config/config.ts'
import { isTooDeep } from '../../../src/profile/config/yaml-depth.ts'
import { configText } from '../../../src/profile/directory/templates.ts'
import { cpuMs } from '../../support/wait.ts'

const deep: readonly (readonly [string, string])[] = [
  ['brackets', '['.repeat(65_000)],
  ['braces', '{a: '.repeat(16_000)],
  ['lists in lists on one line', `${'- '.repeat(30_000)}x`],
  ['keys that are maps', `${'? '.repeat(30_000)}x`],
  ['sections in sections', Array.from({ length: 350 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
  ['keys that are maps, behind a section', `a:\n  b:\n    ${'? '.repeat(30_000)}`],
  ['lists of keys that are maps', '- ? '.repeat(16_000)],
  ['brackets behind a section', `gateway:\n  command: ${'['.repeat(60_000)}`],
]

// The parser is loaded with the first text.
beforeAll(() => void parseConfig('description: x', 'x'))

// Half a second each where the parser gets to see them.
test.each(deep)('64 KB of %s are refused at once, with a line', (_, text) => {
  const ms = cpuMs(() =>
    expect(parseConfig(text, 'config.yaml').problems).toEqual([
      { file: 'config.yaml', key: '', message: 'expected YAML: at most 100 levels of sections and lists' },
    ]),
  )
  expect(ms).toBeLessThan(2000)
})

test.each([
  ['the seeded file', configText(true)],
  ['a list of ten thousand', Array.from({ length: 10_000 }, (_, i) => `- [${i}, {a: [b]}]`).join('\n')],
  ['brackets in texts that are closed', `description: "${'[]{}'.repeat(1000)}"`],
  ['sections beside sections', Array.from({ length: 5000 }, (_, i) => `a${i}:\n  b:\n    - c: [1]`).join('\n')],
])('%s is not too deep', (_, text) => {
  expect(isTooDeep(text)).toBe(false)
})
