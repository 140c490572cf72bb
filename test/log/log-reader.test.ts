import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { beforeEach, expect, test } from 'vitest'
import { archiveName } from '../../src/log/archives.ts'
import { lastLines } from '../../src/log/history/file-lines.ts'
import { LogReader } from '../../src/log/io/log-reader.ts'
import type { LogLine } from '../../src/log/line.ts'
import { stampText } from '../../src/log/stamp.ts'
import { scratchDir } from '../support/scratch.ts'
import { fakeClock } from '../support/supervisor/fake-clock.ts'
import { waitFor } from '../support/wait.ts'
import { LogScene } from './scene.ts'

const NOON = Date.UTC(2026, 10, 22, 12)
const at = (second: number, text: string): string => `${stampText(NOON + second * 1000)}${text}\n`
const texts = (lines: Iterable<LogLine>): string[] => [...lines].map(({ text }) => text)

let home: string
beforeEach(() => {
  home = scratchDir('hermes-reader-')
})

/** A log directory with archives, oldest first, and a `current`. */
function makeLog(slot: string, files: readonly string[]): { slot: string; dir: string } {
  const dir = join(home, slot)
  mkdirSync(dir)
  files.forEach((content, i) => {
    const name = i === files.length - 1 ? 'current' : archiveName(NOON + (i + 1) * 10_000)
    writeFileSync(join(dir, name), content)
  })
  return { slot, dir }
}

test('the last lines are found across archives, oldest first', () => {
  const source = makeLog('web', [at(1, 'a') + at(2, 'b'), at(11, 'c') + at(12, 'd'), at(21, 'e')])
  const history = (lines: number): string[] => texts(new LogReader([source]).history({ lines }))
  expect(history(1)).toEqual(['e'])
  expect(history(2)).toEqual(['d', 'e'])
  expect(history(4)).toEqual(['b', 'c', 'd', 'e'])
  expect(history(50)).toEqual(['a', 'b', 'c', 'd', 'e'])
  expect(history(0)).toEqual([])
})

test('a line is given with its slot, its instant and its text', () => {
  const reader = new LogReader([makeLog('web', ['', at(1, 'h\u00e9llo ')])])
  expect([...reader.history({})]).toEqual([
    { slot: 'web', at: '2026-11-22T12:00:01.000Z', atMs: NOON + 1000, text: 'h\u00e9llo ' },
  ])
})

test('a line without a stamp, from a foreign file, keeps the place after the line before it', () => {
  const a = makeLog('a', [`older than any\n${at(1, 'one')}no stamp\n`])
  const b = makeLog('b', [at(1, 'uno') + at(2, 'dos')])
  expect(texts(new LogReader([a, b]).history({}))).toEqual(['older than any', 'one', 'no stamp', 'uno', 'dos'])
})

test('since an instant: older lines and older archives are passed over', () => {
  const source = makeLog('web', [at(1, 'a') + at(2, 'b'), at(11, 'c') + at(12, 'd'), at(21, 'e')])
  const since = (second: number, lines?: number): string[] =>
    texts(new LogReader([source]).history({ sinceMs: NOON + second * 1000, ...(lines !== undefined && { lines }) }))
  expect(since(0)).toEqual(['a', 'b', 'c', 'd', 'e'])
  expect(since(12)).toEqual(['d', 'e'])
  expect(since(2, 2)).toEqual(['d', 'e'])
  expect(since(99)).toEqual([])
})

test('several slots are merged by time, and the limit counts them together', () => {
  const a = makeLog('a', [at(1, 'a1') + at(4, 'a4'), at(5, 'a5')])
  const b = makeLog('b', [at(2, 'b2') + at(6, 'b6')])
  const c = makeLog('c', [at(3, 'c3')])
  expect(texts(new LogReader([a, b, c]).history({}))).toEqual(['a1', 'b2', 'c3', 'a4', 'a5', 'b6'])
  expect(texts(new LogReader([a, b, c]).history({ lines: 3 }))).toEqual(['a4', 'a5', 'b6'])
})

test('a log whose clock went back keeps its order', () => {
  const a = makeLog('a', [at(5, 'first') + at(1, 'second') + at(6, 'third')])
  const b = makeLog('b', [at(2, 'x')])
  expect(texts(new LogReader([a, b]).history({}))).toEqual(['x', 'first', 'second', 'third'])
})

test('an unfinished last line is shown, unless a follower will get it whole', () => {
  const source = makeLog('web', [`${at(1, 'whole')}${at(2, 'waiting for the database').trimEnd()}`])
  expect(texts(new LogReader([source]).history({}))).toEqual(['whole', 'waiting for the database'])
  const reader = new LogReader([source])
  expect(texts(reader.history({ lines: 5, wholeLines: true }))).toEqual(['whole'])
})

test('nothing there, a file in place of the directory, a directory in place of a file: no lines, no error', () => {
  const broken = makeLog('broken', [at(1, 'x')])
  unlinkSync(join(broken.dir, 'current'))
  mkdirSync(join(broken.dir, 'current'))
  mkdirSync(join(broken.dir, archiveName(NOON)))
  writeFileSync(join(home, 'plain'), 'x')
  const sources = [{ slot: 'none', dir: join(home, 'none') }, { slot: 'plain', dir: join(home, 'plain') }, broken]
  expect([...new LogReader(sources).history({ lines: 10 })]).toEqual([])
})

test('numbered archives of a file with a name of its own are read oldest first', () => {
  const dir = join(home, 'logs')
  mkdirSync(dir)
  writeFileSync(join(dir, 'supervisor.log.10'), at(1, 'a'))
  writeFileSync(join(dir, 'supervisor.log.2'), at(2, 'b'))
  writeFileSync(join(dir, 'supervisor.log.1'), at(3, 'c'))
  writeFileSync(join(dir, 'supervisor.log.bak'), at(4, 'not ours'))
  writeFileSync(join(dir, 'supervisor.log'), at(5, 'd'))
  expect(texts(new LogReader([{ slot: 'supervisor', dir, name: 'supervisor.log' }]).history({}))).toEqual([
    'a',
    'b',
    'c',
    'd',
  ])
})

test('the last lines of a file are found from its end, wherever blocks are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.integer({ min: 0, max: 100 }), fc.constantFrom(65_535, 65_536, 65_537, 131_072)), {
        maxLength: 12,
      }),
      fc.boolean(),
      fc.integer({ min: 1, max: 14 }),
      (lengths, finished, wanted) => {
        const lines = lengths.map(
          (length, i) => 'abc'[i % 3]!.repeat(length) + (finished || i < lengths.length - 1 ? '\n' : ''),
        )
        const text = lines.join('')
        const path = join(home, 'file')
        writeFileSync(path, text)
        const fd = openSync(path, 'r')
        const { from, found } = lastLines(fd, text.length, wanted)
        closeSync(fd)
        const kept = lines.filter((line) => line !== '').slice(-wanted)
        expect(text.slice(from) === kept.join('')).toBe(true)
        expect(found).toBe(kept.length)
      },
    ),
  )
})

/** Follows in steps: what a look at the files brings. */
function followed(sources: readonly { slot: string; dir: string }[], query?: { lines: number }) {
  const clock = fakeClock()
  let wanted = true
  let ended = false
  const reader = new LogReader(sources)
  const seen: string[] = []
  if (query) for (const { text } of reader.history({ ...query, wholeLines: true })) seen.push(text)
  const done = (async () => {
    for await (const batch of reader.follow(clock, () => wanted)) for (const { text } of batch) seen.push(text)
    ended = true
  })()
  return {
    seen,
    /** Lets it look until `line` has come. */
    until: (line: string) =>
      waitFor(`the line ${line}`, () => {
        clock.advance(200)
        return seen.at(-1) === line
      }),
    async [Symbol.asyncDispose]() {
      wanted = false
      await waitFor('following to end', () => {
        clock.advance(200)
        return ended
      })
      await done
      reader.close()
    },
  }
}

test('following goes on exactly where history ended, a half line included', async () => {
  const source = makeLog('web', [at(1, 'a'), `${at(2, 'b')}${at(3, 'ha').trimEnd()}`])
  await using follower = followed([source], { lines: 10 })
  expect(follower.seen).toEqual(['a', 'b'])
  appendFileSync(join(source.dir, 'current'), `lf\n${at(4, 'c')}`)
  await follower.until('c')
  expect(follower.seen).toEqual(['a', 'b', 'half', 'c'])
})

test('following without history shows what comes from now on', async () => {
  const source = makeLog('web', [at(1, 'old')])
  await using follower = followed([source])
  await waitFor('the first look', () => true)
  appendFileSync(join(source.dir, 'current'), at(2, 'new'))
  await follower.until('new')
  expect(follower.seen).toEqual(['new'])
})

test('several rotations between two looks lose nothing, even if our file was deleted in between', async () => {
  const source = makeLog('web', [at(1, 'a')])
  const current = join(source.dir, 'current')
  await using follower = followed([source], { lines: 1 })
  for (const letter of 'bcd') {
    appendFileSync(current, at(2, `${letter} end of its file`))
    renameSync(current, join(source.dir, archiveName(NOON + letter.charCodeAt(0) * 1000)))
    writeFileSync(current, at(3, `after ${letter}`))
  }
  unlinkSync(join(source.dir, archiveName(NOON + 'b'.charCodeAt(0) * 1000)))
  await follower.until('after d')
  expect(follower.seen).toEqual([
    'a',
    'b end of its file',
    'after b',
    'c end of its file',
    'after c',
    'd end of its file',
    'after d',
  ])
})

test('a log that is emptied, moved away by hand, or whose directory vanishes and comes back is followed on, and nothing old is repeated', async () => {
  const source = makeLog('web', [at(1, 'archived'), at(2, 'the longer line')])
  const current = join(source.dir, 'current')
  await using follower = followed([source], { lines: 1 })
  truncateSync(current)
  appendFileSync(current, at(3, 'b'))
  await follower.until('b')
  renameSync(current, join(source.dir, 'by-hand'))
  writeFileSync(current, at(4, 'c'))
  await follower.until('c')
  rmSync(source.dir, { recursive: true })
  mkdirSync(source.dir)
  writeFileSync(current, at(5, 'd'))
  await follower.until('d')
  expect(follower.seen).toEqual(['the longer line', 'b', 'c', 'd'])
})

test('a log that is not there yet is waited for', async () => {
  const dir = join(home, 'later')
  await using follower = followed([{ slot: 'later', dir }], { lines: 10 })
  mkdirSync(dir)
  writeFileSync(join(dir, 'current'), at(1, 'born'))
  await follower.until('born')
  expect(follower.seen).toEqual(['born'])
})

test('a follower beside a writer that rotates all the time sees every line once', async () => {
  await using scene = new LogScene({ maxBytes: 300, archives: 100_000 })
  await using follower = followed([{ slot: 'web', dir: scene.dir }], { lines: 1 })
  const expected: string[] = []
  for (let i = 0; i < 400; i++) {
    expected.push(`line ${i} ${'x'.repeat(i % 70)}`)
    // In two writes, so that rotations meet unfinished lines.
    scene.write(`line ${i} `)
    scene.write(`${'x'.repeat(i % 70)}\n`)
    if (i % 7 === 0) await follower.until(expected.at(-1) as string)
  }
  await follower.until(expected.at(-1) as string)
  expect(readdirSync(scene.dir).length).toBeGreaterThan(50)
  expect(follower.seen).toEqual(expected)
})
