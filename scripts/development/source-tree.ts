import { chmod, cp, mkdir, readdir, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ownNodeShell } from '../../src/system/programs/own-node.ts'

/** The address of an inspector, and the program that opens it. */
export interface Inspect {
  readonly program: 'init' | 'supervisor'
  readonly port: number
}

export const LOOPBACK = '127.0.0.1'
const root = join(import.meta.dirname, '../..')
const runner = join(import.meta.dirname, 'run-source.ts')

/**
 * Makes an install tree whose programs run from the sources of this checkout: a changed file needs no build, only
 * another start. It has no page; that is for `buildPage` to put into `lib/dashboard`.
 * @param out gets bin/ with the wrappers of the image, and lib/ with a loader per program
 * @param inspect written into that program's loader: the programs take no such wish from a signal or from their
 * environment
 */
export async function makeSourceTree(out: string, inspect?: Inspect): Promise<void> {
  const lib = join(out, 'lib')
  await mkdir(lib, { recursive: true })
  await cp(join(root, 'docker', 'rootfs', 'opt', 'hermes', 'bin'), join(out, 'bin'), { recursive: true })
  await writeFile(join(out, 'bin', 'own-node.sh'), ownNodeShell())
  for (const name of await readdir(join(out, 'bin'))) await chmod(join(out, 'bin', name), 0o755)
  // The wrappers prefer it to a Node of the machine's (node.sh).
  await symlink(process.execPath, join(lib, 'node'))
  for (const file of await readdir(join(root, 'bin'), { recursive: true })) {
    if (!file.endsWith('.ts')) continue
    const name = basename(file, '.ts')
    const call = `require(${JSON.stringify(runner)}).runSource(${JSON.stringify(name)}, __dirname)\n`
    const open =
      inspect?.program === name ? `require('node:inspector').open(${inspect.port}, ${JSON.stringify(LOOPBACK)})\n` : ''
    await writeFile(join(lib, `${name}.cjs`), open + call)
    // `hermes` looks whether its bundle is there.
    await writeFile(join(lib, `${name}.js`), '')
  }
}
