// init's own look at walls.json, on real files.
import { chmodSync, closeSync, constants, linkSync, mkdirSync, openSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readRecord } from '../../src/repair/walls.ts'
import { recordText } from '../../src/walls/record.ts'
import { scratchDir } from '../support/scratch.ts'

const TEXT = recordText(new Map([['coder', { uid: 20_000, essential: false, memoryLimit: null }]]))
const own = process.getuid?.() ?? 0

function readIn(prepare: (file: string, dir: string) => void, uid = own): unknown {
  const dir = scratchDir('hermes-walls-')
  prepare(join(dir, 'walls.json'), dir)
  const fd = openSync(dir, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    return readRecord(fd, uid)
  } finally {
    closeSync(fd)
  }
}

const written = (file: string): void => writeFileSync(file, TEXT, { mode: 0o600 })

test('a private file of the runtime user is the record, and none is an empty one', () => {
  expect(readIn(written)).toEqual(new Map([['coder', { uid: 20_000, essential: false, memoryLimit: null }]]))
  expect(readIn(() => undefined)).toEqual(new Map())
})

/** A sound record that is spoilt then. */
const spoilt =
  (spoil: (file: string, dir: string) => void) =>
  (file: string, dir: string): void => {
    written(file)
    spoil(file, dir)
  }

test.each<[string, (file: string, dir: string) => void, string]>([
  [
    'a link',
    (file, dir) => {
      written(join(dir, 'real'))
      symlinkSync('real', file)
    },
    'it is a symbolic link',
  ],
  ['a directory', (file) => mkdirSync(file), 'it is not a regular file'],
  ['a file with a second name', spoilt((file, dir) => linkSync(file, join(dir, 'b'))), 'it has several names'],
  ['a file that others may write', spoilt((file) => chmodSync(file, 0o602)), 'it is open to others (mode 602)'],
  ['a file that the group may read', spoilt((file) => chmodSync(file, 0o640)), 'it is open to others'],
  ['a large file', (file) => writeFileSync(file, Buffer.alloc(300_000, ' '), { mode: 0o600 }), 'it is larger than'],
  ['half a file', (file) => writeFileSync(file, TEXT.slice(0, 20), { mode: 0o600 }), 'it is not JSON'],
])('%s is not', (_, prepare, why) => expect(readIn(prepare)).toContain(why))

test('a file of another user is not', () => {
  expect(readIn(written, own + 1)).toBe(`it belongs to uid ${own}, not ${own + 1}`)
})
