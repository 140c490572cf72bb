import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { beforeEach, describe, expect, test } from 'vitest'
import { scratchDir } from '../support/scratch.ts'
import { archiveOf, type Header, manifestOf, putBack, save } from './scene.ts'

let top: string
let file: string
beforeEach(() => {
  top = scratchDir('hermes-hostile-archive-')
  file = join(top, 'x.tar.gz')
})

const fileEntry = (path: string, content: string, more: object = {}) => ({
  type: 'file',
  path,
  size: content.length,
  mode: 0o644,
  sha256: createHash('sha256').update(content).digest('hex'),
  modified: '2026-01-01T00:00:00.000Z',
  ...more,
})

type Part = readonly [Header, string]
const manifest = (entries: readonly unknown[], more: object = {}): Part => [
  { name: 'manifest.json' },
  JSON.stringify(manifestOf(entries, more)),
]
const part = (name: string, content: string, more: Partial<Header> = {}): Part => [{ name, ...more }, content]
const a = fileEntry('a', 'x')

/** Refused in one line, and neither the directory nor anything beside it is there afterwards. */
async function refused(line: RegExp | string): Promise<void> {
  await expect(putBack(file, join(top, 'to'))).rejects.toThrow(line)
  mkdirSync(join(top, 'empty'))
  await expect(putBack(file, join(top, 'empty'))).rejects.toThrow(line)
  expect(readdirSync(top, { recursive: true }).sort()).toEqual(['empty', 'x.tar.gz'])
}

test('the archive that the others are like is accepted', async () => {
  writeFileSync(file, await archiveOf([manifest([a]), part('home/a', 'x')]))
  await putBack(file, join(top, 'to'))
  expect(readFileSync(join(top, 'to', 'a'), 'utf8')).toBe('x')
})

const HOSTILE: Readonly<Record<string, readonly [readonly Part[], RegExp]>> = {
  'a path that leads out': [
    [manifest([a]), part('home/../evil', 'x')],
    /path leads out of the home: "home\/\.\.\/evil"/,
  ],
  'an absolute path': [[manifest([a]), part('/etc/evil', 'x')], /path is absolute: "\/etc\/evil"/],
  'a path that is not of the home': [[manifest([a]), part('evil', 'x')], /outside of home\/: "evil"/],
  'a link': [
    [manifest([a]), part('home/a', '', { type: 'symlink', linkname: '/etc' })],
    /not a file: "home\/a" \(symlink\)/,
  ],
  'a hard link': [
    [manifest([a]), part('home/a', '', { type: 'link', linkname: '/etc/x' })],
    /not a file: "home\/a" \(link\)/,
  ],
  'a device': [[manifest([a]), part('home/a', '', { type: 'character-device' })], /not a file: "home\/a"/],
  'an entry twice': [[manifest([a]), part('home/a', 'x'), part('home/a', 'x')], /an entry twice: "home\/a"/],
  'an entry that is not listed': [[manifest([a]), part('home/a', 'x'), part('home/b', 'x')], /not list: "home\/b"/],
  'a directory in place of a file': [[manifest([a]), part('home/a', '', { type: 'directory' })], /not list: "home\/a"/],
  'an entry less': [[manifest([a])], /lacks "home\/a"/],
  'another content': [[manifest([a]), part('home/a', 'y')], /differs from its manifest at "home\/a": its SHA-256/],
  'another size': [[manifest([a]), part('home/a', 'xx')], /differs from its manifest at "home\/a": 2 bytes, not 1/],
  'no manifest': [[part('home/a', 'x')], /does not begin with manifest\.json/],
  'a link as manifest': [[part('manifest.json', '', { type: 'symlink', linkname: 'x' })], /does not begin with/],
  'a manifest that is not JSON': [[part('manifest.json', '{')], /manifest\.json that is not JSON/],
  'a manifest of another format': [[manifest([a], { format: 2 })], /this version cannot read: "format"/],
  'a negative size': [[manifest([fileEntry('a', 'x', { size: -1 })])], /cannot read: "entries\.0\.size"/],
  'a size that is not a number of bytes': [
    [manifest([fileEntry('a', 'x', { size: 1e300 })])],
    /cannot read: "entries\.0/,
  ],
  'a setuid mode': [[manifest([fileEntry('a', 'x', { mode: 0o4755 })])], /cannot read: "entries\.0\.mode"/],
  'a giant': [[manifest([fileEntry('a', 'x', { size: 9e15 })])], /its largest file, "a", has 9000000000000000$/],
  'a path in the manifest that leads out': [
    [manifest([fileEntry('../a', 'x')])],
    /path leads out of the home: "\.\.\/a"/,
  ],
  'an absolute path in the manifest': [[manifest([fileEntry('/a', 'x')])], /path is absolute: "\/a"/],
  'a path twice in the manifest': [[manifest([a, a])], /is there twice: "a"/],
  'a file below a link': [
    [manifest([{ type: 'link', path: 'd', to: '/etc' }, fileEntry('d/evil', 'x')])],
    /not below a directory of the backup: "d\/evil"/,
  ],
  'a file below a file': [[manifest([a, fileEntry('a/b', 'x')])], /not below a directory of the backup: "a\/b"/],
  'a NUL in a path': [[manifest([fileEntry('a\0b', 'x')])], /contains a NUL/],
}

test.each(Object.entries(HOSTILE))(
  'an archive with %s is refused, and nothing is written',
  async (_, [parts, line]) => {
    writeFileSync(file, await archiveOf(parts))
    await refused(line)
  },
)

test('a manifest that says it has gigabytes is refused before they are read', async () => {
  const tar = gunzipSync(await archiveOf([manifest([a])]))
  // The size in octal, and the checksum of the header with it (tar(5)).
  tar.write('77777777777', 124, 'latin1')
  tar.write('        ', 148, 'latin1')
  const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0)
  tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  writeFileSync(file, gzipSync(tar))
  await refused(/a manifest\.json of 8589934591 bytes, which is too long/)
})

describe('a backup that is not whole', () => {
  let whole: Buffer
  beforeEach(async () => {
    const home = scratchDir('hermes-hostile-home-')
    mkdirSync(join(home, 'sub'))
    writeFileSync(
      join(home, 'sub', 'large'),
      Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i * 31) % 251)),
    )
    writeFileSync(join(home, 'z'), 'last')
    await save(home, file)
    whole = readFileSync(file)
    writeFileSync(file, '')
  })

  test.each([0, 0.001, 0.1, 0.5, 0.9, 0.999])('cut off at %f of it, is refused', async (share) => {
    writeFileSync(file, whole.subarray(0, Math.floor(whole.length * share)))
    await refused(/x\.tar\.gz (is cut off or damaged|is not a backup|lacks "home\/)/)
  })

  test('cut off between the manifest and the rest, is refused', async () => {
    // The second stream of gzip begins with the same bytes as the first.
    writeFileSync(file, whole.subarray(0, whole.indexOf(whole.subarray(0, 4), 1)))
    await refused(/lacks "home\/sub"/)
  })

  test('with one byte changed anywhere, is refused, unless no byte of the home is another one', {
    timeout: 600_000,
  }, async () => {
    let changed = 0
    for (let at = 0; at < whole.length; at += Math.ceil(whole.length / 97)) {
      const bytes = Buffer.from(whole)
      bytes[at] = (bytes[at] ?? 0) ^ 0x55
      writeFileSync(file, bytes)
      const dir = join(top, `to-${at}`)
      const error = await putBack(file, dir).then(
        () => undefined,
        (thrown: Error) => thrown,
      )
      if (error === undefined) expect(readFileSync(join(dir, 'z'), 'utf8')).toBe('last')
      else {
        changed += 1
        expect(error).toMatchObject({ name: 'HermesError', code: 'FAILED' })
        expect(readdirSync(top)).not.toContain(`to-${at}`)
      }
    }
    expect(changed).toBeGreaterThan(80)
  })
})

test('a home with something in it is left alone, but a new file system is empty', async () => {
  writeFileSync(file, await archiveOf([manifest([a]), part('home/a', 'x')]))
  const dir = join(top, 'to')
  mkdirSync(join(dir, 'lost+found'), { recursive: true })
  await putBack(file, dir)
  expect(readdirSync(dir).sort()).toEqual(['a', 'desired_state', 'lost+found'])
  await expect(putBack(file, dir)).rejects.toThrow(`${dir} is not empty: it has "a"; nothing was restored`)
})
