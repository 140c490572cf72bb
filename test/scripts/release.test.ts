import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { imageTags } from '../../scripts/release/image-tags.ts'
import { hostOf, provenanceOf } from '../../scripts/release/provenance.ts'
import { root } from '../support/pages.ts'

test.each([
  ['1.2.3', ['1.2.2', '1.1.9', '0.9.0'], ['1.2.3', '1.2', '1', 'latest']],
  ['1.2.3', [], ['1.2.3', '1.2', '1', 'latest']],
  ['1.2.4', ['1.2.3', '1.3.0'], ['1.2.4', '1.2']],
  ['1.9.1', ['2.0.0', '1.9.0'], ['1.9.1', '1.9', '1']],
  ['1.2.3', ['1.2.10'], ['1.2.3']],
  ['0.4.0', ['0.3.9', 'x', ''], ['0.4.0', '0.4', 'latest']],
])('%s after %j is tagged %j', (version, released, tags) => {
  expect(imageTags(version, released)).toEqual(tags)
})

describe('provenance', () => {
  const facts = {
    artifact: { name: 'a.tgz', bytes: Buffer.from('a') },
    revision: 'c'.repeat(40),
    lockFile: Buffer.from('{}'),
    packages: [{ purl: 'pkg:npm/a@1', hashes: [{ content: 'ab' }] }, { purl: 'pkg:generic/b@2' }],
    node: '26.0.0',
    startedAt: new Date(0),
    finishedAt: new Date(1999),
  }
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

  test('names the artifact, the commit, the run and what was built in', () => {
    const env = { GITHUB_SERVER_URL: 'https://git.example', GITHUB_REPOSITORY: 'A/b', GITHUB_RUN_ID: '7' }
    expect(provenanceOf({ ...facts, ...hostOf(env) })).toMatchObject({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name: 'a.tgz', digest: { sha256: sha256('a') } }],
      predicateType: 'https://slsa.dev/provenance/v1',
      predicate: {
        buildDefinition: {
          externalParameters: { revision: facts.revision, source: 'https://git.example/A/b' },
          resolvedDependencies: [
            { uri: `git+https://git.example/A/b@${facts.revision}`, digest: { gitCommit: facts.revision } },
            { uri: 'package-lock.json', digest: { sha256: sha256('{}') } },
            { uri: 'pkg:npm/a@1', digest: { sha512: 'ab' } },
            { uri: 'pkg:generic/b@2' },
          ],
        },
        runDetails: {
          builder: { id: 'https://git.example' },
          metadata: {
            invocationId: 'https://git.example/A/b/actions/runs/7',
            startedOn: '1970-01-01T00:00:00Z',
            finishedOn: '1970-01-01T00:00:01Z',
          },
        },
      },
    })
  })

  test('claims neither a commit for a changed checkout nor a host that it does not know', () => {
    const text = JSON.stringify(provenanceOf({ ...facts, ...hostOf({}), revision: `${facts.revision}-dirty` }))
    expect(text).not.toMatch(/gitCommit|invocationId|"source"/)
    expect(text).toContain('"id":"urn:hermes-container:local"')
  })
})

describe('hosted workflows', () => {
  interface Workflow {
    readonly jobs: Readonly<Record<string, { readonly uses?: string; readonly steps?: readonly Step[] }>>
  }
  interface Step {
    readonly run?: string
  }
  const dir = join(root, '.github', 'workflows')
  const texts = readdirSync(dir).map((name) => [name, readFileSync(join(dir, name), 'utf8')] as const)
  const jobs = texts.flatMap(([, text]) => Object.values((parse(text) as Workflow).jobs))
  const runs = jobs.flatMap(({ steps = [] }) => steps.flatMap(({ run }) => (run === undefined ? [] : [run])))

  test('call scripts that the checkout has', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    const named = runs.flatMap((run) => [...run.matchAll(/npm run ([\w:-]+)/g)].map(([, name = '']) => name))
    expect(named).toEqual(['package'])
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([])
    const files = runs.flatMap((run) =>
      [...run.matchAll(/(?:^|\s)((?:\.ci|scripts)\/[\w./-]+)/g)].map(([, file = '']) => file),
    )
    expect(files.sort()).toEqual(['.ci/run', 'scripts/release-facts.ts'])
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([])
    const called = jobs.flatMap(({ uses }) => (uses === undefined ? [] : [uses]))
    expect(called).toEqual(['./.github/workflows/ci.yml'])
  })
})
