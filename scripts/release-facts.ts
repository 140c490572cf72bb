// Prints what a hosted workflow needs to publish an image, as lines of its output file: image, tags, build arguments.
// Usage: node scripts/release-facts.ts, with the variables of a workflow that a tag has started, and BASE_DIGEST
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { imageTags } from './release/image-tags.ts'
import { hostOf } from './release/provenance.ts'
import { isVersion } from './release/version.ts'
import { runSync } from './run.ts'

const { GITHUB_REF_NAME = '', GITHUB_REPOSITORY = '', BASE_DIGEST = '' } = process.env
const packaged = (): string => JSON.parse(readFileSync('package.json', 'utf8')).version
const git = (...args: readonly string[]): string => runSync('git', args).trim()

/** @throws Error with one line */
function facts(): readonly (readonly [string, readonly string[]])[] {
  const version = GITHUB_REF_NAME.replace(/^v/, '')
  if (!isVersion(version)) throw new Error(`GITHUB_REF_NAME is ${JSON.stringify(GITHUB_REF_NAME)}, and no tag v1.2.3`)
  if (version !== packaged())
    throw new Error(`the tag is v${version}, and package.json has ${packaged()}; npm run release makes the tag`)
  if (!GITHUB_REPOSITORY) throw new Error('GITHUB_REPOSITORY is not set')
  if (!/^sha256:[0-9a-f]{64}$/.test(BASE_DIGEST))
    throw new Error(`BASE_DIGEST is ${JSON.stringify(BASE_DIGEST)}, and no sha256:…`)
  const image = `ghcr.io/${GITHUB_REPOSITORY.toLowerCase()}`
  const released = git('tag', '--list', 'v*')
    .split('\n')
    .map((tag) => tag.slice(1))
  const { source = '' } = hostOf(process.env)
  return [
    ['image', [image]],
    ['tags', imageTags(version, released).map((tag) => `${image}:${tag}`)],
    [
      'build-args',
      [
        `VERSION=${version}`,
        `REVISION=${git('rev-parse', 'HEAD')}`,
        // Of the commit, so that a second build has the same.
        `CREATED=${new Date(git('show', '--no-patch', '--format=%cI', 'HEAD')).toISOString().replace(/\.\d+Z$/, 'Z')}`,
        `SOURCE=${source}`,
        `BASE_DIGEST=${BASE_DIGEST}`,
      ],
    ],
  ]
}

try {
  for (const [name, lines] of facts()) {
    const end = randomUUID()
    process.stdout.write(`${name}<<${end}\n${lines.join('\n')}\n${end}\n`)
  }
} catch (error) {
  process.stderr.write(`release-facts: ${(error as Error).message}\n`)
  process.exitCode = 1
}
