import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { notOf, rootPathOf, trusted } from '../../src/system/files/trust.ts'
import { checkCommand, checkProgram, findProgram, readable } from '../../src/system/programs/program.ts'

const why = process.getuid?.() === 0 ? undefined : 'needs root'

describe.skipIf(why !== undefined)(`files that only root can change (${why ?? 'as root'})`, () => {
  let dir = ''
  beforeEach(() => {
    // Not in /tmp, which everybody can write.
    dir = mkdtempSync('/run/hermes-trust-')
    chmodSync(dir, 0o755)
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  const lay = (name: string, text = '#!/bin/sh\n', mode = 0o755): string => {
    const file = join(dir, name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
    chmodSync(file, mode)
    return file
  }
  const faultOf = (path: string): string | undefined => {
    const found = trusted(path)
    return found !== undefined && 'fault' in found ? `${found.fault.file}: ${found.fault.message}` : undefined
  }

  test('a file of root’s below directories of root’s is trusted, also through a link', () => {
    const file = lay('a/b/run')
    symlinkSync('b', join(dir, 'a', 'link'))
    symlinkSync('../a/link/../b', join(dir, 'a', 'long'))
    for (const path of [file, join(dir, 'a/link/run'), join(dir, 'a/long/run')])
      expect(trusted(path)).toMatchObject({ real: file })
  })

  test('a path that does not exist, or lies below a file, counts as missing', () => {
    lay('file')
    symlinkSync('nowhere', join(dir, 'dangling'))
    for (const name of ['none', 'file/x', 'dangling']) expect(trusted(join(dir, name))).toBeUndefined()
  })

  test('a name that no file can have is reported, and does not end the caller', () => {
    const long = `/usr/bin/${'x'.repeat(300)}`
    expect(faultOf(long)).toBe(`${long}: it cannot be examined (ENAMETOOLONG)`)
    expect(readable(long)).toBeUndefined()
    expect(rootPathOf(`/${'x'.repeat(300)}:/usr/bin`)).toBe('/usr/bin')
  })

  test.each([
    ['the file belongs to another user', () => chownSync(lay('a/run'), 10_000, 0)],
    ['the group can write it', () => lay('a/run', '', 0o775)],
    ['everybody can write it', () => lay('a/run', '', 0o757)],
    ['its directory belongs to another user', () => chownSync(dirname(lay('a/run')), 10_000, 0)],
    ['everybody can write its directory, sticky or not', () => chmodSync(dirname(lay('a/run')), 0o1777)],
    [
      'a link leads into a directory of another user',
      () => {
        chownSync(dirname(lay('theirs/run')), 10_000, 0)
        mkdirSync(join(dir, 'a'))
        symlinkSync('../theirs/run', join(dir, 'a', 'run'))
      },
    ],
    ['a link turns in a circle', () => symlinkSync('run', join(dirname(lay('a/other')), 'run'))],
  ])('not trusted: %s', (_, prepare) => {
    prepare()
    expect(faultOf(join(dir, 'a/run'))).toMatch(/uid 10000|can write it|too many links/)
  })

  const look = (file: string) => trusted(file)
  const root = { path: '/usr/bin:/bin', look }
  test.each([
    ['no run bit', '#!/bin/sh\n', 0o644, 'it is not executable'],
    ['no interpreter line', 'echo hello\n', 0o755, 'it has no interpreter line'],
    ['an interpreter that is not there', '#!/no/such/sh\n', 0o755, 'its interpreter /no/such/sh does not exist'],
    [
      'env with a program that is not there',
      '#!/usr/bin/env no-such\n',
      0o755,
      'its interpreter no-such is not on PATH',
    ],
  ])('a program with %s is refused', (_, text, mode, message) => {
    expect(checkProgram(lay('run', text, mode), root)?.fault?.message).toContain(message)
  })

  test('an interpreter that another user can change is refused', () => {
    const shell = lay('sh', '#!/bin/sh\n', 0o777)
    expect(checkProgram(lay('run', `#!${shell}\n`), root)?.fault).toMatchObject({ file: shell })
  })

  test('a program that another user can change is refused behind env, too', () => {
    const theirs = lay('bin/python', '#!/bin/sh\n', 0o777)
    const facts = { path: `${dirname(theirs)}:/usr/bin`, look }
    expect(checkProgram(lay('run', '#!/usr/bin/env python\n'), facts)?.fault).toMatchObject({ file: theirs })
  })

  test('scripts with arguments to their interpreter, env, and binaries are good', () => {
    const env = ['sh', '-S sh -e', '-S -u OPTIND sh', '-S --unset NAME -C /tmp A=b sh'].map(
      (args) => `#!/usr/bin/env ${args}\n`,
    )
    for (const text of ['#!/bin/sh -e\n', '#! /bin/sh\n', ...env])
      expect(checkProgram(lay('run', text), root)?.fault, text).toBeUndefined()
    expect(findProgram('sh', root)?.fault).toBeUndefined()
    expect(findProgram('no-such', root)).toBeUndefined()
  })

  test('for a service of another user a program need not be root’s, but it has to be there', () => {
    const theirs = lay('theirs/mine')
    chmodSync(dirname(theirs), 0o777)
    const others = { path: `${dirname(theirs)}:/usr/bin`, look: readable }
    expect(findProgram('mine', others)).toEqual({ file: theirs })
    // In a directory that everybody can write nothing is taken to be there that is not.
    expect(findProgram('sh', others)).toEqual({ file: '/usr/bin/sh' })
  })

  test('a file that the runtime user cannot write is accepted, even if other users can', () => {
    const rule = notOf({ uid: 10_000, groups: [10_000, 44] })
    const faultFor = (prepare: (file: string) => void): string | undefined => {
      const file = lay('a/run')
      prepare(file)
      const found = trusted(file, rule)
      rmSync(join(dir, 'a'), { recursive: true })
      return found !== undefined && 'fault' in found ? found.fault.message : undefined
    }
    expect(faultFor((file) => chownSync(file, 1000, 1000))).toBeUndefined()
    expect(faultFor((file) => chmodSync(file, 0o775))).toBeUndefined()
    expect(faultFor((file) => chownSync(file, 10_000, 0))).toContain('belongs to the runtime user')
    expect(faultFor((file) => chownSync(dirname(file), 10_000, 0))).toContain('belongs to the runtime user')
    expect(
      faultFor((file) => {
        chownSync(file, 0, 44)
        chmodSync(file, 0o775)
      }),
    ).toContain('can write it (mode 0775)')
    expect(faultFor((file) => chmodSync(file, 0o757))).toContain('can write it (mode 0757)')
  })

  test.each([
    ['a shell', (file: string) => ['sh', '-e', file]],
    ['an option with a value', (file: string) => ['bash', '-o', 'pipefail', file, 'x']],
    ['env', (file: string) => ['env', '-i', 'A=b', 'sh', '--', file]],
    ['a version in the name', (file: string) => ['perl', file]],
    ['the directory it runs in', () => ['sh', 'script']],
  ])('root runs no script of another user that is given to %s', (_, args) => {
    const file = lay('theirs/script')
    chmodSync(dirname(file), 0o777)
    const fault = checkCommand(args(file), dirname(file), root)?.fault
    expect(fault).toMatchObject({ file, message: expect.stringContaining('others than root can write it') })
    rmSync(file)
    // It is not enough that it is away while we look.
    expect(checkCommand(args(file), dirname(file), root)?.fault).toMatchObject({ file })
    expect(checkCommand(args(file), dirname(file), { path: '/usr/bin', look: readable })?.fault).toBeUndefined()
  })

  test('a shell’s own text, a script of root’s and what follows it are the author’s', () => {
    const theirs = lay('theirs/file')
    chmodSync(dirname(theirs), 0o777)
    const mine = lay('mine/script')
    for (const args of [['sh', '-ec', 'exec true', theirs], ['sh', mine, theirs], ['cat', theirs], ['env'], ['sh']])
      expect(checkCommand(args, '/', root), args.join(' ')).toEqual({ file: expect.stringMatching(/^\/usr\/bin/) })
  })

  test('root’s PATH loses the directories that others can write', () => {
    lay('theirs/sh', '', 0o755)
    chmodSync(join(dir, 'theirs'), 0o777)
    expect(rootPathOf(`${dir}/theirs:/usr/bin:relative::${dir}/none:/bin`)).toBe('/usr/bin:/bin')
  })
})
