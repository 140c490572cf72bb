import { lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { installCompletion } from '../../../src/cli/commands/completion/install.ts'
import { placeOf } from '../../../src/cli/completion/places.ts'
import { completionScript, SHELLS, type Shell } from '../../../src/cli/completion/script.ts'
import { COMMANDS, GROUPS } from '../../../src/cli/tree.ts'
import { HermesError } from '../../../src/system/errors.ts'
import { scratchDir } from '../../support/scratch.ts'

let home: string
beforeEach(() => {
  home = scratchDir('hermes-completion-')
})

const scriptOf = (shell: Shell): string => completionScript(shell, COMMANDS, GROUPS)
const install = (shell: string | undefined, env: Readonly<Record<string, string>> = {}) => {
  const context = { env: { HOME: home, ...env }, install: '/usr/lib/node_modules/hermes-container/dist', uid: 1000 }
  return installCompletion(context, { args: [], options: shell === undefined ? {} : { shell } }, scriptOf)
}
const failure = (act: () => unknown): HermesError => {
  try {
    act()
  } catch (error) {
    if (error instanceof HermesError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

describe('the place', () => {
  test('is where each shell looks, by the variables of the user', () => {
    const of = (shell: Shell, env: Readonly<Record<string, string>> = {}) =>
      placeOf(shell, { env, home: '/h', isRoot: false })
    expect(SHELLS.map((shell) => of(shell))).toEqual([
      '/h/.local/share/bash-completion/completions/hermes',
      '/h/.local/share/zsh/site-functions/_hermes',
      '/h/.config/fish/completions/hermes.fish',
    ])
    const xdg = { XDG_DATA_HOME: '/d', XDG_CONFIG_HOME: '/c' }
    expect(SHELLS.map((shell) => of(shell, xdg))).toEqual([
      '/d/bash-completion/completions/hermes',
      '/d/zsh/site-functions/_hermes',
      '/c/fish/completions/hermes.fish',
    ])
    expect(of('bash', { ...xdg, BASH_COMPLETION_USER_DIR: '/b' })).toBe('/b/completions/hermes')
  })

  test('for root is one of the system, whatever its variables are', () => {
    const env = { XDG_DATA_HOME: '/d', XDG_CONFIG_HOME: '/c', BASH_COMPLETION_USER_DIR: '/b' }
    expect(SHELLS.map((shell) => placeOf(shell, { env, home: '/root', isRoot: true }))).toEqual([
      '/usr/local/share/bash-completion/completions/hermes',
      '/usr/local/share/zsh/site-functions/_hermes',
      '/etc/fish/completions/hermes.fish',
    ])
  })
})

describe('the installation', () => {
  test.each(SHELLS)('of %s writes the script once, says where, and changes nothing the second time', (shell) => {
    const file = placeOf(shell, { env: {}, home, isRoot: false })
    expect(install(shell).text).toMatch(new RegExp(`^${file} is written\n  next: .+\n$`))
    expect(readFileSync(file, 'utf8')).toBe(scriptOf(shell))
    const { ino } = lstatSync(file)
    expect(install(undefined, { SHELL: `/usr/bin/${shell}` })).toMatchObject({
      text: expect.stringContaining(`${file} is up to date\n`),
      json: { shell, file, changed: false },
    })
    expect(lstatSync(file).ino).toBe(ino)
  })

  test.each(SHELLS)('for %s replaces the script of another version', (shell) => {
    const file = placeOf(shell, { env: {}, home, isRoot: false })
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, scriptOf(shell).replace('gateway', 'daemon'))
    expect(install(shell).json).toMatchObject({ changed: true })
    expect(readFileSync(file, 'utf8')).toBe(scriptOf(shell))
  })

  test('leaves a file of another origin as it is, and a link', () => {
    const file = placeOf('fish', { env: {}, home, isRoot: false })
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, 'complete -c hermes -a mine\n')
    const error = failure(() => install('fish'))
    expect(error).toMatchObject({ code: 'EXISTS', exitCode: 1, message: `${file} was not written by hermes` })
    expect(readFileSync(file, 'utf8')).toBe('complete -c hermes -a mine\n')
    const other = placeOf('bash', { env: {}, home, isRoot: false })
    mkdirSync(dirname(other), { recursive: true })
    writeFileSync(join(home, 'mine'), scriptOf('bash'))
    symlinkSync(join(home, 'mine'), other)
    expect(failure(() => install('bash')).code).toBe('EXISTS')
    expect(lstatSync(other).isSymbolicLink()).toBe(true)
  })

  test('names the directory that it cannot make', () => {
    writeFileSync(join(home, '.config'), '')
    expect(failure(() => install('fish'))).toMatchObject({
      exitCode: 1,
      message: expect.stringContaining('hermes.fish cannot be written: ENOTDIR'),
    })
  })

  test('without a known shell asks for one', () => {
    expect(failure(() => install(undefined, { SHELL: '/bin/tcsh' }))).toMatchObject({
      exitCode: 2,
      message: 'the variable SHELL names none of bash, zsh, fish',
    })
    expect(failure(() => install('tcsh'))).toMatchObject({ exitCode: 2, message: expect.stringContaining('"tcsh"') })
  })
})
