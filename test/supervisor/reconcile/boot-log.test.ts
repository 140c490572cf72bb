import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import {
  appendBootLog,
  bootLines,
  MAX_BOOT_LOG_BYTES,
  removeStaleFiles,
} from '../../../src/supervisor/reconcile/boot-log.ts'
import type { ReconcileStep } from '../../../src/supervisor/reconcile/plan.ts'
import { readProcess } from '../../../src/system/programs/proc.ts'
import { scratchDir } from '../../support/scratch.ts'

let dir: string
beforeEach(() => {
  dir = scratchDir('hermes-boot-')
})
const log = (): string => join(dir, 'container-boot.log')

const register = (
  profile: string,
  start: boolean,
  priorState: string | null,
  priorExit: 'clean' | 'unclean' | 'unknown',
): ReconcileStep => ({
  type: 'register',
  profile,
  start,
  priorState,
  priorExit,
  warnings: ['not for this log'],
})

test('one line per profile, default first, then by name, skipped ones with their reason', () => {
  const steps: ReconcileStep[] = [
    register('zeta', false, null, 'unknown'),
    register('default', true, 'running', 'clean'),
    register('coder', true, 'draining', 'unclean'),
    { type: 'skip', name: 'Bad "Name"', reason: 'the "name" is no name' },
    { type: 'skip', name: 'default', reason: 'the name is reserved' },
    { type: 'keep', profiles: ['a'], reason: 'not for this log' },
    { type: 'skip-more', count: 49_980 },
  ]
  expect(bootLines(steps, Date.UTC(2026, 10, 22, 12, 15, 18, 810))).toEqual([
    '2026-11-22T12:15:18.810Z profile=default prior_state=running action=started prior_exit=clean',
    '2026-11-22T12:15:18.810Z profile="Bad \\"Name\\"" prior_state=none action=skipped prior_exit=unknown reason="the \\"name\\" is no name"',
    '2026-11-22T12:15:18.810Z profile=coder prior_state=draining action=started prior_exit=unclean',
    '2026-11-22T12:15:18.810Z profile=zeta prior_state=none action=registered prior_exit=unknown',
    '2026-11-22T12:15:18.810Z profile=* action=skipped reason="and 49980 more"',
  ])
})

test('a name with a line break or a control character cannot forge a line', () => {
  const [line] = bootLines([{ type: 'skip', name: 'x\n2026 profile=evil', reason: 'a\nb' }], 0)
  expect(line).not.toContain('\n')
})

test('lines are appended; past 256 KiB the log is moved aside first, replacing the one before', () => {
  appendBootLog(log(), ['one'])
  appendBootLog(log(), ['two', 'three'])
  expect(readFileSync(log(), 'utf8')).toBe('one\ntwo\nthree\n')
  const full = `${'x'.repeat(MAX_BOOT_LOG_BYTES - 1)}\n`
  writeFileSync(log(), full)
  writeFileSync(`${log()}.1`, 'older')
  appendBootLog(log(), ['new'])
  expect(readFileSync(log(), 'utf8')).toBe('new\n')
  expect(readFileSync(`${log()}.1`, 'utf8')).toBe(full)
})

test('the lines of one boot do not take it past 256 KiB either, and the last ones are the ones that stay', () => {
  const lines = Array.from({ length: 10_000 }, (_, i) => `${i} ${'x'.repeat(100)}`)
  appendBootLog(log(), lines)
  expect(readFileSync(log()).length).toBeLessThanOrEqual(MAX_BOOT_LOG_BYTES)
  expect(readFileSync(`${log()}.1`).length).toBeLessThanOrEqual(MAX_BOOT_LOG_BYTES)
  const kept = `${readFileSync(`${log()}.1`, 'utf8')}${readFileSync(log(), 'utf8')}`.trimEnd().split('\n')
  expect(kept).toEqual(lines.slice(-kept.length))
})

test('it may grow to 256 KiB exactly', () => {
  writeFileSync(log(), `${'x'.repeat(MAX_BOOT_LOG_BYTES - 5)}\n`)
  appendBootLog(log(), ['abc'])
  expect(readdirSync(dir)).toEqual(['container-boot.log'])
  expect(readFileSync(log()).length).toBe(MAX_BOOT_LOG_BYTES)
})

test('no lines, no file', () => {
  appendBootLog(log(), [])
  expect(readdirSync(dir)).toEqual([])
})

test('a link or a FIFO in its place is an error, not a trap', () => {
  writeFileSync(join(dir, 'victim'), 'precious')
  symlinkSync('victim', log())
  expect(() => appendBootLog(log(), ['x'])).toThrow(/ELOOP/)
  expect(readFileSync(join(dir, 'victim'), 'utf8')).toBe('precious')
  rmSync(log())
  execFileSync('mkfifo', [log()])
  expect(() => appendBootLog(log(), ['x'])).toThrow(/ENXIO/)
})

test('stale pid files go, links are not followed, and what cannot be removed is named', () => {
  expect(removeStaleFiles(dir, 'default')).toEqual([])
  writeFileSync(join(dir, 'gateway.pid'), '{"pid": 999999999, "start_time": 1}')
  writeFileSync(join(dir, 'victim'), 'precious')
  symlinkSync('victim', join(dir, 'processes.json'))
  expect(removeStaleFiles(dir, 'default')).toEqual([])
  expect(readdirSync(dir)).toEqual(['victim'])
  mkdirSync(join(dir, 'gateway.pid'))
  expect(removeStaleFiles(dir, 'default')).toEqual([expect.stringContaining(join(dir, 'gateway.pid'))])
})

test('the pid file of a gateway that runs by hand stays; one whose pid is another process by now goes', () => {
  const own = readProcess(process.pid)
  writeFileSync(join(dir, 'gateway.pid'), JSON.stringify({ pid: process.pid, start_time: own?.startTime }))
  expect(removeStaleFiles(dir, 'default')).toEqual([expect.stringContaining(`process ${process.pid} holds it`)])
  expect(readdirSync(dir)).toEqual(['gateway.pid'])
  const alive = process.pid
  const never = 99_999_999
  const stales = [
    { pid: alive, start_time: 1 },
    { pid: alive },
    { pid: never },
    { pid: -1 },
    { pid: 'x' },
    alive,
    never,
    null,
  ]
  for (const stale of [...stales.map((one) => JSON.stringify(one)), '', '[]', '{']) {
    writeFileSync(join(dir, 'gateway.pid'), stale)
    expect(removeStaleFiles(dir, 'default')).toEqual([])
    expect(readdirSync(dir)).toEqual([])
  }
})
