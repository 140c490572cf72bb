import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openEventLog } from '../../src/gateway/event-log.ts'
import { memoryDisk, NO_MOUNT } from '../support/hostile/memory-disk.ts'
import { fakeClock } from '../support/supervisor/fake-clock.ts'
import { waitFor } from '../support/wait.ts'

test('a full disk costs lines and is reported once; with room again, the log goes on by itself', async (context) => {
  using disk = memoryDisk()
  if (!disk) return context.skip(NO_MOUNT)
  const clock = fakeClock()
  const dir = join(disk.path, 'logs')
  const warnings: string[] = []
  const echoed: string[] = []
  const log = openEventLog({
    dir,
    format: 'text',
    clock,
    warn: (text) => warnings.push(text),
    echo: (line) => echoed.push(line),
  })
  // Before the disk goes, which could not be unmounted under an open file.
  await using _closed = { [Symbol.asyncDispose]: () => log.close() }
  const text = (): string => readFileSync(join(dir, 'agent.log'), 'utf8')
  log.logger.info('before')
  await waitFor('the first line', () => text().includes('before'))
  const ballast = disk.fill()
  /** Writes until it fails, and once more after that. */
  const fails = async (count: number): Promise<void> => {
    await waitFor('the disk to be found full', () => {
      log.logger.info('x'.repeat(5000))
      return warnings.length === count
    })
    for (let i = 0; i < 5; i++) {
      clock.advance(10_000)
      log.logger.info('y'.repeat(5000))
      await new Promise(setImmediate)
    }
  }
  await fails(1)
  expect(warnings).toEqual([expect.stringMatching(/agent\.log: ENOSPC/)])
  rmSync(ballast)
  await waitFor('a line again', () => {
    clock.advance(1000)
    log.logger.info('after')
    return text().includes('after')
  })
  // It has been well in between: the next time is news.
  disk.fill()
  await fails(2)
  expect(echoed.length).toBeGreaterThan(10)
})
