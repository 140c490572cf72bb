import { closeSync, fstatSync, writeSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ReadinessPipe } from '../../../src/init/slots/readiness.ts'
import { realNative } from '../../support/supervisor/real-native.ts'
import { waitFor } from '../../support/wait.ts'

function scene() {
  const [read, write] = realNative.pipe({ nonblockingRead: true })
  let count = 0
  const readiness = new ReadinessPipe(read, () => {
    count += 1
  })
  const isOpen = (): boolean => {
    try {
      return fstatSync(read).isFIFO()
    } catch {
      return false
    }
  }
  return { write, readiness, count: () => count, isOpen }
}

test('a newline anywhere is readiness, once, and the descriptor goes', async () => {
  const { write, count, isOpen } = scene()
  writeSync(write, 'getting there')
  writeSync(write, ' now\n\n')
  await waitFor('readiness', () => count() === 1)
  await waitFor('the descriptor to be closed', () => !isOpen())
  closeSync(write)
})

test('a newline that a service wrote just before its end counts, even if it was not read yet', () => {
  const { write, readiness, count } = scene()
  writeSync(write, '\n')
  readiness.finish()
  expect(count()).toBe(1)
  closeSync(write)
})

test('an end without a newline does not count as readiness', async () => {
  const { write, readiness, count, isOpen } = scene()
  writeSync(write, 'almost')
  closeSync(write)
  await waitFor('the end to be seen', () => !isOpen())
  readiness.finish()
  expect(count()).toBe(0)
})

test('with nothing written, and the other end held by a grandchild, the end is an end', () => {
  const { write, readiness, count } = scene()
  readiness.finish()
  expect(count()).toBe(0)
  closeSync(write)
})

test('64 KiB without a newline are enough', async () => {
  const { write, count, isOpen } = scene()
  const chunk = Buffer.alloc(40_000, 'x')
  writeSync(write, chunk)
  await waitFor('it to be read, and the rest to be one too many', () => {
    if (isOpen()) writeSync(write, chunk.subarray(0, 10_000))
    return !isOpen()
  }).catch((error: Error) => {
    // EPIPE: it was closed between the look and the write.
    if (!String(error.cause).includes('EPIPE')) throw error
  })
  expect(count()).toBe(0)
  closeSync(write)
})
