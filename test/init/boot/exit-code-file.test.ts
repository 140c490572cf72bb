import { readFileSync, readlinkSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { ExitCodeFile } from '../../../src/init/boot/exit-code-file.ts'
import { scratchDir } from '../../support/scratch.ts'
import { realNative } from '../../support/supervisor/real-native.ts'

let dir = ''
let file = ''
let exitCode: ExitCodeFile
const make = () =>
  ExitCodeFile.make({
    install: '/opt/hermes',
    owner: undefined,
    results: join(dir, 'results'),
    halt: join(dir, 'basedir', 'bin', 'halt'),
  })
beforeEach(() => {
  dir = scratchDir('hermes-exit-code-')
  file = join(dir, 'results', 'exitcode')
  exitCode = make()
})

test('it begins as 0, keeps what init says, and halt leads into the image', () => {
  expect(readFileSync(file, 'utf8')).toBe('0\n')
  exitCode.write(42)
  expect(readFileSync(file, 'utf8')).toBe('42\n')
  expect(exitCode.read()).toBe(42)
  expect(readlinkSync(join(dir, 'basedir', 'bin', 'halt'))).toBe('/opt/hermes/docker/halt')
})

test.each([
  ['7', 7],
  ['255\n', 255],
  [' 3 \n', 3],
  ['', undefined],
  ['256', undefined],
  ['-1', undefined],
  ['0x10', undefined],
  ['seven', undefined],
  ['1\n2', undefined],
  ['1'.repeat(1000), undefined],
])('%o is read as %o', (text, expected) => {
  writeFileSync(file, text)
  expect(exitCode.read()).toBe(expected)
})

test('a link, a FIFO or nothing in its place gives no code, and nothing waits for it', () => {
  writeFileSync(join(dir, 'other'), '5')
  rmSync(file)
  expect(exitCode.read()).toBeUndefined()
  symlinkSync(join(dir, 'other'), file)
  expect(exitCode.read()).toBeUndefined()
  rmSync(file)
  realNative.mkfifo(file, 0o600)
  expect(exitCode.read()).toBeUndefined()
})

test('a huge file costs nothing', () => {
  truncateSync(file, 1e9)
  expect(exitCode.read()).toBeUndefined()
})

test('the code of an earlier run of the container is gone', () => {
  rmSync(join(dir, 'results'), { recursive: true })
  symlinkSync('/etc', join(dir, 'results'))
  make()
  expect(readFileSync(file, 'utf8')).toBe('0\n')
})
