import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { execWith, exportLines } from '../../../src/system/programs/sh-environment.ts'

const SHELLS = ['/bin/sh', '/bin/dash', '/bin/bash', '/bin/busybox'].filter((shell) => existsSync(shell))

/** The environment of a program that such a shell text starts at its end. */
function handedOn(shell: string, variables: readonly (readonly [string, string])[]): readonly string[] {
  const text = ['cd /usr', ...exportLines(variables), `${execWith(variables)} /usr/bin/env -0`].join('\n')
  const args = shell.endsWith('busybox') ? ['sh', '-c', text] : ['-c', text]
  return execFileSync(shell, args, { env: {}, encoding: 'utf8' }).split('\0')
}

describe('the directories that a container was given as PWD and OLDPWD', () => {
  const given = [
    ['PWD', '/a place\nof "its" own'],
    ['OLDPWD', "/where it's been"],
  ] as const

  test.each(SHELLS)('reach the program of a slot through %s as they came', (shell) => {
    expect(handedOn(shell, given)).toEqual(expect.arrayContaining(given.map(([name, value]) => `${name}=${value}`)))
  })

  test('cost a start no program in between', () => {
    expect(execWith(given)).toBe('exec')
  })
})

test.each(SHELLS)('%s does not keep what it could not set itself from a program', (shell) => {
  const given = [
    ['SHLVL', '7'],
    ['OPTIND', 'text'],
    ['a-b', 'c'],
  ] as const
  expect(handedOn(shell, given)).toEqual(expect.arrayContaining(given.map(([name, value]) => `${name}=${value}`)))
})
