import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { goesOnAfterFailure } from '../../../src/init/boot/hooks.ts'
import { isDashboard, mainCommand } from '../../../src/init/programs/main-command.ts'
import { containerCode } from '../../../src/init/programs/main-program.ts'
import { SUBCOMMANDS } from '../../../src/system/programs/subcommands.ts'

const facts = {
  hasTerminal: false,
  path: '/usr/bin:/bin',
  hermes: 'HERMES',
  canRun: (file: string) => file === '/bin/sh' || file === '/bin/status',
}

describe('the meaning of the container’s arguments', () => {
  test.each([
    [[], []],
    [
      ['gateway', 'run'],
      ['HERMES', 'gateway', 'run'],
    ],
    [
      ['-p', 'coder', 'gateway', 'run'],
      ['HERMES', '-p', 'coder', 'gateway', 'run'],
    ],
    [['--version'], ['HERMES', '--version']],
    [
      ['hermes', 'status'],
      ['HERMES', 'status'],
    ],
    [
      ['sh', '-c', 'x'],
      ['sh', '-c', 'x'],
    ],
    // A subcommand wins over a program of that name.
    [['status'], ['HERMES', 'status']],
    [['/no/such'], ['/no/such']],
    [['./here'], ['./here']],
    [['frobnicate'], ['HERMES', 'frobnicate']],
    [[''], ['HERMES', '']],
  ])('%j runs %j', (argv, expected) => {
    expect(mainCommand({ ...facts, argv })).toEqual(expected)
  })

  test('nothing, with a terminal, is hermes', () => {
    expect(mainCommand({ ...facts, argv: [], hasTerminal: true })).toEqual(['HERMES'])
  })

  test('the dashboard as main program is recognized by its name', () => {
    expect([['dashboard'], ['hermes', 'dashboard'], ['gateway', 'dashboard'], []].map(isDashboard)).toEqual([
      true,
      true,
      false,
      false,
    ])
  })

  test('the subcommands are those the manual lists', () => {
    const manual = readFileSync(join(import.meta.dirname, '../../../docs/commands.md'), 'utf8')
    for (const argument of SUBCOMMANDS.filter((one) => one !== 'help')) expect(manual).toContain(argument)
  })
})

describe('the container’s exit code', () => {
  test.each([
    [{ ending: { exitCode: 42 }, stopAsked: false, killed: false }, 42],
    [{ ending: { signal: 'SEGV' as const }, stopAsked: false, killed: false }, 139],
    [{ ending: { exitCode: 0 }, stopAsked: true, killed: false }, 0],
    [{ ending: { exitCode: 3 }, stopAsked: true, killed: false }, 3],
    [{ ending: { signal: 'TERM' as const }, stopAsked: true, killed: false }, 0],
    [{ ending: { signal: 'KILL' as const }, stopAsked: true, killed: true }, 137],
  ])('%j is %i', (end, code) => {
    expect(containerCode(end)).toBe(code)
  })
})

test.each([
  ['0', true],
  ['1', true],
  ['2', false],
  ['', false],
  ['yes', false],
  [undefined, false],
])('S6_BEHAVIOUR_IF_STAGE2_FAILS=%s: goes on %s', (value, goesOn) => {
  expect(goesOnAfterFailure(value === undefined ? {} : { S6_BEHAVIOUR_IF_STAGE2_FAILS: value })).toBe(goesOn)
})
