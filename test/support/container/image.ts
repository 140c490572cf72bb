// The image under test, named by what it is built from: a test never runs on an image of older sources.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { copyFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { run } from '../../../scripts/run.ts'
import { baseImage, hasImage } from './base-image.ts'
import { docker } from './engine.ts'

const root = join(import.meta.dirname, '../../..')
/** Sources that decide about the image's content (docker/ca does not: it is trusted in the build stage only). */
const SOURCES = [
  'Dockerfile',
  '.dockerignore',
  'package.json',
  'package-lock.json',
  'bin',
  'docker',
  'LICENSE',
  'scripts/build.ts',
  'scripts/run.ts',
  'scripts/build',
  'src',
]
/** The revision that the build gets: another commit with the same ones makes the same image. */
export const IMAGE_REVISION = 'of-the-tests'
/** The authorities that this machine trusts; a build behind a TLS-inspecting proxy has to trust it as well. */
export const HOST_CA_BUNDLE = '/etc/ssl/certs/ca-certificates.crt'

/** `HERMES_TEST_IMAGE`, or the tag of the image that these sources make. */
export async function testImage(): Promise<string> {
  return process.env.HERMES_TEST_IMAGE || `hermes-test:${(await digestOf(SOURCES)).slice(0, 12)}`
}

/** Why the container tests cannot use the image, in one line; undefined: it is there. */
export async function whyNoImage(): Promise<string | undefined> {
  const image = await testImage()
  return (await hasImage(image))
    ? undefined
    : `the image ${image} of these sources is not built; npm run test:container builds it`
}

/** Builds the image of these sources unless it is there. @returns its name */
export async function buildImage(say: (line: string) => void): Promise<string> {
  const image = await testImage()
  if (await hasImage(image)) return image
  if (process.env.HERMES_TEST_IMAGE)
    throw new Error(`HERMES_TEST_IMAGE names ${image}, which this engine does not have`)
  const base = await baseImage(say)
  say(`building ${image} on ${base}`)
  await dockerBuild(image, base)
  return image
}

/** Megabytes (10^6 bytes) that the image adds to its base. */
export async function addedMegabytes(image: string): Promise<number> {
  const size = async (name: string): Promise<number> =>
    Number(await docker(['image', 'inspect', '--format', '{{.Size}}', name]))
  const base = await docker([
    'image',
    'inspect',
    '--format',
    '{{index .Config.Labels "org.opencontainers.image.base.name"}}',
    image,
  ])
  return ((await size(image)) - (await size(base))) / 1e6
}

/** The last commit whose volumes differ from today's: no checksum in gateway_state.json, no ids. */
const OLDER_COMMIT = '6ce93f8'

/**
 * An image of an earlier version: HERMES_OLDER_IMAGE, or one made from this checkout's history. Undefined: that has no
 * such commit.
 */
export async function olderImage(): Promise<string | undefined> {
  if (process.env.HERMES_OLDER_IMAGE) return process.env.HERMES_OLDER_IMAGE
  const image = `hermes-older:${OLDER_COMMIT}`
  const isKnown = await run('git', ['-C', root, 'cat-file', '-e', `${OLDER_COMMIT}^{commit}`]).then(
    () => true,
    () => false, // no history here, or no git
  )
  if (!isKnown) return undefined
  if (await hasImage(image)) return image
  const context = await mkdtemp(join(tmpdir(), 'hermes-older-'))
  try {
    await run('/bin/sh', ['-c', `git -C "$1" archive ${OLDER_COMMIT} | tar -x -C "$2"`, 'sh', root, context])
    await dockerBuild(image, await baseImage(() => undefined), context)
    return image
  } finally {
    await rm(context, { recursive: true, force: true })
  }
}

async function dockerBuild(image: string, base: string, context = root): Promise<void> {
  const certificates = join(context, 'docker', 'ca', 'host.crt')
  const hasBundle = existsSync(HOST_CA_BUNDLE)
  // Behind a proxy that inspects TLS the host trusts an authority that the base image has never heard of.
  if (hasBundle) await copyFile(HOST_CA_BUNDLE, certificates)
  const args = [
    '--build-arg',
    `BASE_IMAGE=${base}`,
    '--build-arg',
    `REVISION=${IMAGE_REVISION}`,
    '--tag',
    image,
    ...(context === root ? ['--tag', 'hermes-test:latest'] : []),
  ]
  try {
    await classicBuild([...args, context])
  } finally {
    if (hasBundle) await rm(certificates, { force: true })
  }
}

/** Builds an image from the text of a Dockerfile that copies nothing. */
export const dockerBuildText = (image: string, dockerfile: string): Promise<unknown> =>
  classicBuild(['--tag', image, '-'], dockerfile)

/** The classic builder: the only one on a plain Debian, and the strictest about what a Dockerfile may say. */
export function classicBuild(args: readonly string[], input = ''): Promise<unknown> {
  const proxies = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'].filter(
    (name) => process.env[name],
  )
  const env = { ...process.env, DOCKER_BUILDKIT: '0' }
  const options = ['--network', 'host', ...proxies.flatMap((name) => ['--build-arg', name])]
  return run('docker', ['build', ...options, ...args], { env, input })
}

async function digestOf(names: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  for (const name of names) {
    for (const file of await filesBelow(join(root, name))) {
      hash.update(`${relative(root, file)}\0`)
      hash.update(await readFile(file))
    }
  }
  return hash.digest('hex')
}

async function filesBelow(path: string): Promise<string[]> {
  if (!existsSync(path)) return []
  try {
    const entries = await readdir(path, { withFileTypes: true })
    const inside = entries
      .filter((entry) => !(entry.name === 'ca' && path === join(root, 'docker')))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
    return (
      await Promise.all(inside.map((entry) => (entry.isSymbolicLink() ? [] : filesBelow(join(path, entry.name)))))
    ).flat()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return [path]
    throw error
  }
}
