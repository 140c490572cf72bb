import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Script } from 'node:vm'
import { expect, test } from 'vitest'
import { installDir } from '../../support/install.ts'
import { scratchDir } from '../../support/scratch.ts'
import { named, whyNotRoot } from '../../support/tools.ts'

const lib = join(installDir(), 'lib')
const compile = (name: string): Script => {
  const filename = join(lib, `${name}.js`)
  return new Script(readFileSync(filename, 'latin1'), {
    filename,
    cachedData: readFileSync(join(lib, `${name}.cache`)),
  })
}

/** @param timesTheTable size of the whole cache, as a multiple of one with no function compiled */
function expectWarm(name: string, timesTheTable = 1.5): void {
  expect(compile(name).cachedDataRejected).toBe(false)
  // Without a function compiled there would be little more than a table of them.
  const withoutFunctions = new Script(readFileSync(join(lib, `${name}.js`), 'latin1')).createCachedData()
  expect(readFileSync(join(lib, `${name}.cache`)).length).toBeGreaterThan(timesTheTable * withoutFunctions.length)
}

test.each(['init', 'boot', 'supervisor', 'gateway', 'hermes', 'cli', 'kanban', 's6'])(
  '%s starts from code that is compiled already, its functions too',
  (name) => expectWarm(name),
)

// Only a build by root has a privilege to drop.
test.skipIf(whyNotRoot !== undefined)(named('drop starts from code that is compiled already, too', whyNotRoot), () =>
  // The greater part of it is for a shell of root's and for profile move, and is compiled there alone.
  expectWarm('drop', 1.1),
)

test.each([
  ['of another version of V8', (cache: Buffer) => cache.fill(0, 4, 8)],
  ['cut off', (cache: Buffer) => cache.subarray(0, 100)],
  ['empty', () => Buffer.alloc(0)],
  ['missing', () => undefined],
])('compiled code that is %s costs a moment and nothing else', (_, change) => {
  const copy = scratchDir('hermes-code-')
  chmodSync(copy, 0o755)
  cpSync(installDir(), copy, { recursive: true })
  const file = join(copy, 'lib', 'hermes.cache')
  expect(existsSync(file)).toBe(true)
  const changed = change(readFileSync(file))
  if (changed === undefined) rmSync(file)
  else writeFileSync(file, changed)
  const hermes = (home: string): string =>
    execFileSync(join(home, 'bin', 'hermes'), ['version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  expect(hermes(copy)).toBe(hermes(installDir()))
  // Nothing writes it again: the user who runs the programs may not be their owner.
  expect(existsSync(file) ? readFileSync(file) : undefined).toEqual(changed)
})
