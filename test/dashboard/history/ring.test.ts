import { expect, test } from 'vitest'
import {
  emptyRing,
  encodePoint,
  HEADER_BYTES,
  isHeader,
  offsetOf,
  type Point,
  pointsOf,
  RING_BYTES,
  RING_MINUTES,
} from '../../../src/dashboard/history/ring.ts'

const NOW = 29_400_000
const point = (minute: number): Point => ({ minute, cpuMillis: minute % 997, memoryKiB: 5, restarts: 1, queued: 2 })

function ringOf(minutes: readonly number[]): Buffer {
  const bytes = emptyRing()
  for (const minute of minutes) encodePoint(point(minute)).copy(bytes, offsetOf(minute))
  return bytes
}

const minutesOf = (bytes: Buffer, now: number): readonly number[] => pointsOf(bytes, now).map(({ minute }) => minute)
const span = (first: number, last: number): readonly number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i)

test('a ring has one size, below 64 kB, and says of itself that it is one', () => {
  expect(RING_BYTES).toBeLessThanOrEqual(64_000)
  expect(emptyRing()).toHaveLength(RING_BYTES)
  expect(isHeader(ringOf(span(NOW - 5000, NOW)).subarray(0, HEADER_BYTES))).toBe(true)
  expect(pointsOf(emptyRing(), NOW)).toEqual([])
})

test('every figure of a point comes back; one that does not fit is the largest that does', () => {
  const one = { minute: NOW, cpuMillis: 4_000_000_000, memoryKiB: 4_100_000_000, restarts: 65_535, queued: 65_534 }
  const bytes = emptyRing()
  encodePoint(one).copy(bytes, offsetOf(NOW))
  expect(pointsOf(bytes, NOW)).toEqual([one])
  encodePoint({ minute: NOW, cpuMillis: 1.6, memoryKiB: 1e12, restarts: -3, queued: Number.NaN }).copy(
    bytes,
    offsetOf(NOW),
  )
  expect(pointsOf(bytes, NOW)).toEqual([
    { minute: NOW, cpuMillis: 2, memoryKiB: 4_294_967_295, restarts: 0, queued: 0 },
  ])
})

test('after more than a day, the last day is there, in order, at whatever minute the ring begins', () => {
  for (const now of [NOW, NOW + 1, NOW + 719, NOW + 1439])
    expect(minutesOf(ringOf(span(now - 3000, now)), now)).toEqual(span(now - RING_MINUTES + 1, now))
  // A machine whose clock begins in 1970.
  expect(minutesOf(ringOf(span(0, 20)), 20)).toEqual(span(0, 20))
  expect(minutesOf(emptyRing(), 20)).toEqual([])
})

test('a gap stays a gap, and what is older than a day is not shown in it', () => {
  const bytes = ringOf([...span(NOW - 2000, NOW - 1500), ...span(NOW - 10, NOW - 5), NOW])
  expect(minutesOf(bytes, NOW)).toEqual([...span(NOW - 10, NOW - 5), NOW])
  expect(minutesOf(bytes, NOW + RING_MINUTES)).toEqual([])
})

test('a clock that was set back hides what is in the future, and writes over it as time goes on', () => {
  const bytes = ringOf(span(NOW - 100, NOW))
  expect(minutesOf(bytes, NOW - 60)).toEqual(span(NOW - 100, NOW - 60))
  encodePoint({ ...point(NOW - 59), memoryKiB: 77 }).copy(bytes, offsetOf(NOW - 59))
  expect(pointsOf(bytes, NOW - 59).at(-1)).toMatchObject({ minute: NOW - 59, memoryKiB: 77 })
  // By a day and an hour: the place of each minute is taken by the new time.
  encodePoint(point(NOW - 1500)).copy(bytes, offsetOf(NOW - 1500))
  expect(minutesOf(bytes, NOW - 1500)).toEqual([NOW - 1500])
  expect(minutesOf(bytes, NOW)).not.toContain(NOW - 60)
})

test('a torn record is a gap of one minute, wherever it is torn', () => {
  const before = point(NOW - RING_MINUTES)
  for (let written = 0; written < 20; written++) {
    const bytes = ringOf(span(NOW - 3, NOW - 1))
    encodePoint(before).copy(bytes, offsetOf(NOW))
    encodePoint(point(NOW)).subarray(0, written).copy(bytes, offsetOf(NOW))
    expect(minutesOf(bytes, NOW), `${written} bytes`).toEqual(span(NOW - 3, NOW - 1))
  }
})

test('another version, another program’s file and a header that is cut off are not rings', () => {
  const ring = ringOf([NOW])
  for (let at = 0; at < 16; at++) {
    const other = Buffer.from(ring)
    other.writeUInt8(other.readUInt8(at) ^ 1, at)
    expect(isHeader(other.subarray(0, HEADER_BYTES)), `byte ${at}`).toBe(false)
  }
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(HEADER_BYTES), ring.subarray(0, HEADER_BYTES - 1)])
    expect(isHeader(bytes)).toBe(false)
})
