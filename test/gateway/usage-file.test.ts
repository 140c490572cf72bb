import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import { makeUsageFile, parseReport } from '../../src/gateway/agent/usage-file.ts'

const usage = (inputTokens: number, outputTokens: number, cachedTokens = 0) => ({
  usage: { inputTokens, cachedTokens, outputTokens },
})

test('a program reports in either of OpenAI’s forms, alone or as a part of an answer', () => {
  for (const text of [
    '{"input_tokens": 12, "output_tokens": 3}',
    '{"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}\n',
    '{\n  "usage": {\n    "prompt_tokens": 12,\n    "completion_tokens": 3\n  }\n}\n',
    '{"object": "response", "usage": {"input_tokens": 12, "output_tokens": 3}, "output": []}',
  ])
    expect(parseReport(text)).toEqual(usage(12, 3))
  expect(parseReport('{"input_tokens":12,"output_tokens":3,"input_tokens_details":{"cached_tokens":8}}')).toEqual(
    usage(12, 3, 8),
  )
})

test('of several documents, one in each line, the sum counts', () => {
  expect(parseReport('{"input_tokens":1,"output_tokens":2}\n\n{"prompt_tokens":3,"completion_tokens":4}\n')).toEqual(
    usage(4, 6),
  )
})

test('an empty file reports nothing, and a report with a part that cannot be read counts as none', () => {
  for (const text of ['', '\n \n']) expect(parseReport(text)).toBe(undefined)
  for (const [text, bad] of [
    ['twelve', 1],
    ['[]', 1],
    ['{"input_tokens": "12"}', 1],
    ['{"input_tokens": -1, "output_tokens": 1.5}', 1],
    ['{"input_tokens":1,"output_tokens":2}\n{"input_tokens":1,"outp', 2],
  ] as const)
    expect(parseReport(text)).toEqual({
      problem: `HERMES_USAGE_FILE, document ${bad}: expected JSON with input_tokens and output_tokens, as OpenAI has them`,
    })
})

test('the file is gone with its answer; a link, a directory or too much in its place is a problem', () => {
  const files = [1, 2, 3, 4].map(() => makeUsageFile())
  const [plain, link, directory, large] = files
  expect(plain?.read()).toBe(undefined)
  writeFileSync(plain?.path ?? '', '{"input_tokens":1,"output_tokens":2}')
  symlinkSync(plain?.path ?? '', link?.path ?? '')
  mkdirSync(directory?.path ?? '')
  writeFileSync(large?.path ?? '', ' '.repeat(70_000))
  expect(files.map((file) => file?.read())).toEqual([
    usage(1, 2),
    { problem: 'HERMES_USAGE_FILE is a symbolic link; refusing to follow it' },
    { problem: expect.stringContaining('HERMES_USAGE_FILE ') },
    { problem: 'HERMES_USAGE_FILE is larger than 65536 bytes' },
  ])
  for (const file of files) file?.remove()
  expect(files.map((file) => existsSync(dirname(file?.path ?? '')))).toEqual([false, false, false, false])
})
