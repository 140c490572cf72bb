import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { nativeFiles, packagesFor, TARGETS, targetOf, thisTarget, wrongFor } from '../../scripts/build/natives.ts'

const modules = join(import.meta.dirname, '../../node_modules')
const file = (path: string): Uint8Array => readFileSync(join(modules, path))
const prebuilt = (name: string): Uint8Array => file(join('better-sqlite3', 'prebuilds', `${name}.node`))

test('the native files of this machine are for this machine', () => {
  const target = targetOf(thisTarget())
  const files = Object.values(nativeFiles(target))
  expect(files).toHaveLength(target.musl ? 2 : 3)
  for (const path of files) expect(wrongFor(target, file(path)), path).toBeUndefined()
})

test('better-sqlite3 has a file for every machine that there are builds for, and none passes for another', () => {
  const names = Object.keys(TARGETS)
  expect(readdirSync(join(modules, 'better-sqlite3', 'prebuilds'))).toEqual(
    expect.arrayContaining(names.map((name) => `${name}.node`)),
  )
  for (const name of names)
    for (const other of names) {
      const wrong = wrongFor(targetOf(name), prebuilt(other))
      if (name === other) expect(wrong, name).toBeUndefined()
      else expect(wrong, `${other} for ${name}`).toMatch(/^it (is for (x64|arm64)|needs .*, not libc\.)/)
    }
})

test('the lock file has the packages of every machine', () => {
  const lock = JSON.parse(readFileSync(join(modules, '..', 'package-lock.json'), 'utf8'))
  for (const name of Object.values(TARGETS).flatMap(packagesFor))
    expect(lock.packages[`node_modules/${name}`], name).toMatchObject({ version: expect.stringMatching(/^\d/) })
})

test('a file of another kind is named as such, and so are the machines that there are builds for', () => {
  expect(wrongFor(targetOf('linux-x64'), Buffer.from('MZ'))).toBe('it is not a 64-bit ELF file')
  expect(() => targetOf('linux-riscv64')).toThrow('linux-x64, linux-arm64, linuxmusl-x64, linuxmusl-arm64')
})
