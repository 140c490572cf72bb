import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  readMountedFile,
  readRegularFile,
  readSmallBytes,
  readSmallFile,
  readTail,
} from '../../../src/system/files/small-file.ts'
import { sharedScratchDir } from '../../support/scratch.ts'

const MAX = 4096
const dir = sharedScratchDir('hermes-small-file-')

let next = 0
const place = (): string => join(dir, String(next++))
const made = (make: (file: string) => void): string => {
  const file = place()
  make(file)
  return file
}

/** Each reader reports `what` of it. */
const refused: readonly (readonly [what: string, make: (file: string) => void, problem: RegExp])[] = [
  ['a directory', (file) => mkdirSync(file), /is not a regular file/],
  ['a FIFO without a writer', (file) => execFileSync('mkfifo', [file]), /is not a regular file/],
  ['more than the limit', (file) => writeFileSync(file, 'x'.repeat(MAX + 1)), /is larger than 4096 bytes/],
  [
    '10 GB of nothing',
    (file) => {
      writeFileSync(file, '')
      truncateSync(file, 10e9)
    },
    /is larger than 4096 bytes/,
  ],
]
/** Where links are followed. kallsyms says that it is empty, and has some 10 MB. */
const linked: readonly (readonly [what: string, target: string, problem: RegExp])[] = [
  ['a file of /proc without an end', '/proc/kallsyms', /is a file of the kernel \(proc\)/],
  ['a short file of /proc', '/proc/self/stat', /is a file of the kernel \(proc\)/],
  ['a file of /sys', '/sys/kernel/mm/transparent_hugepage/enabled', /is a file of the kernel \(sysfs\)/],
  ['an endless device', '/dev/zero', /is not a regular file/],
]

describe('a file that another user can write', () => {
  test.each(refused)('is refused when it is %s', (_, make, problem) => {
    const file = made(make)
    expect(readSmallFile(file, MAX)).toEqual({ problem: expect.stringMatching(problem) })
    expect(readSmallBytes(file, MAX)).toEqual({ problem: expect.stringMatching(problem) })
    expect(() => readRegularFile(file, MAX)).toThrow(problem)
  })

  test.each(linked)('is refused when it is a link to %s', (_, target, problem) => {
    const file = made((link) => symlinkSync(target, link))
    expect(() => readRegularFile(file, MAX)).toThrow(problem)
    expect(readSmallFile(file, MAX)).toEqual({ problem: 'is a symbolic link; refusing to follow it' })
    expect(readTail(file, MAX)).toEqual({ problem: 'is a symbolic link; refusing to follow it' })
  })

  test('is read through a link where people keep it elsewhere', () => {
    const file = made((target) => writeFileSync(target, 'text'))
    expect(
      readRegularFile(
        made((link) => symlinkSync(file, link)),
        MAX,
      ),
    ).toBe('text')
  })

  test('may have exactly as many bytes as the limit', () => {
    const file = made((target) => writeFileSync(target, 'x'.repeat(MAX)))
    expect(readSmallFile(file, MAX).text).toHaveLength(MAX)
    expect(readRegularFile(file, MAX)).toHaveLength(MAX)
  })

  test('is nothing at all where there is none, and a socket is not a file', async () => {
    expect(readSmallFile(place(), MAX)).toEqual({})
    expect(readRegularFile(place(), MAX)).toBeUndefined()
    const socket = place()
    const server = createServer().listen(socket)
    await new Promise((listening) => server.once('listening', listening))
    expect(readSmallFile(socket, MAX)).toEqual({ problem: 'is not a regular file' })
    server.close()
  })

  test('gives its last bytes however long it is', () => {
    const file = made((target) => writeFileSync(target, 'first\nlast\n'))
    expect(readTail(file, 5)).toEqual({ text: 'last\n' })
    expect(readTail(file, MAX)).toEqual({ text: 'first\nlast\n' })
  })
})

test('a mounted secret may lie behind a link; a missing one is a problem', () => {
  const file = join(dir, 'secret')
  writeFileSync(file, 'key')
  symlinkSync(file, join(dir, 'secret-link'))
  expect(readMountedFile(join(dir, 'secret-link'), 10)).toEqual({ text: 'key' })
  expect(readMountedFile(join(dir, 'no-secret'), 10)).toEqual({ problem: 'is not there' })
  expect(readMountedFile(file, 2)).toEqual({ problem: 'it is larger than 2 bytes' })
  expect(readMountedFile(dir, 10).problem).toBe('it is not a regular file')
})
