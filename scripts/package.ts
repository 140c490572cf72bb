// npm run package: the package for npm. It runs on both architectures, so it needs the registry for the native files of
// the other one.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { TARGETS, thisTarget } from './build/natives.ts'
import { run } from './run.ts'

const root = dirname(import.meta.dirname)
const shown = { cwd: root, output: 'shown' } as const
/** The terminal's packages are for glibc only, and so is the Node that comes along. */
const others = Object.entries(TARGETS).flatMap(([name, { arch, musl }]) =>
  musl || arch === process.arch ? [] : [name],
)
const packages = mkdtempSync(join(tmpdir(), 'hermes-natives-'))
try {
  await run(process.execPath, ['scripts/natives.ts', '--keep', packages], shown)
  const also = others.flatMap((name) => ['--also', name])
  await run(process.execPath, ['scripts/build.ts', '--target', thisTarget(), ...also, '--packages', packages], shown)
  // Its prepack would build again, for this architecture only.
  await run('npm', ['pack', '--ignore-scripts'], shown)
} finally {
  rmSync(packages, { recursive: true, force: true })
}
