import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { AuditLog } from '../../src/dashboard/auth/audit.ts'
import { memoryDisk, NO_MOUNT } from '../support/hostile/memory-disk.ts'
import { scratchDir } from '../support/scratch.ts'
import { fakeClock } from '../support/supervisor/fake-clock.ts'
import { waitFor } from '../support/wait.ts'

test('after a full disk log-ins are written down again', async (context) => {
  using disk = memoryDisk()
  if (!disk) return context.skip(NO_MOUNT)
  const clock = fakeClock()
  const warnings: string[] = []
  const ballast = disk.fill()
  const log = new AuditLog(disk.path, clock, (text) => warnings.push(text))
  await using _closed = { [Symbol.asyncDispose]: () => log.close() }
  await waitFor('the disk to be found full', () => {
    log.write({ event: 'login', address: 'x'.repeat(200) })
    return warnings.length > 0
  })
  expect(warnings).toEqual([expect.stringMatching(/dashboard-auth\.log: ENOSPC.*lines are missing/)])
  rmSync(ballast)
  await waitFor('a log-in', () => {
    clock.advance(10_000)
    log.write({ event: 'login', user: 'me', address: '::1' })
    return readFileSync(join(disk.path, 'logs', 'dashboard-auth.log'), 'utf8').includes('"user":"me"')
  })
})

test('the file is there before the first line, for those who follow it', async () => {
  const home = scratchDir('hermes-audit-')
  const log = new AuditLog(home, fakeClock(), () => undefined)
  const file = join(home, 'logs', 'dashboard-auth.log')
  expect(existsSync(file)).toBe(false)
  log.open()
  await waitFor('the file', () => existsSync(file))
  await log.close()
  expect(readFileSync(file, 'utf8')).toBe('')
})
