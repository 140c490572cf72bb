// Makes an install tree (as /opt/hermes in the image): bin/ with the sh wrappers, lib/ with one CommonJS bundle per
// program and the dashboard's page, share/ with the manual and the completion. CommonJS because such a
// bundle starts in 38-48 ms; ESM needs 58 ms.
// Usage: node scripts/build.ts [OUT, default dist] [--target linux-arm64] [--also linux-arm64] [--packages DIR]
//   --target    another machine than this one
//   --also      a machine of another architecture that the same tree is to run on: its native files are in lib/arm64
//   --packages  the native packages of other machines (npm run natives -- --keep DIR)
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, readdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import packageJson from '../package.json' with { type: 'json' }
import { PLACES } from '../src/cli/completion/places.ts'
import { completionScript, SHELLS } from '../src/cli/completion/script.ts'
import { COMMANDS, GROUPS } from '../src/cli/tree.ts'
import { ownNodeShell } from '../src/system/programs/own-node.ts'
import { MODULE_WRAPPER, makeCodeCache, makeLoaders } from './build/code-cache.ts'
import { contentsOf } from './build/contents.ts'
import { buildInfo } from './build/info.ts'
import { lazyBuiltIns } from './build/lazy.ts'
import { licensesText } from './build/licenses.ts'
import { manual } from './build/manual.ts'
import { nativeFiles, targetOf, thisTarget } from './build/natives.ts'
import { buildPage } from './build/page.ts'
import { freshTree, putInPlace } from './build/replace-tree.ts'
import { sbomText } from './build/sbom.ts'

const root = dirname(import.meta.dirname)
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    target: { type: 'string', default: thisTarget() },
    also: { type: 'string', multiple: true, default: [] },
    packages: { type: 'string' },
  },
})
const { arch } = targetOf(options.target)
const target = resolve(positionals[0] ?? join(root, 'dist'))
/** The programs and what they load, by the names of their bundles. */
const programs = Object.fromEntries(
  (await readdir(join(root, 'bin'), { recursive: true }))
    .filter((path) => path.endsWith('.ts'))
    .map((path) => [basename(path, '.ts'), join('bin', path)]),
)

// Programs that run from the existing tree go on with it.
const out = await freshTree(target)
await mkdir(join(out, 'lib'), { recursive: true })
const page = buildPage(join(root, 'src', 'dashboard', 'web'), join(out, 'lib', 'dashboard'))
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: programs,
  outdir: join(out, 'lib'),
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node24',
  // import() becomes require(): the ESM loader takes milliseconds, and warns about native files.
  supported: { 'dynamic-import': false },
  minify: true,
  keepNames: true,
  // THIRD-PARTY-LICENSES has them all.
  legalComments: 'none',
  metafile: true,
  banner: { js: MODULE_WRAPPER.before },
  footer: { js: MODULE_WRAPPER.after },
  // src/profile/config/config.ts asks for import.meta.url only where it runs as source.
  logOverride: { 'empty-import-meta': 'silent' },
  define: { HERMES_VERSION: JSON.stringify(packageJson.version), HERMES_ARCH: JSON.stringify(arch) },
  plugins: [
    lazyBuiltIns,
    {
      name: 'beside-the-bundle',
      setup(b) {
        // koffi's package only looks for its binary; a bundle finds that one file beside itself, and loads in 4 ms
        // instead of 11.
        b.onResolve({ filter: /^koffi$/ }, () => ({ path: 'koffi.node', namespace: 'native' }))
        b.onLoad({ filter: /./, namespace: 'native' }, ({ path }) => ({ contents: requireNative(path) }))
        // Likewise node-pty's, which looks for a package by its platform; where there is none (musl), loading it fails
        // in one line.
        b.onLoad({ filter: /node-pty\/requireBinary\.js$/ }, () => ({
          contents: "exports.requireBinary = () => require('pty.node')",
        }))
        b.onResolve({ filter: /^pty\.node$/ }, ({ path }) => ({ path, namespace: 'native' }))
        // Below in requireNative: Node finds them, not esbuild.
        b.onResolve({ filter: /\.node$/, namespace: 'native' }, ({ path }) => ({ path, external: true }))
        // The YAML parser with its compiled code is read only by a program that parses YAML.
        b.onResolve({ filter: /^yaml$/ }, ({ importer }) =>
          basename(importer) === 'yaml.ts' ? undefined : { path: './yaml.cjs', external: true },
        )
        // Likewise the reader of cron fields, where settings are checked; the supervisor has its own for its schedules.
        b.onResolve({ filter: /^croner$/ }, ({ importer }) =>
          importer.endsWith('/text/cron.ts') ? { path: './cron.cjs', external: true } : undefined,
        )
        // Likewise the encryption of backups.
        b.onResolve({ filter: /^age-encryption$/ }, ({ importer }) =>
          basename(importer) === 'age.ts' ? undefined : { path: './age.cjs', external: true },
        )
        // Likewise the client of PostgreSQL: by a program whose board is in a database.
        b.onResolve({ filter: /\/postgres\/database-boards\.ts$/ }, ({ kind }) =>
          kind === 'dynamic-import' ? { path: './postgres.cjs', external: true } : undefined,
        )
        // Likewise the reader of JSON Schemas: by a command that has one.
        b.onResolve({ filter: /\/handover\/result-schema\.ts$/ }, ({ kind }) =>
          kind === 'dynamic-import' ? { path: './schema.cjs', external: true } : undefined,
        )
        // Likewise the library of the Model Context Protocol: by the dashboard, with the first request for it.
        b.onResolve({ filter: /^\.\/protocol\.ts$/ }, ({ kind, importer }) =>
          kind === 'dynamic-import' && importer.endsWith('/mcp/mcp.ts')
            ? { path: './mcp.cjs', external: true }
            : undefined,
        )
        // pino starts threads for transports; our programs have none.
        b.onResolve({ filter: /^thread-stream$/ }, () => ({ path: 'thread-stream', namespace: 'unused' }))
        b.onLoad({ filter: /./, namespace: 'unused' }, ({ path }) => ({
          contents: `module.exports = function () { throw new Error('${path} is not part of this bundle') }`,
        }))
        // One program loads another lazily (hermes -> cli): keep them apart.
        b.onResolve({ filter: /^#bundle\// }, ({ path }) => ({ path: path.replace('#bundle/', './'), external: true }))
      },
    },
  ],
})
const pageFiles = await page
// src/system/files/sqlite.ts names the file when it opens a database.
const natives = Object.fromEntries(
  [options.target, ...options.also].flatMap((name, index) => {
    const one = targetOf(name)
    return Object.entries(nativeFiles(one)).map(([file, path]) => [
      index === 0 ? file : join(one.arch, file),
      packageFile(path),
    ])
  }),
)
for (const [name, file] of Object.entries(natives)) await cp(file, join(out, 'lib', name))
const contents = contentsOf(metafile.outputs, pageFiles, natives)
const licenses = licensesText(root, [...contents.keys()])
await writeFile(join(out, 'THIRD-PARTY-LICENSES'), licenses)
await cp(join(root, 'LICENSE'), join(out, 'LICENSE'))
// The name of an asset changes with what is in it: browsers keep it permanently.
const licensesAsset = `licenses-${createHash('sha256').update(licenses).digest('hex').slice(0, 8)}.txt`
await writeFile(join(out, 'lib', 'dashboard', 'assets', licensesAsset), licenses)
const info = await buildInfo(root, packageJson.version, process.env)
await writeFile(join(out, 'lib', 'build.json'), `${JSON.stringify(info, null, 2)}\n`)
const shared = {
  ...Object.fromEntries(Object.entries(manual(info)).map(([name, text]) => [`man/man${name.slice(-1)}/${name}`, text])),
  ...Object.fromEntries(SHELLS.map((shell) => [PLACES[shell], completionScript(shell, COMMANDS, GROUPS)])),
}
for (const [path, text] of Object.entries(shared)) {
  const file = join(out, 'share', path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text)
}
await writeFile(join(out, 'sbom.cdx.json'), sbomText(root, packageJson.name, info, contents))
await cp(join(root, 'docker', 'rootfs', 'opt', 'hermes', 'bin'), join(out, 'bin'), { recursive: true })
await writeFile(join(out, 'bin', 'own-node.sh'), ownNodeShell())
for (const name of await readdir(join(out, 'bin'))) await chmod(join(out, 'bin', name), 0o755)
await makeLoaders(out, Object.keys(programs))
// V8's code is this machine's.
const why = options.target === thisTarget() ? await makeCodeCache(out, Object.keys(programs)) : undefined
await putInPlace(out, target)
if (why !== undefined) process.stderr.write(`build: no compiled code, so programs start slower: ${why}\n`)

/** CommonJS that loads a native file from beside the bundle, or from a directory named for the architecture. */
function requireNative(name: string): string {
  if (options.also.length === 0) return `module.exports = require('./${name}')`
  const others = options.also.map((one) => targetOf(one).arch)
  const cases = others.map((other) => `process.arch === '${other}' ? require('./${other}/${name}') : `)
  return `module.exports = ${cases.join('')}require('./${name}')`
}

/** A file of a package: from `--packages`, if it is there. */
function packageFile(file: string): string {
  const places = [...(options.packages === undefined ? [] : [resolve(options.packages)]), root]
  const paths = places.map((place) => join(place, 'node_modules', file))
  return paths.find((path) => existsSync(path)) ?? (paths[0] as string)
}
