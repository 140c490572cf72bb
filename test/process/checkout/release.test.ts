// `npm run release` in a repository of its own.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { root } from '../../support/pages.ts'
import { scratchDir } from '../../support/scratch.ts'
import { named, whyMissing } from '../../support/tools.ts'

const why = whyMissing('git')
const CHANGELOG = `# Changelog

## Unreleased

### Added

- A door.

### Fixed

- The lock.

## 0.1.0 (2026-01-02)

### Added

- A wall.
`

const FEATURE = 'deploy/devcontainer/hermes/devcontainer-feature.json'

let repository: string
const git = (...args: string[]): string => execFileSync('git', ['-C', repository, ...args], { encoding: 'utf8' })
const read = (file: string): string => readFileSync(join(repository, file), 'utf8')
const write = (file: string, text: string): void => writeFileSync(join(repository, file), text)

function release(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'scripts/release.ts'), ...args], {
    cwd: repository,
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

beforeEach(() => {
  repository = scratchDir('hermes-release-')
  if (why !== undefined) return
  git('init', '--quiet', '--initial-branch=main')
  for (const [key, value] of [
    ['user.name', 'A maintainer'],
    ['user.email', 'm@example.com'],
    ['commit.gpgsign', 'false'],
  ])
    git('config', key as string, value as string)
  write('CHANGELOG.md', CHANGELOG)
  write('package.json', '{\n  "name": "x",\n  "version": "0.1.0"\n}\n')
  write(
    'package-lock.json',
    '{\n  "version": "0.1.0",\n  "packages": {\n    "": {\n      "version": "0.1.0"\n    }\n  }\n}\n',
  )
  write('Dockerfile', 'FROM x\nARG VERSION=0.1.0\n')
  mkdirSync(join(repository, 'deploy/helm'), { recursive: true })
  write('deploy/helm/Chart.yaml', 'apiVersion: v2\nversion: 0.1.0\nappVersion: 0.1.0\n')
  mkdirSync(join(repository, 'deploy/devcontainer/hermes'), { recursive: true })
  write(FEATURE, '{\n  "id": "x",\n  "version": "0.1.0"\n}\n')
  git('add', '--all')
  git('commit', '--quiet', '--message', 'first')
  git('tag', 'v0.1.0')
})

test.skipIf(why !== undefined)(named('a release dates its entries, sets the version, commits and tags', why), () => {
  expect(release('0.2.0')).toEqual({
    status: 0,
    stdout: 'release: committed and tagged v0.2.0; publish it with: git push --follow-tags\n',
    stderr: '',
  })
  expect(read('CHANGELOG.md')).toMatch(/^## 0\.2\.0 \(\d{4}-\d\d-\d\d\)\n\n### Added\n\n- A door\./m)
  expect(read('package.json')).toContain('"version": "0.2.0"')
  expect(read('package-lock.json').match(/"version": "0\.2\.0"/g)).toHaveLength(2)
  expect(read('Dockerfile')).toBe('FROM x\nARG VERSION=0.2.0\n')
  expect(read('deploy/helm/Chart.yaml')).toBe('apiVersion: v2\nversion: 0.2.0\nappVersion: 0.2.0\n')
  expect(read(FEATURE)).toContain('"version": "0.2.0"')
  expect(git('status', '--porcelain')).toBe('')
  expect(git('log', '-1', '--format=%s')).toBe('release: 0.2.0\n')
  expect(git('rev-parse', 'v0.2.0^{commit}')).toBe(git('rev-parse', 'HEAD'))
  expect(git('tag', '--list', 'v0.2.0', '--format=%(contents)').trim()).toBe(
    '0.2.0\n\n### Added\n\n- A door.\n\n### Fixed\n\n- The lock.',
  )
})

/** A fault, how to make it, and the message. */
const REFUSED = [
  [
    'a changed file',
    () => write('package.json', '{}'),
    '0.2.0',
    /^release: the working tree has changes \(M package\.json\); commit or stash them first\n$/,
  ],
  [
    'a file that git does not know',
    () => write('new', ''),
    '0.2.0',
    /^release: the working tree has changes \(\?\? new\); .+\n$/,
  ],
  [
    'a version that exists',
    () => undefined,
    '0.1.0',
    /^release: 0\.1\.0 is not newer than the last release, 0\.1\.0\n$/,
  ],
  ['an older version', () => undefined, '0.0.9', /^release: 0\.0\.9 is not newer than the last release, 0\.1\.0\n$/],
  [
    'no unreleased heading',
    () => changelog('## Unreleased', '## Soon'),
    '0.2.0',
    /^release: CHANGELOG\.md has no heading "## Unreleased" .+\n$/,
  ],
  [
    'no entries',
    () => changelog(/### Added[\s\S]+The lock\.\n/, ''),
    '0.2.0',
    /^release: CHANGELOG\.md has no unreleased entries\n$/,
  ],
  [
    'an empty section',
    () => changelog('- The lock.\n', ''),
    '0.2.0',
    /^release: CHANGELOG\.md has no entry under the unreleased "### Fixed"\n$/,
  ],
  [
    'an unknown section',
    () => changelog('### Fixed', '### Mended'),
    '0.2.0',
    /^release: CHANGELOG\.md has an unreleased section "### Mended"; use Added, Changed, Fixed\n$/,
  ],
  [
    'an entry outside of a section',
    () => changelog('### Added\n\n- A door', '- A door'),
    '0.2.0',
    /^release: CHANGELOG\.md has unreleased entries outside of .+\n$/,
  ],
  [
    'a changelog that prepares another version',
    () => changelog('## Unreleased', '## 0.3.0 (unreleased)'),
    '0.2.0',
    /^release: CHANGELOG\.md prepares version 0\.3\.0, not 0\.2\.0\n$/,
  ],
] as const

function changelog(before: string | RegExp, after: string): void {
  write('CHANGELOG.md', CHANGELOG.replace(before, after))
  git('commit', '--quiet', '--all', '--message', 'changelog')
}

test.skipIf(why !== undefined).each(REFUSED)(
  named('a release is refused because of %s, and changes nothing', why),
  (_, prepare, version, line) => {
    prepare()
    const before = [git('rev-parse', 'HEAD'), git('status', '--porcelain'), git('tag'), read('CHANGELOG.md')]
    const { status, stdout, stderr } = release(version)
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(line)
    expect([git('rev-parse', 'HEAD'), git('status', '--porcelain'), git('tag'), read('CHANGELOG.md')]).toEqual(before)
  },
)

test.each([[], ['v1'], ['1.2'], ['1.2.3', 'now'], ['--help']].map((args) => [args]))(
  'release %j ends with 2 and the usage',
  (args) => {
    const { status, stderr } = release(...args)
    expect(status).toBe(2)
    expect(stderr).toMatch(/^release: (".+" is not a version; )?usage: npm run release -- VERSION, such as 1\.2\.3\n$/)
  },
)

test.skipIf(why !== undefined)(named('the workflow of a tag gets the facts of its image', why), () => {
  const digest = `sha256:${'a'.repeat(64)}`
  const facts = (env: Readonly<Record<string, string>>) =>
    spawnSync(process.execPath, [join(root, 'scripts/release-facts.ts')], {
      cwd: repository,
      encoding: 'utf8',
      env: {
        ...process.env,
        GITHUB_SERVER_URL: 'https://git.example',
        GITHUB_REPOSITORY: 'Team/hermes',
        GITHUB_REF_NAME: 'v0.2.0',
        BASE_DIGEST: digest,
        ...env,
      },
    })
  expect(release('0.2.0').status).toBe(0)
  const { status, stdout, stderr } = facts({})
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  // The form in which a workflow takes values of several lines.
  const outputs = Object.fromEntries(
    [...stdout.matchAll(/^([a-z-]+)<<(\S+)\n(.*?)\n\2$/gms)].map(([, name = '', , text = '']) => [
      name,
      text.split('\n'),
    ]),
  )
  const image = 'ghcr.io/team/hermes'
  expect(outputs).toEqual({
    image: [image],
    tags: [`${image}:0.2.0`, `${image}:0.2`, `${image}:latest`],
    'build-args': [
      'VERSION=0.2.0',
      `REVISION=${git('rev-parse', 'HEAD').trim()}`,
      expect.stringMatching(/^CREATED=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      'SOURCE=https://git.example/Team/hermes',
      `BASE_DIGEST=${digest}`,
    ],
  })
  const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8')
  for (const line of outputs['build-args'] ?? []) expect(dockerfile).toContain(`\nARG ${line.split('=')[0]}`)

  const refusals: readonly (readonly [Readonly<Record<string, string>>, string])[] = [
    [{ GITHUB_REF_NAME: 'v0.3.0' }, 'the tag is v0.3.0, and package.json has 0.2.0; npm run release makes the tag'],
    [{ GITHUB_REF_NAME: 'main' }, 'GITHUB_REF_NAME is "main", and no tag v1.2.3'],
    [{ GITHUB_REPOSITORY: '' }, 'GITHUB_REPOSITORY is not set'],
    [{ BASE_DIGEST: '' }, 'BASE_DIGEST is "", and no sha256:…'],
  ]
  for (const [env, line] of refusals)
    expect(facts(env)).toMatchObject({ status: 1, stdout: '', stderr: `release-facts: ${line}\n` })
})
