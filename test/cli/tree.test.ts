import { expect, test } from 'vitest'
import { COMMANDS, GROUPS } from '../../src/cli/tree.ts'
import { SUBCOMMANDS } from '../../src/system/programs/subcommands.ts'

const firstWords = new Set(COMMANDS.map(({ path }) => path.split(' ')[0]))

test('init knows every command and group at the top of the command line, and no other', () => {
  expect([...firstWords, 'help'].sort()).toEqual([...SUBCOMMANDS].sort())
})

test('every command is there once; every group has commands, and what it runs alone is one of them', () => {
  const paths = COMMANDS.map(({ path }) => path)
  expect(new Set(paths).size).toBe(paths.length)
  for (const { name, alone } of GROUPS) {
    expect(paths.some((path) => path.startsWith(`${name} `))).toBe(true)
    if (alone !== undefined) expect(paths).toContain(`${name} ${alone}`)
  }
})

test('no option is called like those that every command takes', () => {
  for (const { options = [] } of COMMANDS) {
    for (const { long, short } of options)
      expect(['--json', '--profile', '-p', '--help', '-h']).not.toContain(short ?? long)
  }
})
