import { closeSync, openSync, readFileSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { OwnConsole, widen } from '../../../src/init/processes/own-console.ts'
import { fakeClock } from '../../support/supervisor/fake-clock.ts'
import { realNative } from '../../support/supervisor/real-native.ts'

function onPipe(json = false) {
  const clock = fakeClock()
  const [read, write] = realNative.pipe({ nonblockingRead: true })
  realNative.setNonblocking(write, true)
  const own = new OwnConsole({ sink: { fd: write, kind: 'stream' }, native: realNative, clock, json })
  const buffer = Buffer.alloc(1_000_000)
  return {
    clock,
    own,
    write,
    read: (): string => {
      let text = ''
      try {
        for (let got = readSync(read, buffer); got > 0; got = readSync(read, buffer))
          text += buffer.toString('utf8', 0, got)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      }
      return text
    },
    closeReader: () => closeSync(read),
  }
}

test('a line is one line, whatever its text holds', () => {
  const { own, read } = onPipe()
  own.line('info', 'a\nb')
  own.line('warn', 'c')
  own.line('error', 'd')
  expect(read()).toBe('hermes: a b\nhermes: warning: c\nhermes: error: d\n')
})

test('LOG_FORMAT=json: one object a line, with time and level', () => {
  const { own, read } = onPipe(true)
  own.line('warn', 'a "b"')
  expect(JSON.parse(read())).toEqual({
    time: '2026-11-22T12:15:18.810Z',
    level: 'warn',
    component: 'init',
    message: 'a "b"',
  })
})

test('without a reader for a while nothing waits; later everything comes, whole and in order, with the number of what was dropped', () => {
  const { own, read, write, clock } = onPipe()
  // There is no reader: all sixteen pages of the pipe are full.
  for (let page = 0; page < 16; page++) writeSync(write, Buffer.alloc(4096, 120))
  for (let i = 0; i < 300; i++) own.line('info', `line ${i}`)
  expect(read()).toMatch(/^x+$/)
  clock.advance(50)
  const expected = Array.from({ length: 200 }, (_, i) => `hermes: line ${i}`)
  expected.push('hermes: warning: 100 lines of init were dropped here: the output was not read', '')
  expect(read().split('\n')).toEqual(expected)
  expect(clock.alarms()).toEqual([])
})

test('a reader that is gone for good costs nothing', () => {
  const { own, closeReader, clock } = onPipe()
  closeReader()
  own.line('info', 'a')
  own.line('info', 'b')
  expect(clock.alarms()).toEqual([])
})

test('a file gets the lines where its shared offset stands', () => {
  const path = join(tmpdir(), `hermes-own-console-${process.pid}`)
  const fd = openSync(path, 'w')
  try {
    writeSync(fd, 'before\n')
    new OwnConsole({ sink: { fd, kind: 'file' }, native: realNative, clock: fakeClock(), json: false }).line(
      'info',
      'a',
    )
    writeSync(fd, 'after\n')
    expect(readFileSync(path, 'utf8')).toBe('before\nhermes: a\nafter\n')
  } finally {
    closeSync(fd)
    rmSync(path)
  }
})

test('the FIFO that takes the lines of all slots is made wide; what cannot be widened stays as it is', () => {
  const { write } = onPipe()
  const page = Buffer.alloc(4096, 120)
  const fill = (): number => {
    let bytes = 0
    try {
      for (;;) bytes += writeSync(write, page)
    } catch {
      return bytes
    }
  }
  expect(fill()).toBe(65_536)
  widen({ fd: write, kind: 'stream' }, realNative)
  expect(fill()).toBe(1_048_576 - 65_536)
  const disk = openSync('/dev/null', 'w')
  for (const kind of ['stream', 'file', 'none'] as const)
    expect(() => widen({ fd: disk, kind }, realNative)).not.toThrow()
  closeSync(disk)
})
