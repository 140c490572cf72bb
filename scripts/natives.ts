// npm run natives: checks that the packages have the right native files for every machine that there are builds for.
//   --keep DIR   leaves the packages of other machines in DIR/node_modules, for scripts/build.ts --target
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { nativeFiles, packagesFor, TARGETS, wrongFor } from './build/natives.ts'
import { run } from './run.ts'

const root = dirname(import.meta.dirname)
const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
  readonly packages: { readonly [path: string]: { readonly version: string; readonly integrity: string } }
}

/** Downloads a package in the version of the lock file. @throws Error when it is another one than npm has locked */
async function fetchPackage(name: string, into: string): Promise<void> {
  const locked = lock.packages[`node_modules/${name}`]
  if (locked === undefined) throw new Error(`package-lock.json does not have ${name}`)
  const { stdout } = await run('npm', ['pack', `${name}@${locked.version}`, '--json', '--pack-destination', into])
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
  const file = join(into, filename)
  const hash = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`
  if (hash !== locked.integrity) throw new Error(`${name}@${locked.version} is ${hash}, not ${locked.integrity}`)
  const dir = join(into, 'node_modules', name)
  await mkdir(dir, { recursive: true })
  await run('tar', ['-xzf', file, '-C', dir, '--strip-components=1'])
  rmSync(file)
}

const { values } = parseArgs({ options: { keep: { type: 'string' } } })
const into = values.keep === undefined ? mkdtempSync(join(tmpdir(), 'hermes-natives-')) : resolve(values.keep)
try {
  await mkdir(into, { recursive: true })
  for (const name of new Set(Object.values(TARGETS).flatMap(packagesFor))) await fetchPackage(name, into)
  for (const [name, target] of Object.entries(TARGETS))
    for (const file of Object.values(nativeFiles(target))) {
      const home = file.startsWith('better-sqlite3/') ? root : into
      const wrong = wrongFor(target, readFileSync(join(home, 'node_modules', file)))
      process.stdout.write(`${name}  ${file}: ${wrong ?? 'right'}\n`)
      if (wrong !== undefined) process.exitCode = 1
    }
} finally {
  if (values.keep === undefined) rmSync(into, { recursive: true, force: true })
}
