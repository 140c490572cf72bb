import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { childEnding } from '../../../src/system/native/child-ending.ts'
import { tellsEnds, whyNoEnds } from '../../support/container/kernel.ts'
import { realNative } from '../../support/supervisor/real-native.ts'
import { named } from '../../support/tools.ts'

const root = join(import.meta.dirname, '../../..')
const endOf = (script: string, kernel: Parameters<typeof childEnding>[1]) =>
  childEnding(spawn('/bin/sh', ['-c', script], { stdio: 'ignore' }), kernel)

describe.each([
  ['with the kernel’s word', realNative],
  ['without it', undefined],
])('%s', (_how, kernel) => {
  test.each([
    ['exit 0', { exitCode: 0 }],
    ['exit 3', { exitCode: 3 }],
    ['kill -TERM $$', { signal: 15 }],
    ['kill -KILL $$', { signal: 9 }],
  ])('%s', async (script, ending) => {
    expect(await endOf(script, kernel)).toEqual(ending)
  })
})

// From 34 on they have no name in Node, which reports them as a success.
test.skipIf(!tellsEnds).each([34, 37, 64])(named('a death by signal %i is one', whyNoEnds), async (signal) => {
  expect(await endOf(`kill -${signal} $$`, realNative)).toEqual({ signal })
})

test('no other code judges how a child ended by what Node reports', () => {
  const judges = ['src', 'bin']
    .flatMap((dir) =>
      readdirSync(join(root, dir), { recursive: true, encoding: 'utf8' }).map((name) => join(dir, name)),
    )
    .filter((file) => file.endsWith('.ts'))
    .filter((file) =>
      /\.(on|once)\(\s*'(exit|close)',\s*\((code|exitCode)|promisify\(exec/.test(
        readFileSync(join(root, file), 'utf8'),
      ),
    )
  expect(judges).toEqual(['src/system/native/child-ending.ts'])
})
