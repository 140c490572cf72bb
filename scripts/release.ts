// npm run release -- VERSION: puts the changelog, package.json, the image and the chart at that version, commits and
// tags. It pushes nothing.
import { readFileSync, writeFileSync } from 'node:fs'
import { releaseChangelog } from './release/changelog.ts'
import { isNewer, isVersion } from './release/version.ts'
import { runSync } from './run.ts'

const USAGE = 'usage: npm run release -- VERSION, such as 1.2.3'
const CHANGELOG = 'CHANGELOG.md'
const FEATURE = 'deploy/devcontainer/hermes/devcontainer-feature.json'
const PACKAGES = ['package.json', 'package-lock.json', FEATURE] as const
/** Lines with the version, in the other files that have it. */
const LINES: Readonly<Record<string, RegExp>> = {
  Dockerfile: /^(ARG VERSION=).*$/gm,
  'deploy/helm/Chart.yaml': /^((?:version|appVersion): ).*$/gm,
}

/** In the repository that we were started in. @throws Error with git's own words */
function git(...args: readonly string[]): string {
  return runSync('git', args)
}

/** @throws Error with one line that says why this version cannot be released */
function release(version: string): void {
  const [changed] = git('status', '--porcelain').split('\n')
  if (changed) throw new Error(`the working tree has changes (${changed.trim()}); commit or stash them first`)
  const tags = git('tag', '--list', 'v*')
    .split('\n')
    .map((tag) => tag.slice(1))
    .filter(isVersion)
  const newest = tags.reduce<string | undefined>((best, tag) => (best && isNewer(best, tag) ? best : tag), undefined)
  if (newest !== undefined && !isNewer(version, newest))
    throw new Error(`${version} is not newer than the last release, ${newest}`)
  const changelog = readFileSync(CHANGELOG, 'utf8')
  const { text, notes } = releaseChangelog(changelog, version, new Date().toISOString().slice(0, 10))
  try {
    writeFileSync(CHANGELOG, text)
    for (const file of PACKAGES) writeFileSync(file, withVersion(readFileSync(file, 'utf8'), version))
    for (const [file, line] of Object.entries(LINES))
      writeFileSync(file, readFileSync(file, 'utf8').replaceAll(line, `$1${version}`))
    git('commit', '--quiet', '--all', '--message', `release: ${version}`)
  } catch (error) {
    // Nothing of it was committed; the tree was clean before.
    git('checkout', '--quiet', '--', '.')
    throw error
  }
  // #: a heading of the changelog, not a comment.
  git('tag', '--annotate', `v${version}`, '--cleanup=whitespace', '--message', `${version}\n\n${notes}`)
}

/** package.json has one version of ours, package-lock.json a second one for the package "". */
function withVersion(text: string, version: string): string {
  const json = JSON.parse(text) as { version: string; packages?: Record<string, { version: string }> }
  json.version = version
  if (json.packages?.['']) json.packages[''].version = version
  return `${JSON.stringify(json, null, 2)}\n`
}

const [version = '', ...more] = process.argv.slice(2)
if (!isVersion(version) || more.length > 0) {
  process.stderr.write(`release: ${version ? `"${[version, ...more].join(' ')}" is not a version; ` : ''}${USAGE}\n`)
  process.exitCode = 2
} else {
  try {
    release(version)
    process.stdout.write(`release: committed and tagged v${version}; publish it with: git push --follow-tags\n`)
  } catch (error) {
    const { message, stderr } = error as Error & { readonly stderr?: string }
    process.stderr.write(`release: ${(stderr || message).trim().split('\n')[0]}\n`)
    process.exitCode = 1
  }
}
