import { expect, test } from 'vitest'
import { decisionsBySentence } from '../../scripts/lint/decisions.ts'

const found = (source: string): readonly string[] => decisionsBySentence('x.ts', source).map(({ text }) => text)

test.each([
  "if (error.message.includes('x')) {}",
  "if ((error as Error).message?.startsWith('x')) {}",
  "const is = (message ?? '').toLowerCase().indexOf('x') >= 0",
  'const is = /x/.test(String(error.message))',
  'const is = PATTERN.exec(slot.reason)',
  "const is = slot.reason !== 'it was stopped'",
  "switch (stderr) { case 'not found': break }",
  "const is = line.includes('has no result')",
  'const is = line.match(/is not on PATH/)',
])('a decision by text is found: %s', (source) => {
  expect(found(source)).not.toEqual([])
})

test.each([
  "if (error.code === 'ENOENT') {}",
  "const is = reason === 'asked'",
  "const is = slot.startsWith('job-')",
  "const text = message.replace('a b', '')",
  'const is = /^\\s*#/.test(line)',
  '// decides by words: SQL\nconst is = /^CREATE TABLE/.test(sql)',
])('codes and formats may decide: %s', (source) => {
  expect(found(source)).toEqual([])
})
