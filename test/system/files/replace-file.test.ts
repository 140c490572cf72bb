import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { replaceFileDurably, replaceFileSync } from '../../../src/system/files/replace-file.ts'
import { scratchDir } from '../../support/scratch.ts'

let dir: string
let file: string
beforeEach(() => {
  dir = scratchDir('hermes-replace-')
  file = join(dir, 'text')
})

describe.each([
  ['at once', async (text: string, mode: number) => replaceFileSync(file, text, { mode })],
  ['durably', async (text: string, mode: number) => replaceFileSync(file, text, { mode, durable: true })],
  ['off the main thread', (text: string, mode: number) => replaceFileDurably(file, text, mode)],
])('a file that is replaced %s', (_, replace) => {
  test('has the new content and mode, and nothing else is left', async () => {
    await replace('one', 0o600)
    await replace('two', 0o644)
    expect([readFileSync(file, 'utf8'), statSync(file).mode & 0o777]).toEqual(['two', 0o644])
    expect(readdirSync(dir)).toEqual(['text'])
  })

  test('replaces a link, and leaves what it leads to', async () => {
    const other = join(dir, 'other')
    writeFileSync(other, 'theirs')
    symlinkSync(other, file)
    await replace('mine', 0o600)
    expect([readFileSync(file, 'utf8'), readFileSync(other, 'utf8')]).toEqual(['mine', 'theirs'])
  })

  test('stays as it was when it cannot be replaced, and nothing is left of the attempt', async () => {
    mkdirSync(file)
    writeFileSync(join(file, 'inside'), '')
    await expect(replace('text', 0o600)).rejects.toMatchObject({
      code: expect.stringMatching(/EISDIR|ENOTEMPTY|EEXIST/),
    })
    expect([readdirSync(dir), readdirSync(file)]).toEqual([['text'], ['inside']])
  })
})

test.each([
  ['a file that a kill has left', (at: string) => writeFileSync(at, 'half')],
  ['a FIFO', (at: string) => execFileSync('mkfifo', [at])],
  ['a link', (at: string) => symlinkSync('/etc/passwd', at)],
])('%s under the name of the next content does not block the replacement', (_, plant) => {
  plant(join(dir, `.text.${process.pid}`))
  replaceFileSync(file, 'new', { mode: 0o600 })
  expect([readFileSync(file, 'utf8'), readdirSync(dir)]).toEqual(['new', ['text']])
})
