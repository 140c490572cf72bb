// The base image where no registry can be reached: Debian by debootstrap, plus the Node and npm that package-lock.json
// pins.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { appendFile, cp, mkdir, mkdtemp, readdir, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { run } from '../../../scripts/run.ts'
import { cacheDir, docker } from './engine.ts'

const require = createRequire(import.meta.url)

/** The Dockerfile's default base image. */
const PUBLIC_BASE_IMAGE = 'node:26-bookworm-slim'

const SUITE = 'bookworm'
const NPM_VERSION = '11.21.2'
const PACKAGES = ['libatomic1']
/** Raised when the recipe below changes, so that no test runs on an image of an older recipe. */
const RECIPE = 1

/**
 * An image to build on: the public one if it is here or can be pulled, else one made on this machine.
 * The second call is quick: the image is found by its tag, which names what it was made from.
 */
export async function baseImage(say: (line: string) => void): Promise<string> {
  if (await hasImage(PUBLIC_BASE_IMAGE)) return PUBLIC_BASE_IMAGE
  const tag = localTag()
  if (await hasImage(tag)) return tag
  if (await pulled(PUBLIC_BASE_IMAGE)) return PUBLIC_BASE_IMAGE
  const archive = join(cacheDir(), `${tag.replace(':', '-')}.tar`)
  if (!existsSync(archive)) {
    say(`no registry has ${PUBLIC_BASE_IMAGE}: making a base image with debootstrap (about a minute, once)`)
    await makeArchive(archive)
  }
  const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  await docker(['import', '--change', `ENV PATH=${path}`, '--change', 'CMD ["node"]', archive, tag])
  return tag
}

export async function hasImage(name: string): Promise<boolean> {
  return (await docker(['image', 'ls', '--quiet', name])) !== ''
}

function nodePackage(): { dir: string; version: string } {
  const manifest = require.resolve(`node-linux-${process.arch}/package.json`)
  return { dir: dirname(manifest), version: (require(manifest) as { version: string }).version }
}

function localTag(): string {
  const made = JSON.stringify([RECIPE, SUITE, PACKAGES, NPM_VERSION, nodePackage().version, process.arch])
  return `hermes-test-base:${createHash('sha256').update(made).digest('hex').slice(0, 12)}`
}

async function pulled(image: string): Promise<boolean> {
  try {
    await docker(['pull', '--quiet', image], { timeoutMs: 120_000 })
    return true
  } catch {
    return false // any reason leads to the same next step, and what follows says so
  }
}

async function makeArchive(archive: string): Promise<void> {
  await mkdir(cacheDir(), { recursive: true })
  // Not in /tmp: it may be a small tmpfs, or mounted nodev, which debootstrap refuses.
  const scratch = await mkdtemp(join(cacheDir(), 'base-'))
  const root = join(scratch, 'root')
  try {
    await run('debootstrap', ['--variant=minbase', `--include=${PACKAGES.join(',')}`, SUITE, root])
    await addNode(root)
    await addNpm(root, scratch)
    // The public Node images have this user; ids that meet it are worth testing.
    await appendFile(join(root, 'etc/passwd'), 'node:x:1000:1000::/home/node:/bin/bash\n')
    await appendFile(join(root, 'etc/group'), 'node:x:1000:\n')
    for (const waste of [
      'var/lib/apt/lists',
      'var/cache/apt',
      'var/cache/debconf',
      'usr/share/doc',
      'usr/share/man',
      'usr/share/locale',
      'usr/share/info',
      'var/log',
    ]) {
      await emptyDirectory(join(root, waste))
    }
    await run('tar', ['--create', '--numeric-owner', '--file', join(scratch, 'base.tar'), '--directory', root, '.'])
    await rename(join(scratch, 'base.tar'), archive)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function addNode(root: string): Promise<void> {
  await cp(join(nodePackage().dir, 'bin', 'node'), join(root, 'usr/local/bin/node'))
}

/** npm's own tarball: the Dockerfile's build stage runs `npm ci`. */
async function addNpm(root: string, scratch: string): Promise<void> {
  await run('npm', ['pack', `npm@${NPM_VERSION}`, '--pack-destination', scratch], { cwd: scratch })
  const modules = join(root, 'usr/local/lib/node_modules')
  await mkdir(modules, { recursive: true })
  await run('tar', [
    '--extract',
    '--no-same-owner',
    '--file',
    join(scratch, `npm-${NPM_VERSION}.tgz`),
    '--directory',
    modules,
  ])
  await rename(join(modules, 'package'), join(modules, 'npm'))
  for (const name of ['npm', 'npx']) {
    await symlink(`../lib/node_modules/npm/bin/${name}-cli.js`, join(root, 'usr/local/bin', name))
  }
}

async function emptyDirectory(dir: string): Promise<void> {
  if (!existsSync(dir)) return
  for (const name of await readdir(dir)) await rm(join(dir, name), { recursive: true, force: true })
}
