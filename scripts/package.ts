// npm run package: the package for npm, and a statement of its provenance beside it. The package runs on both
// architectures, so this needs the registry for the native files of the other one.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import packageJson from '../package.json' with { type: 'json' }
import { TARGETS, thisTarget } from './build/natives.ts'
import { hostOf, provenanceOf } from './release/provenance.ts'
import { run } from './run.ts'

const root = dirname(import.meta.dirname)
const shown = { cwd: root, output: 'shown' } as const
/** The terminal's packages are for glibc only, and so is the Node that comes along. */
const others = Object.entries(TARGETS).flatMap(([name, { arch, musl }]) =>
  musl || arch === process.arch ? [] : [name],
)
const startedAt = new Date()
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

const read = (path: string): Buffer => readFileSync(join(root, path))
const json = (path: string) => JSON.parse(read(path).toString('utf8'))
const base = `${packageJson.name}-${packageJson.version}`
const provenance = provenanceOf({
  artifact: { name: `${base}.tgz`, bytes: read(`${base}.tgz`) },
  revision: json('dist/lib/build.json').revision,
  ...hostOf(process.env),
  lockFile: read('package-lock.json'),
  packages: json('dist/sbom.cdx.json').components,
  node: process.versions.node,
  startedAt,
  finishedAt: new Date(),
})
writeFileSync(join(root, `${base}.provenance.json`), `${JSON.stringify(provenance, null, 1)}\n`)
process.stdout.write(`${base}.provenance.json\n`)
