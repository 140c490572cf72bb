import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { containerEnvironment, readEnvironment, storeEnvironment } from '../../../src/init/facts/environment.ts'
import { withoutNpm } from '../../../src/init/facts/user-environment.ts'
import { mainScriptText } from '../../../src/init/programs/main-program.ts'
import { ROOT_GOES_WITHOUT } from '../../../src/system/programs/own-node.ts'

const inDirectory = (use: (dir: string) => void): void => {
  const dir = mkdtempSync(join(tmpdir(), 'hermes-env-'))
  try {
    use(dir)
  } finally {
    rmSync(dir, { recursive: true })
  }
}

test('variables that the wrapper renamed get their names back, those that its shell added are removed', () => {
  const env = {
    HERMES_SAVED_NODE_OPTIONS: '--x',
    HERMES_SAVED_LD_PRELOAD: '',
    A: '1',
    _: '/bin/sh',
    SHLVL: '1',
    PWD: '/',
    OLDPWD: '/x',
  }
  expect(containerEnvironment(env, {})).toEqual({ NODE_OPTIONS: '--x', LD_PRELOAD: '', A: '1' })
})

test('a default holds where the container sets no value, or an unusable one', () => {
  expect(containerEnvironment({ A: '', B: '', C: 'c' }, { A: 'a', C: 'd' })).toEqual({ A: 'a', B: '', C: 'c' })
})

test('stored variables are read back, whatever they hold; names that cannot be file names are left out', () => {
  inDirectory((dir) => {
    const values = { A: '', B: 'two\nlines\n', C: ' ü " \' \\ ', 'D.E-F': 'x', [`${'G'.repeat(200)}`]: 'long' }
    storeEnvironment(dir, { ...values, 'a/b': 'x', '..': 'x', '.hidden': 'x', '': 'x', ['H'.repeat(300)]: 'x' })
    expect(readEnvironment(dir)).toEqual(values)
    expect(readFileSync(join(dir, 'B'), 'utf8')).toBe('two\nlines\n\n')
  })
})

test('only regular files are variables', () => {
  inDirectory((dir) => {
    writeFileSync(join(dir, 'A'), 'a')
    mkdirSync(join(dir, 'B'))
    symlinkSync('/etc/passwd', join(dir, 'C'))
    execFileSync('mkfifo', [join(dir, 'D')])
    expect(readEnvironment(dir)).toEqual({ A: 'a' })
  })
})

test('the main script exports everything as it is, and becomes the program', () => {
  inDirectory((dir) => {
    const script = join(dir, 'main')
    const env = { A: `it's`, B: 'two\nlines', C: '$(touch owned) `x` \\', E: '', 'no-shell-name': 'x' }
    writeFileSync(script, mainScriptText(env))
    const print =
      'process.stdout.write(JSON.stringify([process.env.A, process.env.B, process.env.C, process.env.E, process.argv.slice(1), process.env.HERMES_MAIN === String(process.pid)]))'
    const seen = execFileSync('/bin/sh', [script, process.execPath, '-e', print, 'a b', '$x'], {
      env: {},
      encoding: 'utf8',
    })
    expect(JSON.parse(seen)).toEqual([env.A, env.B, env.C, '', ['a b', '$x'], true])
  })
})

test('with-contenv, when root runs it, leaves out what root’s other programs go without', () => {
  const script = readFileSync('docker/rootfs/command/with-contenv', 'utf8')
  expect(/roots=' (.*) '/.exec(script)?.[1]?.split(' ')).toEqual(['PATH', ...ROOT_GOES_WITHOUT])
})

test('variables that npm adds to the environment of its scripts are removed again, and only under npm', () => {
  const own = { HOME: '/home/me', MY_OWN: '1', EDITOR: 'nano', NODE: '/my/node', PATH: '/usr/local/bin:/usr/bin' }
  const npms = {
    npm_lifecycle_event: 'start',
    npm_config_ignore_scripts: 'true',
    npm_node_execpath: '/usr/bin/node',
    INIT_CWD: '/checkout',
    COLOR: '1',
    PATH: `/checkout/node_modules/.bin:/node_modules/.bin:/npm/run-script/lib/node-gyp-bin:${own.PATH}`,
  }
  expect(withoutNpm({ ...own, ...npms })).toEqual(own)
  const { PATH, HOME } = own
  expect(withoutNpm({ ...npms, PATH, HOME, EDITOR: 'vi', NODE: '/usr/bin/node' })).toEqual({ PATH, HOME })
  const elsewhere = { npm_config_registry: 'http://mine/', COLOR: '1', PATH: '/x/node_modules/.bin' }
  expect(withoutNpm(elsewhere)).toEqual(elsewhere)
})
