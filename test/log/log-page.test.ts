import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readLogPage } from '../../src/log/io/log-page.ts'

test('something else in the place of a log is passed over, and leaves no descriptor open', () => {
  const dir = mkdtempSync(join(tmpdir(), 'hermes-page-'))
  try {
    const at = '2026-11-22T12:15:10.000Z'
    writeFileSync(join(dir, '20261122T121540.000Z.log'), `${at} one\n`)
    mkdirSync(join(dir, 'current'))
    const count = (): number => readdirSync('/proc/self/fd').length
    const before = count()
    expect(readLogPage('web', dir, { lines: 10 }).lines.map(({ text }) => text)).toEqual(['one'])
    expect(count()).toBe(before)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
