import { expect, test } from 'vitest'
import { tableOf } from '../../../src/cli/completion/rows.ts'
import { completionScript, SHELLS } from '../../../src/cli/completion/script.ts'
import { type Command, VALUE_KINDS } from '../../../src/cli/context/command.ts'
import { COMMANDS, GROUPS } from '../../../src/cli/tree.ts'
import { configKeys } from '../../../src/profile/config/keys.ts'

const { rows, common, keys } = tableOf(COMMANDS, GROUPS)
const rowOf = (path: string) => rows.find((row) => row.path === path)

test('every command and every group has a row, and the first row every first word', () => {
  expect(rows.map(({ path }) => path)).toEqual([
    '',
    ...GROUPS.map(({ name }) => name),
    ...COMMANDS.map(({ path }) => path),
  ])
  expect(
    rowOf('')
      ?.commands.map(({ word }) => word)
      .sort(),
  ).toEqual([...new Set(COMMANDS.map(({ path }) => path.split(' ')[0]))].sort())
})

test('values come from the name of an argument, unless it says more', () => {
  expect(rowOf('kanban show')?.args).toEqual(['tasks'])
  expect(rowOf('kanban attach')?.args).toEqual(['tasks', 'files*'])
  expect(rowOf('gateway start')?.args).toEqual(['profiles*'])
  expect(rowOf('service restart')?.args).toEqual(['services'])
  expect(rowOf('config set')?.args).toEqual(['config-keys', '-'])
  expect(rowOf('kanban boards')?.args).toEqual([':create,list,use,rename,remove', 'boards', '-'])
  expect(rowOf('profile create')?.args).toEqual(['-'])
  expect(rowOf('token create')?.values).toContainEqual({ flag: '--scope', source: ':read,board,operate,admin' })
  expect(rowOf('kanban create')?.values).toEqual(
    expect.arrayContaining([
      { flag: '--assignee', source: 'profiles' },
      { flag: '-a', source: 'profiles' },
      { flag: '--board', source: 'boards' },
      { flag: '--body', source: '-' },
      { flag: '--body-file', source: 'files' },
    ]),
  )
  expect(common.values).toEqual([
    { flag: '--profile', source: 'profiles' },
    { flag: '-p', source: 'profiles' },
  ])
})

test('every source is one that the scripts know, and one word', () => {
  const known = ['-', 'files', 'directories', 'config-keys', ...VALUE_KINDS]
  for (const { path, values, args } of rows)
    for (const source of [...values.map((one) => one.source), ...args.map((one) => one.replace(/\*$/, ''))])
      if (!/^:[\w.,-]+$/.test(source)) expect(known, `${path}: ${source}`).toContain(source)
})

test('a group that runs a command by itself takes the options of that one', () => {
  expect(rowOf('backup')?.options).toContainEqual({ word: '--encrypt', help: expect.any(String) })
  expect(rowOf('backup')?.commands.map(({ word }) => word)).toEqual(['create', 'schedule'])
})

test('the keys of config.yaml have their help', () => {
  expect(keys.map(({ word }) => word)).toEqual(configKeys())
  expect(keys.every(({ help }) => help !== '')).toBe(true)
})

test.each(SHELLS)('text from the table stays text in the script for %s', (shell) => {
  const command: Command = { path: 'x', summary: `it's $(id) \`id\` \\ "a:b"`, run: () => ({}) }
  const text = completionScript(shell, [command], [])
  const expected = {
    bash: undefined,
    zsh: `'x:it'\\''s $(id) \`id\` \\\\ "a:b"'`,
    fish: `'x'\\t'it\\'s $(id) \`id\` \\\\ "a:b"'`,
  }[shell]
  if (expected !== undefined) expect(text).toContain(expected)
})
