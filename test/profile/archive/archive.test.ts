import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pack } from 'tar-stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { packProfile } from '../../../src/profile/archive/pack.ts'
import { unpackProfile } from '../../../src/profile/archive/unpack.ts'
import { scratchDir } from '../../support/scratch.ts'

let top: string
let from: string
let to: string
beforeEach(() => {
  top = scratchDir('hermes-archive-')
  from = join(top, 'from')
  to = join(top, 'to')
  mkdirSync(join(from, 'skills', 'empty'), { recursive: true })
  writeFileSync(join(from, 'config.yaml'), 'a: 1\n')
  writeFileSync(join(from, '.env'), 'KEY=x\n', { mode: 0o600 })
  writeFileSync(join(from, 'skills', 'run.sh'), '#!/bin/sh\n')
  chmodSync(join(from, 'skills', 'run.sh'), 0o755)
  writeFileSync(join(from, 'skills', `${'long-'.repeat(40)}ü.txt`), '')
  writeFileSync(join(from, 'large'), Buffer.alloc(3_000_000, 'xyz'))
  symlinkSync('/nowhere', join(from, 'dangling'))
  symlinkSync('skills', join(from, 'inside'))
})

/** Everything in a directory: its type, mode and content. */
function tree(dir: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    readdirSync(dir, { recursive: true, encoding: 'utf8' })
      .sort()
      .map((name) => {
        const path = join(dir, name)
        const stat = lstatSync(path)
        if (stat.isSymbolicLink()) return [name, `link ${readlinkSync(path)}`]
        const mode = (stat.mode & 0o777).toString(8)
        return [name, stat.isDirectory() ? 'directory' : `${mode} ${readFileSync(path).toString('base64')}`]
      }),
  )
}

test('a directory comes out as it went in', async () => {
  const done = await unpackProfile(packProfile(from, 'coder'), to)
  expect(tree(to)).toEqual(tree(from))
  expect(done).toMatchObject({ format: 1, profile: 'coder', skipped: [] })
})

test('tar reads it, too', async () => {
  writeFileSync(join(top, 'a.tar'), await buffer(packProfile(from, 'coder')))
  const { stdout, status } = spawnSync('tar', ['-tf', join(top, 'a.tar')], { encoding: 'utf8' })
  expect(status).toBe(0)
  expect(stdout.split('\n')).toEqual(
    expect.arrayContaining(['profile/config.yaml', 'profile/skills/run.sh', 'manifest.json']),
  )
})

test('a FIFO is named and left, and so is what the caller leaves here', async () => {
  spawnSync('mkfifo', [join(from, 'fifo')])
  const done = await unpackProfile(packProfile(from, 'coder', ['config.yaml']), to)
  expect(done.skipped).toEqual(['fifo'])
  expect(Object.keys(tree(to))).not.toContain('config.yaml')
})

test('a name that is not UTF-8 is refused, since it would be another one there', async () => {
  writeFileSync(Buffer.concat([Buffer.from(`${from}/`), Buffer.from([0xff, 0x61])]), '')
  await expect(unpackProfile(packProfile(from, 'coder'), to)).rejects.toThrow(
    /has a name that is not UTF-8; nothing was moved/,
  )
})

describe('an archive that is not whole is refused', () => {
  test('cut off at any place', async () => {
    const whole = await buffer(packProfile(from, 'coder'))
    for (const share of [0, 0.001, 0.3, 0.9, 0.999]) {
      const cut = Readable.from([whole.subarray(0, Math.floor(whole.length * share))])
      await expect(unpackProfile(cut, join(top, `cut-${share}`)), String(share)).rejects.toThrow(
        /^the archive of the profile/,
      )
    }
  })

  test('with one byte of a file changed', async () => {
    const whole = await buffer(packProfile(from, 'coder'))
    const at = whole.indexOf('xyzxyz')
    whole[at] = 65
    await expect(unpackProfile(Readable.from([whole]), to)).rejects.toThrow('differs from its manifest at "large"')
  })

  test('with an entry that leads out of the directory, or through a link', async () => {
    for (const name of ['profile/../evil', '/etc/evil', 'profile/a/../../evil', 'evil', 'profile/']) {
      const tar = pack()
      tar.entry({ name }, 'x')
      tar.finalize()
      await expect(unpackProfile(tar as unknown as Readable, join(top, 'x')), name).rejects.toThrow(
        'outside of the profile',
      )
      expect(readdirSync(top)).not.toContain('evil')
      spawnSync('rm', ['-r', join(top, 'x')])
    }
    const tar = pack()
    tar.entry({ name: 'profile/out', type: 'symlink', linkname: top })
    tar.entry({ name: 'profile/out/evil' }, 'x')
    tar.finalize()
    await expect(unpackProfile(tar as unknown as Readable, to)).rejects.toThrow()
    expect(readdirSync(top)).not.toContain('evil')
  })
})

test('a file that becomes shorter while it is read ends the archive', async () => {
  async function* shortened(): AsyncGenerator<Buffer> {
    for await (const chunk of packProfile(from, 'coder') as AsyncIterable<Buffer>) {
      if (chunk.includes('xyzxyz')) truncateSync(join(from, 'large'), 10)
      yield chunk
    }
  }
  await expect(unpackProfile(Readable.from(shortened()), to)).rejects.toThrow('large became shorter while it was read')
})

afterEach(() => {
  spawnSync('rm', ['-rf', top])
})
