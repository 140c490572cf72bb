import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { Journal } from '../../../src/log/io/journal.ts'
import { scratchDir } from '../../support/scratch.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'

let dir = ''
beforeEach(() => {
  dir = scratchDir('journal-')
})

function makeJournal(json = false) {
  const console: string[] = []
  const journal = new Journal({
    console: { write: (line) => void console.push(line.toString()) },
    json,
    clock: fakeClock(),
  })
  return { journal, console, file: join(dir, 'logs', 'supervisor.log') }
}
const stamp = '2026-11-22T12:15:18.810Z'

test('a line goes to the console at once, and to the file as soon as the volume is ours', () => {
  const { journal, console, file } = makeJournal()
  journal.info('first')
  journal.warn('look\nhere')
  expect(console).toEqual(['hermes: first\n', 'hermes: warning: look here\n'])
  journal.open(file)
  journal.error('third')
  expect(readFileSync(file, 'utf8')).toBe(`${stamp} INFO first\n${stamp} WARN look here\n${stamp} ERROR third\n`)
  journal.close()
})

test('LOG_FORMAT=json makes the console lines JSON; the file stays readable', () => {
  const { journal, console, file } = makeJournal(true)
  journal.open(file)
  journal.warn('disk is full')
  expect(JSON.parse(console[0] ?? '')).toEqual({
    time: stamp,
    level: 'warn',
    component: 'supervisor',
    message: 'disk is full',
  })
  expect(readFileSync(file, 'utf8')).toBe(`${stamp} WARN disk is full\n`)
  journal.close()
})

test("init's lines are on the console already and go to the file only", () => {
  const { journal, console, file } = makeJournal()
  journal.open(file)
  journal.note('info', 'boot')
  expect(console).toEqual([])
  expect(readFileSync(file, 'utf8')).toBe(`${stamp} INFO boot\n`)
  journal.close()
})

test('the file is moved aside before it passes 5 MB, and three old ones are kept', () => {
  const { journal, file } = makeJournal()
  mkdirSync(join(dir, 'logs'))
  writeFileSync(file, 'x'.repeat(4_999_990))
  journal.open(file)
  for (let i = 0; i < 4; i++) {
    journal.note('info', 'one more line')
    journal.close()
    writeFileSync(file, 'x'.repeat(4_999_990))
  }
  journal.note('info', 'one more line')
  expect(readdirSync(join(dir, 'logs')).sort()).toEqual([
    'supervisor.log',
    'supervisor.log.1',
    'supervisor.log.2',
    'supervisor.log.3',
  ])
  for (const name of readdirSync(join(dir, 'logs')))
    expect(statSync(join(dir, 'logs', name)).size).toBeLessThanOrEqual(5_000_000)
  journal.close()
})

test('a file that cannot be written is reported once on the console, and written again when it can be', () => {
  const { journal, console, file } = makeJournal()
  mkdirSync(file, { recursive: true }) // a directory in its place
  journal.open(file)
  journal.note('info', 'lost')
  journal.note('info', 'lost too')
  expect(console).toEqual([expect.stringContaining(`${file} cannot be written`)])
  rmSync(file, { recursive: true })
  journal.note('info', 'kept')
  expect(readFileSync(file, 'utf8')).toBe(`${stamp} INFO kept\n`)
  chmodSync(file, 0o600)
  journal.close()
})
