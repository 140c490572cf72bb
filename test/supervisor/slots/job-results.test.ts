import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import type { SlotEntry } from '../../../src/supervisor/slots/entry.ts'
import { JobResults } from '../../../src/supervisor/slots/job-results.ts'
import { scratchDir } from '../../support/scratch.ts'

let dir: string
beforeEach(() => {
  dir = scratchDir('hermes-results-')
})

const file = (): string => join(dir, 'result')
const ended = (): SlotEntry =>
  ({
    key: 'job-a',
    slot: { state: 'down', lastEnding: { atMs: 5, wallMs: 1000, pid: 7, ending: { exitCode: 3 } } },
    job: { resultFile: file() },
  }) as unknown as SlotEntry

test('a job’s result is kept in its file until its owner has it', () => {
  const warned: string[] = []
  const results = new JobResults((text) => warned.push(text))
  results.keep(ended())
  expect(JSON.parse(readFileSync(file(), 'utf8'))).toEqual({
    state: 'ended',
    ending: { exitCode: 3 },
    at: '1970-01-01T00:00:01.000Z',
  })
  results.drop(ended())
  expect(existsSync(file())).toBe(false)
  expect(warned).toEqual([])
})

test('a file in the place of its new one is neither waited for nor followed', () => {
  const warned: string[] = []
  const results = new JobResults((text) => warned.push(text))
  const scratch = join(dirname(file()), `.${basename(file())}.${process.pid}`)
  execFileSync('mkfifo', [scratch])
  results.keep(ended())
  expect(JSON.parse(readFileSync(file(), 'utf8'))).toMatchObject({ state: 'ended' })
  rmSync(file())
  const other = join(dir, 'other')
  writeFileSync(other, 'mine')
  symlinkSync(other, scratch)
  results.keep(ended())
  expect([readFileSync(other, 'utf8'), existsSync(file()), warned]).toEqual(['mine', true, []])
  rmSync(file())
  mkdirSync(scratch)
  results.keep(ended())
  expect([existsSync(file()), warned]).toEqual([false, [expect.stringContaining(scratch)]])
})
