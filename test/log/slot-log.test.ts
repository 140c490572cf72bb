import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SlotLog } from '../../src/log/io/slot-log.ts'
import { PIECE_BYTES } from '../../src/log/lines.ts'
import { STAMP_BYTES } from '../../src/log/stamp.ts'
import { waitFor } from '../support/wait.ts'
import { LogScene, makeFifo, unstamped } from './scene.ts'

const STAMP = '2026-11-22T12:15:18.810Z '

test('each line is stamped in the file and goes raw, in whole lines, to the console and to followers', async () => {
  await using scene = new LogScene()
  scene.write('one\ntw')
  scene.write('o\nthree')
  expect(scene.current()).toBe(`${STAMP}one\n${STAMP}two\n${STAMP}three`)
  expect(scene.copied).toEqual(['one\n', 'two\n'])
  expect(scene.tapped).toEqual(scene.copied)
})

test('a prefix names the slot in the console copy only', async () => {
  await using scene = new LogScene({ form: 'prefixed' })
  scene.write('one\ntwo\n')
  expect(scene.copied).toEqual(['[web] one\n[web] two\n'])
  expect(scene.tapped).toEqual(['one\ntwo\n'])
  expect(scene.text()).toBe('one\ntwo\n')
})

test('as JSON, the console copy is an object a line, with time and slot; file and followers have the line', async () => {
  await using scene = new LogScene({ form: 'json' })
  scene.write('one "two"\n\n{"level":30}\nhal')
  scene.write(Uint8Array.from([0xff, 10]))
  const objects = scene.copied.join('').trimEnd().split('\n')
  const time = new Date(scene.clock.wallMs()).toISOString()
  expect(objects.map((text) => JSON.parse(Buffer.from(text, 'latin1').toString()))).toEqual(
    ['one "two"', '', '{"level":30}', 'hal\ufffd'].map((line) => ({ time, slot: 'web', line })),
  )
  expect(scene.tapped[0]).toBe('one "two"\n\n{"level":30}\n')
  expect(scene.text().startsWith('one "two"\n\n{"level":30}\nhal')).toBe(true)
})

test('a last line without a newline is kept and finished when the process ends', async () => {
  await using scene = new LogScene()
  scene.write('panic: no newl')
  scene.log.endOfProcess()
  scene.log.endOfProcess()
  expect(scene.text()).toBe('panic: no newl\n')
  expect(scene.copied).toEqual(['panic: no newl\n'])
})

test('a line that was open when the supervisor died goes on if the service lives, else it is closed', async () => {
  await using scene = new LogScene()
  scene.write('half a ')
  await scene.reopen(true)
  scene.write('line\nanother ha')
  expect(scene.copied).toEqual(['half a line\n'])
  await scene.reopen(false)
  expect(scene.current().endsWith('another ha\n')).toBe(true)
  scene.write('fresh\n')
  expect(scene.text()).toBe('half a line\nanother ha\nfresh\n')
})

test('a line longer than a piece goes on in stamped pieces that are marked', async () => {
  await using scene = new LogScene()
  const long = 'abcdefgh'.repeat(PIECE_BYTES / 4) // exactly two pieces
  scene.write(`${long}\nshort\n${long}x\n`)
  const piece = long.slice(0, PIECE_BYTES)
  expect(scene.text() === `${piece}\n+ ${piece}\nshort\n${piece}\n+ ${piece}\n+ x\n`).toBe(true)
  expect(scene.copied.join('') === scene.text()).toBe(true)
})

test('a line that never ends takes no more memory than a piece', async () => {
  await using scene = new LogScene({ maxBytes: 20_000_000, console: null })
  for (let i = 0; i < 5000; i++) scene.write('byte')
  expect(scene.text()).toBe('byte'.repeat(5000))
})

test('a write that would pass the limit goes to a new file', async () => {
  await using scene = new LogScene({ maxBytes: 2 * (STAMP_BYTES + 4) })
  scene.write('one\ntwo\n')
  expect(scene.archives()).toEqual([])
  scene.write('x\n')
  expect(scene.archives()).toEqual(['20261122T121518.810Z.log'])
  expect(scene.files().map(unstamped)).toEqual(['one\ntwo\n', 'x\n'])
})

test('a line that a rotation finds unfinished moves to the new file as a whole', async () => {
  await using scene = new LogScene({ maxBytes: 100 })
  scene.write('one\nunfinished ')
  scene.write(`${'y'.repeat(40)}\n`)
  expect(scene.files().map(unstamped)).toEqual(['one\n', `unfinished ${'y'.repeat(40)}\n`])
})

test('a line longer than a file has a file of its own', async () => {
  await using scene = new LogScene({ maxBytes: 100 })
  scene.write(`a\n${'b'.repeat(300)}\nc\n`)
  expect(scene.files().map(unstamped)).toEqual(['a\n', `${'b'.repeat(300)}\n`, 'c\n'])
})

test('ten archives stay, the oldest goes first', async () => {
  await using scene = new LogScene({ maxBytes: STAMP_BYTES + 4 })
  for (let i = 100; i < 130; i++) {
    scene.clock.advance(1000)
    scene.write(`${i}\n`)
  }
  await waitFor('the removals to be done', () => scene.archives().length === 10)
  expect(scene.text()).toBe('119\n120\n121\n122\n123\n124\n125\n126\n127\n128\n129\n')
})

test("a job's log is one file of its name and one `.1`", async () => {
  await using scene = new LogScene({ name: 'task-7.log', maxBytes: STAMP_BYTES + 4 })
  scene.write('one\ntwo\nend\n')
  const read = (name: string): string => unstamped(readFileSync(join(scene.dir, name), 'latin1'))
  expect([read('task-7.log.1'), read('task-7.log')]).toEqual(['two\n', 'end\n'])
})

/** Acts of a service and the world around it, in any order. */
type Act =
  | { write: Buffer }
  | { do: 'process ends' | 'supervisor dies' | 'service and supervisor die' }
  | { wallMs: number }
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array)),
  fc
    .array(fc.constantFrom('\n', 'a', 'bcd', 'x'.repeat(60), '\r\n', '\u00e9\u{1f600}', '\0'))
    .map((parts) => Buffer.from(parts.join(''))),
)
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 8, arbitrary: bytes.map((write) => ({ write })) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('process ends', 'supervisor dies', 'service and supervisor die')
      .map((what) => ({ do: what }) as Act),
  },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: Date.UTC(2100, 0) }).map((wallMs) => ({ wallMs })) },
)

test('whatever comes in whatever chunks: the files hold those bytes, within the limit, in order of their names', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(act, { minLength: 20, maxLength: 60 }),
      fc.integer({ min: 30, max: 2000 }),
      async (acts, maxBytes) => {
        await using scene = new LogScene({ maxBytes, archives: 100_000 })
        // Content of the files, and where the copies of whole lines stand in it.
        let expected = ''
        let copied = ''
        let copiedTo = 0
        const copyWholeLines = (): void => {
          const end = expected.lastIndexOf('\n') + 1
          if (end > copiedTo) copied += expected.slice(copiedTo, end)
          copiedTo = Math.max(copiedTo, end)
        }
        const endLine = (): void => {
          if (expected !== '' && !expected.endsWith('\n')) expected += '\n'
        }
        for (const step of acts) {
          if ('write' in step) {
            scene.write(step.write)
            expected += step.write.toString('latin1')
          } else if ('wallMs' in step) {
            scene.clock.setWall(step.wallMs)
          } else if (step.do === 'process ends') {
            scene.log.endOfProcess()
            scene.log.endOfProcess()
            endLine()
          } else {
            await scene.reopen(step.do === 'supervisor dies')
            if (step.do !== 'supervisor dies') {
              // The copy has ended before the end of that line: it is in the file only.
              endLine()
              copiedTo = expected.length
            }
          }
          copyWholeLines()
        }
        const files = scene.files()
        expect(unstamped(files.join(''))).toBe(expected)
        for (const file of files) if (file.length > maxBytes) expect(file.slice(0, -1)).not.toContain('\n')
        for (const file of files.slice(0, -1)) expect(file.endsWith('\n')).toBe(true)
        expect(scene.warnings).toEqual([])
        expect(scene.tapped.join('')).toBe(copied)
        expect(scene.copied.join('')).toBe(copied)
      },
    ),
    { numRuns: 60 },
  )
})

test('a process that is killed while it writes leaves every line it wrote, in order, none twice', async () => {
  await using scene = new LogScene({ maxBytes: 10_000, archives: 100_000 })
  let next = 0
  for (let life = 0; life < 5; life++) {
    const writer = spawn('sh', [
      '-c',
      `i=${next}; while echo "line $i of the count"; do i=$((i+1)); done >"${scene.fifo}"`,
    ])
    const soFar = scene.tapped.length
    await waitFor('the writer to write', () => scene.tapped.length > soFar + 3)
    const exit = once(writer, 'exit')
    writer.kill('SIGKILL')
    await exit
    scene.log.drain()
    scene.log.endOfProcess()
    next = scene.text().split('\n').length - 1
  }
  const lines = scene.text().trimEnd().split('\n')
  expect(lines).toEqual(lines.map((_, i) => `line ${i} of the count`))
  expect(scene.archives().length).toBeGreaterThan(1)
})

test('a log directory that is removed while in use is made again, and a renamed `current` is left alone', async () => {
  await using scene = new LogScene()
  scene.write('gone\n')
  rmSync(scene.dir, { recursive: true })
  scene.clock.advance(1000)
  scene.write('here\n')
  expect(scene.text()).toBe('here\n')
  renameSync(join(scene.dir, 'current'), join(scene.dir, 'kept-by-hand'))
  scene.clock.advance(1000)
  scene.write('new\n')
  expect(scene.text()).toBe('new\n')
  expect(scene.warnings).toEqual([])
})

test('a directory that moved away and became a link is followed to its new place', async () => {
  await using scene = new LogScene()
  scene.write('one\n')
  const elsewhere = join(scene.root, 'elsewhere')
  renameSync(scene.dir, elsewhere)
  symlinkSync(elsewhere, scene.dir)
  scene.clock.advance(1000)
  scene.write('two\n')
  expect(unstamped(readFileSync(join(elsewhere, 'current'), 'latin1'))).toBe('one\ntwo\n')
})

test('an emptied `current` goes on from its start, and rotates by its real size', async () => {
  await using scene = new LogScene({ maxBytes: 100 })
  scene.write('one\ntwo\nthree\n')
  truncateSync(join(scene.dir, 'current'))
  scene.clock.advance(1000)
  scene.write('four\n')
  expect(scene.files().map(unstamped)).toEqual(['four\n'])
})

test.each([
  ['a directory', (path: string) => mkdirSync(path)],
  ['a FIFO', (path: string) => void makeFifo(path)],
  ['a link', (path: string) => symlinkSync('/dev/null', path)],
])('%s in the place of `current` is neither written nor waited for; removed, logging goes on', async (_, put) => {
  await using scene = new LogScene()
  const path = join(scene.dir, 'current')
  rmSync(path)
  put(path)
  scene.clock.advance(1000)
  scene.write('lost\nlost\n')
  expect(scene.warnings).toHaveLength(1)
  expect(scene.warnings[0]).toContain(path)
  rmSync(path, { recursive: true })
  scene.clock.advance(1000)
  scene.write('back\n')
  expect(scene.text()).toMatch(/^hermes: lines missing here: 2; .*\nback\n$/)
  expect(scene.copied.join('')).toBe('lost\nlost\nback\n')
})

test('a link in the place of `current` is not followed to a file elsewhere', async () => {
  await using scene = new LogScene()
  const path = join(scene.dir, 'current')
  const elsewhere = join(scene.root, 'elsewhere')
  writeFileSync(elsewhere, 'untouched')
  rmSync(path)
  symlinkSync(elsewhere, path)
  scene.clock.advance(1000)
  scene.write('lost\n')
  expect(readFileSync(elsewhere, 'utf8')).toBe('untouched')
  expect(scene.warnings[0]).toContain('ELOOP')
})

test('files with foreign names in the directory are never touched', async () => {
  await using scene = new LogScene({ maxBytes: STAMP_BYTES + 2, archives: 1 })
  writeFileSync(join(scene.dir, 'notes.txt'), 'mine')
  mkdirSync(join(scene.dir, '20200101T000000.000Z.log'))
  for (const letter of 'abcdef') scene.write(`${letter}\n`)
  expect(readFileSync(join(scene.dir, 'notes.txt'), 'utf8')).toBe('mine')
  expect(statSync(join(scene.dir, '20200101T000000.000Z.log')).isDirectory()).toBe(true)
  expect(unstamped(scene.current())).toBe('f\n')
})

test('opening something that is not a FIFO is refused', async () => {
  await using scene = new LogScene()
  const path = join(scene.root, 'plain')
  writeFileSync(path, '')
  chmodSync(path, 0o600)
  expect(() => SlotLog.open({ ...options(scene), fifo: path })).toThrow('is not a FIFO')
})

const options = (scene: LogScene) => ({
  slot: 'web',
  place: { dir: scene.dir, maxBytes: 1000, archives: 1 },
  clock: scene.clock,
  console: null,
  form: 'raw' as const,
  continued: false,
  warn: () => {},
})
