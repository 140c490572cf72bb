import { spawnSync } from 'node:child_process'
import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  emptyRing,
  HEADER_BYTES,
  isHeader,
  offsetOf,
  type Point,
  RING_BYTES,
} from '../../../src/dashboard/history/ring.ts'
import { readPoints, writePoint } from '../../../src/dashboard/history/ring-file.ts'
import { quickDir } from '../../support/quick-dir.ts'

const NOW = 29_400_000
const point = (minute: number): Point => ({ minute, cpuMillis: 250, memoryKiB: 4096, restarts: 1, queued: 3 })

let dir: string
let file: string
beforeEach(() => {
  dir = quickDir('hermes-ring-')
  file = join(dir, 'slot')
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

test('points survive the process that wrote them, and the file keeps its size and its place on the disk', () => {
  expect(readPoints(file, NOW)).toEqual([])
  writePoint(file, point(NOW - 2))
  const { ino } = statSync(file)
  for (let minute = NOW - 1; minute < NOW + 1500; minute++) writePoint(file, point(minute))
  expect(statSync(file)).toMatchObject({ ino, size: RING_BYTES })
  expect(readPoints(file, NOW + 1499)).toHaveLength(1440)
  expect(readdirSync(dir)).toEqual(['slot'])
})

test.each([
  ['a text', () => writeFileSync(file, 'hello')],
  ['a file of its size', () => writeFileSync(file, Buffer.alloc(RING_BYTES, 7))],
  [
    'a ring that is cut off',
    () => {
      writePoint(file, point(NOW - 1))
      writeFileSync(file, readFileSync(file).subarray(0, 5000))
    },
  ],
  [
    'a ring of another version',
    () => {
      const other = emptyRing()
      other.writeUInt16LE(2, 8)
      writeFileSync(file, other)
    },
  ],
  ['a FIFO', () => expect(spawnSync('mkfifo', [file]).status).toBe(0)],
])('%s has no history, and the next point replaces it', (_, make) => {
  make()
  expect(readPoints(file, NOW)).toEqual([])
  writePoint(file, point(NOW))
  expect(readPoints(file, NOW)).toEqual([point(NOW)])
  expect([lstatSync(file).isFile(), isHeader(readFileSync(file).subarray(0, HEADER_BYTES))]).toEqual([true, true])
})

test('a link is replaced, and the file that it names is neither read nor written', () => {
  const target = join(dir, 'target')
  writePoint(target, point(NOW - 1))
  const before = readFileSync(target)
  symlinkSync(target, file)
  expect(readPoints(file, NOW)).toEqual([])
  writePoint(file, point(NOW))
  expect(readFileSync(target).equals(before)).toBe(true)
  expect(readPoints(file, NOW)).toEqual([point(NOW)])
})

test('a directory in its place is an error for the writer, leaves nothing behind, and no history', () => {
  mkdirSync(join(file, 'inside'), { recursive: true })
  expect(() => writePoint(file, point(NOW))).toThrow(/EISDIR|ENOTEMPTY|EEXIST/)
  expect(readPoints(file, NOW)).toEqual([])
  expect(readdirSync(dir)).toEqual(['slot'])
})

test('a record that was written by half costs one minute', () => {
  writePoint(file, point(NOW - 1))
  writePoint(file, point(NOW))
  const bytes = readFileSync(file)
  bytes.fill(0, offsetOf(NOW) + 9, offsetOf(NOW) + 20)
  writeFileSync(file, bytes)
  expect(readPoints(file, NOW)).toEqual([point(NOW - 1)])
})
