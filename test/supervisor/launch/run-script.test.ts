import { spawnSync } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { takeNotRun } from '../../../src/supervisor/launch/not-run.ts'
import { type RunScript, runScript } from '../../../src/supervisor/launch/run-script.ts'
import { exportLines, shellQuote } from '../../../src/system/programs/sh-environment.ts'
import { anyText } from '../../support/hostile/any-text.ts'
import { sharedScratchDir } from '../../support/scratch.ts'

const dir = sharedScratchDir('run-script-')

/** Runs sh with the file, in an environment of its own, as init does. */
function run(change: Partial<RunScript>): { status: number | null; stdout: string; stderr: string } {
  const file = join(dir, 'run')
  const script = {
    slot: 'gateway-x',
    cwd: dir,
    variables: [],
    command: ['true'],
    hint: 'set gateway.command in /home/config.yaml',
    notRunFile: join(dir, 'not-run'),
    ...change,
  }
  writeFileSync(file, runScript(script))
  const { status, stdout, stderr } = spawnSync('/bin/sh', [file], {
    cwd: '/',
    encoding: 'utf8',
    env: { PATH: '/usr/bin:/bin', HERMES_SLOT: 'gateway-x' },
  })
  return { status, stdout, stderr }
}

test('the command gets its arguments as they are, whatever they contain', () => {
  fc.assert(
    fc.property(
      fc.array(
        anyText().filter((argument) => !argument.includes('\0')),
        { maxLength: 4 },
      ),
      (args) => {
        const { stdout } = run({ command: ['printf', '%s\\n--\\n', ...args] })
        const expected = args.length === 0 ? '\n--\n' : args.map((argument) => `${argument}\n--\n`).join('')
        expect(stdout).toBe(expected)
      },
    ),
    { numRuns: 40 },
  )
})

test('variables arrive as they are, and nothing in them is run', () => {
  const value = `$(touch ${dir}/owned) \`id\` "quoted" 'single' \\ line\nbreak`
  const { stdout } = run({ variables: [{ name: 'EVIL', value }], command: ['printenv', 'EVIL'] })
  expect(stdout).toBe(`${value}\n`)
  expect(() => readFileSync(join(dir, 'owned'))).toThrow('ENOENT')
})

test('it runs in the configured directory, and the process is the command itself', () => {
  expect(run({ command: ['pwd'] }).stdout.trim()).toBe(dir)
  expect(run({ command: ['sh', '-c', 'tr "\\0" " " </proc/$$/cmdline'] }).stdout).toMatch(/^sh -c tr/)
})

test('the OOM score is 500 above what it was', () => {
  const ours = Number(readFileSync('/proc/self/oom_score_adj', 'utf8'))
  expect(Number(run({ command: ['cat', '/proc/self/oom_score_adj'] }).stdout)).toBe(Math.min(1000, ours + 500))
})

test('a command that is not there, or cannot be run, is one clear line and a code', () => {
  expect(run({ command: ['no-such-program', '-x'] })).toEqual({
    status: 127,
    stdout: '',
    stderr: 'hermes: gateway-x: no-such-program is not on PATH; set gateway.command in /home/config.yaml\n',
  })
  expect(run({ command: ['/no/such/program'] })).toMatchObject({
    status: 127,
    stderr: expect.stringMatching(/^hermes: gateway-x: \/no\/such\/program does not exist; set .*\n$/),
  })
  const plain = join(dir, "it's plain")
  writeFileSync(plain, '')
  chmodSync(plain, 0o644)
  expect(run({ command: [plain] })).toMatchObject({
    status: 126,
    stderr: `hermes: gateway-x: ${plain} is not executable; set gateway.command in /home/config.yaml\n`,
  })
})

test('a program that could not be run is reported to the supervisor by a code, once', () => {
  const ends = (status: number | null) => takeNotRun(dir, { exitCode: status ?? -1 })
  const odd = `it's "no"\nprogram`
  expect(ends(run({ command: [odd] }).status)).toEqual({ code: 'NOT_FOUND', program: 'it\'s "no" program' })
  expect(ends(127)).toBeUndefined()
  const plain = join(dir, 'plain')
  writeFileSync(plain, '')
  expect(ends(run({ command: [plain] }).status)).toEqual({ code: 'NOT_EXECUTABLE', program: plain })
})

test('a program that ends as if it had not been there is not taken for one that was not', () => {
  const line = 'hermes: gateway-x: other is not on PATH; set gateway.command'
  const { status, stderr } = run({ command: ['sh', '-c', `echo '${line}' >&2; exit 127`] })
  expect(stderr).toBe(`${line}\n`)
  expect(takeNotRun(dir, { exitCode: status ?? -1 })).toBeUndefined()
})

test.each(['null', '{"code":"NOT_FOUND"}', '{"code":"toString","program":"x"}', '[]', 'torn'])(
  'a file that the runtime user puts in the place of that code is ignored: %s',
  (text) => {
    writeFileSync(join(dir, 'not-run'), text)
    expect(takeNotRun(dir, { exitCode: 127 })).toBeUndefined()
  },
)

test('a run script that may not leave the code is as clear as ever', () => {
  expect(run({ command: ['/no/such/program'], notRunFile: '/no/such/dir/not-run' })).toMatchObject({
    status: 127,
    stderr: expect.stringMatching(/^hermes: gateway-x: \/no\/such\/program does not exist; set .*\n$/),
  })
})

test('a secret arrives as it is, whatever it contains, and is in no argument', () => {
  const printed = join(dir, 'printed')
  const fetch = ['sh', '-c', `cat '${printed}'`, 'sh']
  fc.assert(
    fc.property(
      anyText().filter((text) => !text.includes('\0')),
      (value) => {
        writeFileSync(printed, `${exportLines([['SECRET', value]]).join('\n')}\n`)
        const command = ['sh', '-c', 'printf %s "$SECRET$hermes_fetched"']
        expect(run({ fetch, command })).toEqual({ status: 0, stdout: value, stderr: '' })
      },
    ),
    { numRuns: 50 },
  )
})

test('the program that fetches secrets is given the pid of the script, and explains its failure itself', () => {
  const script = 'echo "$1" >&2; exit 126'
  expect(run({ fetch: ['sh', '-c', script, 'sh'], command: ['echo', 'ran'] })).toEqual({
    status: 126,
    stdout: '',
    stderr: expect.stringMatching(/^\d+\n$/),
  })
  expect(run({ fetch: ['sh', '-c', 'kill -9 $$'], command: ['echo', 'ran'] })).toMatchObject({
    status: 126,
    stdout: '',
    stderr: expect.stringContaining(
      'hermes: gateway-x: its secrets were not fetched: the program that does so has ended',
    ),
  })
})

test('a secret that is missing is reported to the supervisor, once', () => {
  const report = (text: string) => {
    writeFileSync(join(dir, 'not-run'), text)
    return takeNotRun(dir, { exitCode: 126 })
  }
  const problem = 'TOKEN: op exited with 1'
  expect(report(JSON.stringify({ code: 'NO_SECRET', problem }))).toEqual({ code: 'NO_SECRET', problem })
  expect(takeNotRun(dir, { exitCode: 126 })).toBeUndefined()
  expect(report('{"code":"NO_SECRET"}')).toBeUndefined()
})

test('a directory that is gone is one clear line', () => {
  expect(run({ cwd: '/no/such/dir' })).toEqual({
    status: 1,
    stdout: '',
    stderr: 'hermes: gateway-x: cannot go to /no/such/dir; does it exist, and may this user enter it?\n',
  })
})

test('the PATH of the slot decides what is found', () => {
  const tool = join(dir, 'only-here')
  writeFileSync(tool, '#!/bin/sh\necho found\n', { mode: 0o755 })
  expect(run({ variables: [{ name: 'PATH', value: `${dir}:/usr/bin:/bin` }], command: ['only-here'] }).stdout).toBe(
    'found\n',
  )
})

test('an argument with a NUL is refused, as no shell can hold one', () => {
  expect(() => runScript({ slot: 's', cwd: '/', variables: [], command: ['a\0b'], hint: '', notRunFile: '' })).toThrow(
    RangeError,
  )
})

test('quoting is the POSIX way', () => {
  expect(shellQuote("it's")).toBe(`'it'\\''s'`)
})
