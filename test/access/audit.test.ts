import { linkSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { auditLine, type Change, matches, parseAuditLine } from '../../src/access/audit-entry.ts'
import { AuditFile, appendAudit, MAX_AUDIT_BYTES } from '../../src/access/audit-file.ts'
import { readAudit } from '../../src/access/audit-read.ts'
import { scratchDir } from '../support/scratch.ts'
import { fakeClock } from '../support/supervisor/fake-clock.ts'

const change: Change = { actor: 'root', via: 'cli', action: 'gateway restart', target: 'coder', result: 'done' }
const fileOf = (home: string): string => join(home, 'logs', 'audit.log')
const targets = (home: string, limit = 1000) => readAudit(home, {}, limit).entries.map(({ target }) => target)

test('a line has the change and its time, and reads as it was written', () => {
  const line = auditLine(change, Date.UTC(2026, 0, 2))
  expect(line).toBe(
    '{"time":"2026-01-02T00:00:00.000Z","actor":"root","via":"cli","action":"gateway restart","target":"coder","result":"done"}\n',
  )
  expect(parseAuditLine(line)).toEqual({ time: '2026-01-02T00:00:00.000Z', ...change })
  expect(parseAuditLine(auditLine({ ...change, target: null, more: 3 }, 0))).toMatchObject({ target: null, more: 3 })
  expect(auditLine({ ...change, target: 'x'.repeat(9000) }, 0).length).toBeLessThan(400)
})

test.each(['', 'x', 'null', '7', '[]', '{}', '{"time":"2026-01-02T00:00:00.000Z"}', auditLine(change, 0).slice(0, 60)])(
  'a line that is not an entry is left out: %s',
  (line) => expect(parseAuditLine(line)).toBeUndefined(),
)

test('a way that is not known, and a time that is not one, make a line invalid', () => {
  const line = auditLine(change, 0)
  expect(parseAuditLine(line.replace('"cli"', '"root"'))).toBeUndefined()
  expect(parseAuditLine(line.replace('1970-01-01T', 'yesterday'))).toBeUndefined()
})

test('a filter takes whole words of an action, one actor, and everything since a time', () => {
  const entry = { time: '2026-01-02T00:00:00.000Z', ...change }
  const fits = (filter: Parameters<typeof matches>[1]) => matches(entry, filter)
  expect([{}, { action: 'gateway' }, { action: 'gateway restart' }, { actor: 'root' }].map(fits)).toEqual(
    Array(4).fill(true),
  )
  expect([{ action: 'gate' }, { action: 'restart' }, { actor: 'ro' }].map(fits)).toEqual(Array(3).fill(false))
  const atMs = Date.parse(entry.time)
  expect([fits({ sinceMs: atMs }), fits({ sinceMs: atMs + 1 })]).toEqual([true, false])
})

test('the file is made with mode 0600 and read from its end', () => {
  const home = scratchDir('audit-')
  for (const target of ['a', 'b', 'c']) appendAudit(home, auditLine({ ...change, target }, 0))
  expect(lstatSync(fileOf(home)).mode & 0o777).toBe(0o600)
  expect(targets(home)).toEqual(['a', 'b', 'c'])
  expect(targets(home, 2)).toEqual(['b', 'c'])
  expect(readAudit(home, { action: 'kanban' }, 5)).toEqual({ entries: [], problems: [] })
  expect(readAudit(join(home, 'nosuch'), {}, 5)).toEqual({ entries: [], problems: [] })
})

test('a line that was torn by a full disk takes no other one with it', () => {
  const home = scratchDir('audit-')
  appendAudit(home, auditLine({ ...change, target: 'a' }, 0))
  writeFileSync(fileOf(home), auditLine({ ...change, target: 'torn' }, 0).slice(0, 50), { flag: 'a' })
  appendAudit(home, auditLine({ ...change, target: 'b' }, 0))
  expect(targets(home)).toEqual(['a', 'b'])
})

test('before a line that would pass the limit the file is moved aside; the three last ones are kept and read', () => {
  const home = scratchDir('audit-')
  for (const target of ['1', '2', '3', '4', '5']) {
    appendAudit(home, auditLine({ ...change, target }, 0))
    const { size } = lstatSync(fileOf(home))
    writeFileSync(fileOf(home), `${'x'.repeat(MAX_AUDIT_BYTES - size - 1)}\n`, { flag: 'a' })
  }
  appendAudit(home, auditLine({ ...change, target: '6' }, 0))
  expect(lstatSync(fileOf(home)).size).toBeLessThan(400)
  expect(targets(home)).toEqual(['3', '4', '5', '6'])
  expect(lstatSync(`${fileOf(home)}.3`).size).toBeLessThanOrEqual(MAX_AUDIT_BYTES)
})

test.each([
  ['a link', (file: string, other: string) => symlinkSync(other, file)],
  ['a second name of another file', (file: string, other: string) => linkSync(other, file)],
  ['a directory', (file: string) => mkdirSync(file)],
])('%s in the place of the file is not written through, and one line says so', (_, plant) => {
  const home = scratchDir('audit-')
  const other = join(home, 'other')
  writeFileSync(other, 'as it was\n')
  mkdirSync(join(home, 'logs'))
  plant(fileOf(home), other)
  const warnings: string[] = []
  const file = new AuditFile({ home, clock: fakeClock(), warn: (text) => warnings.push(text) })
  file.write(change)
  file.write(change)
  expect(warnings).toEqual([expect.stringMatching(/^\S+\/logs\/audit\.log: .+; changes are missing there/)])
  expect(readFileSync(other, 'utf8')).toBe('as it was\n')
})
