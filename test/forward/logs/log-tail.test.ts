import { appendFileSync, mkdirSync, readdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LogTail, type Taken } from '../../../src/forward/logs/log-tail.ts'
import { FIRST } from '../../../src/forward/logs/place.ts'
import { archiveName } from '../../../src/log/archives.ts'
import { stampText } from '../../../src/log/stamp.ts'
import { scratchDir } from '../../support/scratch.ts'

const AT = Date.UTC(2026, 10, 22)
const NOWHERE = 10_000_000

function scene() {
  const dir = scratchDir('hermes-tail-')
  const current = join(dir, 'current')
  const write = (...texts: readonly string[]) =>
    appendFileSync(current, texts.map((text) => `${stampText(AT)}${text}\n`).join(''))
  const rotate = (n: number) => {
    renameSync(current, join(dir, archiveName(AT + n)))
    writeFileSync(current, '')
  }
  const texts = ({ lines }: Taken) => lines.map(({ text }) => text)
  return { dir, current, write, rotate, texts, tail: new LogTail(dir) }
}

test('the lines of archives and of the file are taken once each, in order, however small the pieces', () => {
  const { tail, write, rotate, texts } = scene()
  write('a', 'b')
  rotate(1)
  write('c')
  rotate(2)
  write('d', 'e')
  expect(texts(tail.take(FIRST, NOWHERE, AT))).toEqual(['a', 'b', 'c', 'd', 'e'])
  const taken: string[] = []
  let position = FIRST
  for (let i = 0; i < 7; i++) {
    const piece = tail.take(position, 1, AT)
    taken.push(...texts(piece))
    ;({ position } = piece)
  }
  expect(taken).toEqual(['a', 'b', 'c', 'd', 'e'])
  expect(tail.isAtEnd(position)).toBe(true)
})

test('a position stays with its file through rotations, and a line without an end waits for it', () => {
  const { tail, current, write, rotate, texts } = scene()
  write('a')
  appendFileSync(current, `${stampText(AT)}hal`)
  const first = tail.take(FIRST, NOWHERE, AT)
  expect(texts(first)).toEqual(['a'])
  appendFileSync(current, 'f\n')
  write('b')
  rotate(1)
  write('c')
  const second = tail.take(first.position, NOWHERE, AT)
  expect(texts(second)).toEqual(['half', 'b', 'c'])
  expect([first, second].map(({ lostBytes }) => lostBytes)).toEqual([undefined, undefined])
})

test('a new target begins behind the last whole line', () => {
  const { tail, current, write, rotate, texts } = scene()
  write('old')
  rotate(1)
  write('older')
  appendFileSync(current, `${stampText(AT)}ne`)
  const end = tail.end()
  appendFileSync(current, 'w\n')
  expect(texts(tail.take(end, NOWHERE, AT))).toEqual(['new'])
  rmSync(current)
  expect(texts(tail.take(new LogTail(join(current, 'none')).end(), NOWHERE, AT))).toEqual(['old'])
})

test('archives that were removed before they were taken are a loss, with the bytes that were seen', () => {
  const { dir, tail, write, rotate, texts } = scene()
  write('a', 'b')
  const { position } = tail.take(FIRST, 1, AT)
  write('c')
  tail.observe(position)
  rotate(1)
  write('d')
  rotate(2)
  write('e')
  rmSync(join(dir, archiveName(AT + 1)))
  const next = tail.take(position, NOWHERE, AT)
  expect(texts(next)).toEqual(['d', 'e'])
  // "b" and "c" with their stamps.
  expect(next.lostBytes).toBe(2 * `${stampText(AT)}b\n`.length)
  expect(tail.take(next.position, NOWHERE, AT)).toMatchObject({ lines: [], lostBytes: undefined })
})

test('a loss is noticed also after a restart, where no size is known, and where an inode is used again', () => {
  const { dir, current, write, rotate, texts } = scene()
  write('a', 'b')
  const { position } = new LogTail(dir).take(FIRST, 1, AT)
  rotate(1)
  rmSync(join(dir, archiveName(AT + 1)))
  rmSync(current)
  writeFileSync(current, '')
  write('another file of the same length')
  rotate(2)
  const next = new LogTail(dir).take({ ...position, inode: 0 }, NOWHERE, AT)
  expect([texts(next), next.lostBytes]).toEqual([['another file of the same length'], 0])
})

test('a file that was emptied or replaced begins again, and nothing is lost', () => {
  const { tail, current, write, texts } = scene()
  write('a', 'b')
  const first = tail.take(FIRST, NOWHERE, AT)
  truncateSync(current)
  write('c')
  const second = tail.take(first.position, NOWHERE, AT)
  expect([texts(second), second.lostBytes]).toEqual([['c'], undefined])
  rmSync(current)
  write('d')
  const third = tail.take(second.position, NOWHERE, AT)
  expect([texts(third), third.lostBytes]).toEqual([['d'], undefined])
})

test('a directory in the place of an archive, or of the log, has no lines and stops nothing', () => {
  const { dir, tail, current, write, rotate, texts } = scene()
  write('a')
  rotate(1)
  mkdirSync(join(dir, archiveName(AT + 2)))
  write('b')
  expect(texts(tail.take(FIRST, NOWHERE, AT))).toEqual(['a', 'b'])
  rmSync(current)
  mkdirSync(current)
  expect(texts(tail.take(FIRST, NOWHERE, AT))).toEqual(['a'])
  expect(readdirSync(dir)).toHaveLength(3)
})

test('lines without a stamp have the time of the line before them, or now', () => {
  const { tail, current, write } = scene()
  appendFileSync(current, 'foreign\n')
  write('ours')
  appendFileSync(current, 'foreign again\n')
  const { lines } = tail.take(FIRST, NOWHERE, AT - 5)
  expect(lines.map(({ atMs, ns, text }) => [atMs - AT, ns - BigInt(AT) * 1_000_000n, text])).toEqual([
    [-5, -5_000_000n, 'foreign'],
    [0, 0n, 'ours'],
    [0, 1n, 'foreign again'],
  ])
})
