import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { beforeEach, expect, test } from 'vitest'
import { lazyBuiltIns } from '../../scripts/build/lazy.ts'
import { run } from '../../scripts/run.ts'
import { installDir } from '../support/install.ts'
import { outputOf } from '../support/programs/output.ts'
import { scratchDir } from '../support/scratch.ts'
import { waitFor } from '../support/wait.ts'

let dir: string
beforeEach(() => {
  dir = scratchDir('hermes-lazy-')
})

/** Prints what a program with these lines prints, bundled as ours are. */
async function printed(lines: readonly string[]): Promise<string> {
  const [source, bundle] = [join(dir, 'source.ts'), join(dir, 'bundle.cjs')]
  writeFileSync(source, lines.join('\n'))
  await build({
    entryPoints: [source],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    plugins: [lazyBuiltIns],
  })
  return (await run(process.execPath, [bundle], { env: { PATH: process.env.PATH ?? '' } })).stdout
}
const LOADED = "const loaded = () => process.moduleLoadList.includes('NativeModule zlib')"

test('a module of Node is loaded at the first call of a function that was imported from it', async () => {
  const lines = [
    "import { gzipSync, gunzipSync } from 'node:zlib'",
    LOADED,
    'const kept = { gzipSync }',
    'const before = loaded()',
    "console.log(before, String(gunzipSync(kept.gzipSync('text'))), loaded())",
  ]
  expect(await printed(lines)).toBe('false text true\n')
})

test('a class, a constant and a function with functions of its own are the module’s', async () => {
  const lines = [
    "import { Gzip, constants } from 'node:zlib'",
    "import { spawn, ChildProcess } from 'node:child_process'",
    "import assert, { AssertionError } from 'node:assert'",
    "const zlib = require('node:zlib'), assertion = require('node:assert')",
    'class Mine extends Gzip {}',
    'try { assert.strict.equal(1, 2) } catch (error) {',
    '  console.log(new Mine() instanceof zlib.Gzip, constants.Z_BEST_SPEED, error instanceof AssertionError)',
    '}',
    "console.log(spawn('true') instanceof ChildProcess)",
  ]
  expect(await printed(lines)).toBe('true 1 true\ntrue\n')
})

test('promisify gives the function that the module itself has for it', async () => {
  const lines = [
    "import { exec } from 'node:child_process'",
    "import { promisify } from 'node:util'",
    "promisify(exec)('echo out; echo err >&2').then(({ stdout, stderr }) => console.log(stdout + stderr))",
  ]
  expect(await printed(lines)).toBe('out\nerr\n\n')
})

test('a gateway starts without what it rarely needs', async () => {
  const [home, list] = [join(dir, 'home'), join(dir, 'loaded')]
  mkdirSync(home)
  const probe = join(dir, 'probe.cjs')
  writeFileSync(
    probe,
    `process.on('exit', () => require('node:fs').writeFileSync(${JSON.stringify(list)}, JSON.stringify([
      ...process.moduleLoadList.filter((name) => name.startsWith('NativeModule ')).map((name) => name.slice(13)),
      ...Object.keys(require.cache).map((path) => path.split('/').at(-1)),
    ])))\n`,
  )
  const words = ['--require', probe, join(installDir(), 'lib', 'hermes.cjs'), 'gateway', 'run']
  const env = { HOME: dir, HERMES_HOME: home, HERMES_SUPERVISED: '1', HERMES_ALLOW_ROOT_GATEWAY: '1' }
  const gateway = spawn(process.execPath, words, { env: { ...env, PATH: '/usr/bin:/bin' } })
  const ended = once(gateway, 'exit')
  const output = outputOf(gateway)
  await waitFor('the gateway to be ready', () => (output.stdout + output.stderr).includes('ready'))
  gateway.kill('SIGTERM')
  expect(await ended).toEqual([0, null])
  const loaded = JSON.parse(readFileSync(list, 'utf8')) as string[]
  expect(loaded).toContain('gateway.cjs')
  for (const rare of ['zlib', 'child_process', 'assert', 'http', 'yaml.cjs', 'api.cjs', 'cli.cjs'])
    expect(loaded).not.toContain(rare)
})
