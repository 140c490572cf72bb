// The commands that become another user or program: ours and Debian's with the same arguments, in one place, must
// print the same and exit with the same code. s6-overlay's with-contenv is s6-envdir -Lf on an environment that is
// empty but for PATH, and its printcontenv is the file and a newline. The table of differences lists every difference.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Pid1, runAsPid1, whyNoNamespace } from '../../support/supervisor/namespace.ts'

const root = join(import.meta.dirname, '../../..')
const COMMANDS = join(root, 'docker', 'rootfs', 'command')
const STORE = '/run/s6/container_environment'
const PATH = '/usr/bin:/bin'

/** docs/s6.md has the same rows for people. */
const differences: readonly (readonly [what: string, s6: string, hermes: string, why: string])[] = [
  [
    'a NUL in a file of the container’s environment',
    'a newline',
    'removed',
    'a variable cannot hold a NUL, and a shell cannot read one',
  ],
  [
    'a directory in the container’s environment',
    '`with-contenv` fails with 111',
    'skipped',
    'one stray directory would stop every script',
  ],
  [
    '`with-contenv A=b PROGRAM`',
    'runs a program `A=b`',
    'sets `A` for the program',
    'it calls `env`, and program names do not look like that',
  ],
  [
    '`printcontenv` of a file that ends in a newline',
    'prints two newlines',
    'prints one',
    'the newline is not part of the value, as in `with-contenv`',
  ],
  [
    '`printcontenv` of an empty file',
    'an empty line, 0',
    'nothing, 1',
    'an empty file does not define a variable, as in `with-contenv`',
  ],
  [
    '`printcontenv` where no environment is stored',
    'silent, 1',
    'one line, 111',
    'a typo in a name differs from a container without our `/init`',
  ],
]

const why =
  whyNoNamespace() ??
  (process.getuid?.() === 0 ? undefined : 'needs root') ??
  (hasDebians() ? undefined : 's6 is not installed here')

function hasDebians(): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v s6-setuidgid && command -v s6-envdir'], { stdio: 'pipe' })
    return true
  } catch {
    return false
  }
}

/** printf formats of files; names that a shell would mind are among them. */
const FILES: Readonly<Record<string, string>> = {
  NEWLINE: 'one\\n',
  NO_NEWLINE: 'two',
  ONLY_NEWLINE: '\\n',
  TWO_NEWLINES: 'three\\n\\n',
  LINES: 'four\\nfive\\n',
  BLANKS: '  \\t six  \\n',
  BACKSLASH: 'a\\\\nb\\\\\\n',
  QUOTES: `'"$HOME"\\n`,
  STAR: '*\\n',
  BYTES: '\\377\\376\\n',
  UMLAUT: 'ä\\n',
  'with-dash': 'seven\\n',
  'with space': 'eight\\n',
  '-dash': 'nine\\n',
  'with=equal': 'ten\\n',
  '.hidden': 'eleven\\n',
  EMPTY: '',
}

interface Said {
  readonly code: number
  readonly stdout: string
  /** Each program has its own text for the fault. */
  readonly complains: boolean
}

let box: Pid1
beforeAll(async () => {
  if (why !== undefined) return
  const lay = Object.entries(FILES).map(
    ([name, text]) => `printf '${text.replaceAll("'", "'\\''")}' >'${STORE}/${name}'`,
  )
  box = await runAsPid1(['sh', '-c', 'echo laid; exec sleep 1000000'], {
    prepare: [
      `mkdir -p ${STORE} /run/hermes /run/names && echo ${PATH} >/run/hermes/root-path`,
      `printf '%2000d' 0 >${STORE}/LONG && printf '%9000d\\n' 0 >${STORE}/LONGER && ln -s LINES ${STORE}/LINK`,
      ...lay,
      'cp /etc/passwd /etc/group /run/names/',
      'echo tester:x:4321:4322::/:/bin/sh >>/run/names/passwd; echo 77:x:4323:4322::/:/bin/sh >>/run/names/passwd',
      'echo one:x:4322: >>/run/names/group; echo two:x:4324:other,tester >>/run/names/group; echo three:x:4325:testerx >>/run/names/group',
      'mount --bind /run/names/passwd /etc/passwd && mount --bind /run/names/group /etc/group',
      `printf '#!/bin/sh\\n' >/run/no-bit`,
    ].join('\n'),
  })
  await box.saw('laid')
})
afterAll(async () => box?.[Symbol.asyncDispose]())

const exec = async (argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Said> => {
  const { code, stdout, stderr } = await box.exec(argv, { env: { PATH, ...env } })
  return { code, stdout, complains: stderr !== '' }
}

type Command = 's6-setuidgid' | 'with-contenv' | 'printcontenv'
const debians: Readonly<Record<Command, readonly string[]>> = {
  's6-setuidgid': ['s6-setuidgid'],
  'with-contenv': ['env', '-i', `PATH=${PATH}`, 's6-envdir', '-Lf', '--', STORE],
  printcontenv: [
    'sh',
    '-c',
    `[ $# -gt 0 ] || { echo usage >&2; exit 100; }; exec 2>/dev/null; cat <"${STORE}/$1" && echo || exit 1`,
    'sh',
  ],
}
const ours = (command: Command): readonly string[] => [join(COMMANDS, command)]

/** Prints their stdout as bytes, so that invalid UTF-8 counts too. */
const BYTES = ['sh', '-c', 'printf "[%s]" "$@" | od -An -c', 'sh']
/** Words that no argument list of JavaScript can hold are made inside. */
const withBytes = (argv: readonly string[]): readonly string[] => [
  'sh',
  '-c',
  'exec "$@" "$(printf "\\377 \\376")"',
  'sh',
  ...argv,
]

async function same(
  command: Command,
  args: readonly string[],
  around = (argv: readonly string[]) => argv,
): Promise<Said> {
  const theirs = await exec(around([...debians[command], ...args]))
  expect(await exec(around([...ours(command), ...args]))).toEqual(theirs)
  return theirs
}

describe.skipIf(why !== undefined)(`as Debian's (${why ?? 'in a namespace'})`, () => {
  test('the documentation lists the differences, with the same text', () => {
    const page = readFileSync(join(root, 'docs', 's6.md'), 'utf8')
    for (const row of differences) expect(page).toContain(`| ${row.join(' | ')} |`)
  })

  test.each<Command>(['s6-setuidgid', 'with-contenv'])(
    '%s hands over arguments as they are, and ends as the program does',
    async (command) => {
      const who = command === 's6-setuidgid' ? ['tester'] : []
      expect(
        (await same(command, [...who, ...BYTES, 'a b', '', '*', '$HOME', '-n', '--', 'A=b', '\n'], withBytes)).stdout,
      ).toContain('377')
      expect((await same(command, [...who, 'sh', '-c', 'exit 7'])).code).toBe(7)
      expect((await same(command, [...who, 'sh', '-c', 'kill -KILL $$'])).code).toBe(137)
      expect((await same(command, [...who, 'no-such-program'])).code).toBe(127)
      expect((await same(command, [...who, '/run/no-such/program'])).code).toBe(127)
      expect((await same(command, [...who, '/run/no-bit'])).code).toBe(126)
      expect((await same(command, [...who, '/run'])).code).toBe(126)
      expect((await same(command, who)).code).toBe(100)
    },
  )

  describe('s6-setuidgid', () => {
    const IDS = ['sh', '-c', 'id -u; id -g; id -G; grep -E "^(Uid|Gid|Groups|CapEff)" /proc/self/status; env; pwd']

    test.each(['tester', '77', '12:34', '010:0034', '0:0', '4294967294:4294967294', 'root', ''])(
      'becomes "%s", with those groups, and leaves environment and directory alone',
      async (account) => {
        expect((await same('s6-setuidgid', [account, ...IDS])).code).toBe(0)
      },
    )

    test.each([
      ['nobody-here', 1],
      ['4321', 1],
      ['a b', 1],
      ['test*', 1],
      ['12:', 100],
      [':12', 100],
      [':', 100],
      ['1:2:3', 100],
      ['-1:2', 100],
      ['+1:2', 100],
      [' 1:2', 100],
      ['1:2 ', 100],
      ['0x1:2', 100],
      ['tester:one', 100],
      ['tester:4322', 100],
      ['4294967296:4294967296', 100],
      ['4294967297:1', 100],
      ['1:4294967296', 100],
      ['99999999999999999999999999:1', 100],
      ['-x', 100],
    ])('does not become "%s": %d', async (account, code) => {
      expect((await same('s6-setuidgid', [account, 'true'])).code).toBe(code)
    })

    test('the id that means "as it is" to the kernel is refused by both', async () => {
      for (const account of ['4294967295:1', '1:4294967295'])
        for (const command of [debians['s6-setuidgid'], ours('s6-setuidgid')]) {
          const { code, stdout } = await exec([...command, account, 'id', '-u'])
          expect([100, 111]).toContain(code)
          expect(stdout).toBe('')
        }
    })

    test('ends with 111 for a user who may not', async () => {
      const asTester = (argv: readonly string[]) => [
        'setpriv',
        '--reuid=4321',
        '--regid=4322',
        '--clear-groups',
        ...argv,
      ]
      const without = (right: string) => (argv: readonly string[]) => ['setpriv', `--bounding-set=-${right}`, ...argv]
      for (const around of [asTester, without('setuid'), without('setgid')])
        for (const account of ['tester', '12:34'])
          expect((await same('s6-setuidgid', [account, 'true'], around)).code).toBe(111)
    })
  })

  test('with-contenv gives every variable as the files say, PATH besides, and nothing else', async () => {
    const { stdout } = await same('with-contenv', ['sh', '-c', 'env -0 | sort -z | tr "\\0" "\\n" | od -An -c'])
    expect(stdout).toContain('377')
    // The caller's go; what a file says wins over the PATH that was there; an empty file takes it away.
    const mine = { MINE: 'x', EMPTY: 'gone', NEWLINE: 'other' }
    for (const command of [debians['with-contenv'], ours('with-contenv')])
      expect((await exec([...command, 'sh', '-c', 'echo "$MINE-$EMPTY-$NEWLINE"'], mine)).stdout).toBe('--one\n')
    const asTester = (argv: readonly string[]) => ['setpriv', '--reuid=4321', '--regid=4322', '--clear-groups', ...argv]
    const path = ['/bin/sh', '-c', 'echo "$PATH"; /usr/bin/env | /usr/bin/grep -c ^PATH=']
    await box.exec(['sh', '-c', `echo /sbin:/bin >${STORE}/PATH`])
    expect((await same('with-contenv', path, asTester)).stdout).toBe('/sbin:/bin\n1\n')
    await box.exec(['sh', '-c', `: >${STORE}/PATH`])
    await same('with-contenv', ['/bin/sh', '-c', '/usr/bin/env | /usr/bin/sort'], asTester)
    await box.exec(['rm', `${STORE}/PATH`])
  })

  test('printcontenv does not leave the store', async () => {
    await box.exec(['sh', '-c', `echo secret >${STORE}/../outside`])
    for (const name of ['../outside', `../container_environment/LONG`, `${STORE}/LONG`])
      expect(await exec([...ours('printcontenv'), name])).toMatchObject({ code: 1, stdout: '' })
  })

  test('printcontenv prints what a file holds', async () => {
    for (const name of ['NO_NEWLINE', 'LONG', 'ABSENT', 'a b', ''])
      expect([0, 1]).toContain((await same('printcontenv', [name])).code)
    expect((await same('printcontenv', [])).code).toBe(100)
    expect((await same('printcontenv', ['NO_NEWLINE', 'LONG'])).stdout).toBe('two\n')
    for (const name of [
      'NEWLINE',
      'TWO_NEWLINES',
      'LINES',
      'BLANKS',
      'BACKSLASH',
      'QUOTES',
      'STAR',
      'UMLAUT',
      'LINK',
    ]) {
      const theirs = await exec([...debians.printcontenv, name])
      const said = await exec([...ours('printcontenv'), name])
      expect(said).toEqual({ ...theirs, stdout: theirs.stdout.replace(/\n$/, '') })
    }
  })

  describe('the differences', () => {
    const our = (command: Command, ...args: readonly string[]): Promise<Said> => exec([...ours(command), ...args])
    const their = (command: Command, ...args: readonly string[]): Promise<Said> => exec([...debians[command], ...args])

    test('a NUL, a directory, an empty file, a newline, no store at all', async () => {
      await box.exec(['sh', '-c', `printf 'a\\0b\\n' >${STORE}/NUL`])
      expect((await their('with-contenv', 'printenv', 'NUL')).stdout).toBe('a\nb\n')
      expect((await our('with-contenv', 'printenv', 'NUL')).stdout).toBe('ab\n')
      await box.exec(['mkdir', `${STORE}/DIR`])
      expect((await their('with-contenv', 'true')).code).toBe(111)
      expect((await our('with-contenv', 'true')).code).toBe(0)
      await box.exec(['rm', '-r', `${STORE}/NUL`, `${STORE}/DIR`])
      expect(await their('printcontenv', 'EMPTY')).toMatchObject({ code: 0, stdout: '\n' })
      expect(await our('printcontenv', 'EMPTY')).toMatchObject({ code: 1, stdout: '' })
      expect((await their('printcontenv', 'NEWLINE')).stdout).toBe('one\n\n')
      expect((await our('printcontenv', 'NEWLINE')).stdout).toBe('one\n')
      expect((await their('with-contenv', 'A=b', 'printenv', 'A')).code).toBe(127)
      expect((await our('with-contenv', 'A=b', 'printenv', 'A')).stdout).toBe('b\n')
      await box.exec(['mv', STORE, `${STORE}.away`])
      expect(await their('printcontenv', 'NEWLINE')).toMatchObject({ code: 1, complains: false })
      expect(await our('printcontenv', 'NEWLINE')).toMatchObject({ code: 111, complains: true })
      await same('with-contenv', ['true'])
      await box.exec(['mv', `${STORE}.away`, STORE])
    })
  })
})
