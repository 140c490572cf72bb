import { describe, expect, test } from 'vitest'
import { oneshotCommand, splitCommand } from '../../src/services/command-line.ts'
import type { CommandFacts } from '../../src/services/facts.ts'

describe('a line of plain words', () => {
  test.each([
    ['/etc/s6-overlay/scripts/a up\n', ['/etc/s6-overlay/scripts/a', 'up']],
    ['#!/command/execlineb -P\n# why\nprog # not a word\n  "two words" ""\n', ['prog', 'two words', '']],
    ['', []],
    ['# nothing\n', []],
    ['prog a#b', undefined],
  ])('%j is %j', (text, argv) => expect(splitCommand(text)).toEqual(argv))

  test.each(['foreground { a } b', 'prog $HOME', 'prog a\\ b', 'prog "a', 'prog "a"b', '"$x"'])(
    '%j is for execline',
    (text) => expect(splitCommand(text)).toBeUndefined(),
  )
})

describe('the command of a oneshot', () => {
  const known = (execlineb?: string): CommandFacts => ({
    execlineb,
    check: ([argument = '']) =>
      argument === '/good'
        ? { file: '/good' }
        : argument === '/bad'
          ? { file: '/bad', fault: { file: '/bad', message: 'it is not executable', repair: 'chmod +x /bad' } }
          : undefined,
  })
  const file = '/etc/s6-overlay/s6-rc.d/a/up'

  test('runs a program of plain words as it is, with or without execline', () => {
    for (const facts of [known(), known('/bin/execlineb')])
      expect(oneshotCommand('/good "a b"', file, facts)).toEqual({ argv: ['/good', 'a b'] })
  })

  test('has execlineb read the file in place for everything else', () => {
    const argv = ['/bin/execlineb', '-P', file]
    expect(oneshotCommand('foreground { /good } /good', file, known('/bin/execlineb'))).toEqual({ argv })
    // One of execline's own commands, perhaps.
    expect(oneshotCommand('cd /srv', file, known('/bin/execlineb'))).toEqual({ argv })
  })

  test('is refused with the repair where it cannot run', () => {
    expect(oneshotCommand('if { /good }', file, known())).toMatchObject({
      fault: {
        file,
        message: expect.stringContaining('execline'),
        repair: expect.stringContaining('install execline'),
      },
    })
    expect(oneshotCommand('/nowhere', file, known())).toMatchObject({
      fault: { message: 'there is no program /nowhere' },
    })
    expect(oneshotCommand('/bad', file, known())).toMatchObject({ fault: { repair: 'chmod +x /bad' } })
  })
})
