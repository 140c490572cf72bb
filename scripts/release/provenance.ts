import { createHash } from 'node:crypto'

export interface BuildFacts {
  /** Name and bytes of what was built. */
  readonly artifact: { readonly name: string; readonly bytes: Uint8Array }
  /** Commit of the sources; `unknown`, or with `-dirty`, where it is not exactly one. */
  readonly revision: string
  /** Address of the repository, if it is known. */
  readonly source: string | undefined
  /** Address of the run that built it; undefined: no host is known. */
  readonly run: string | undefined
  readonly lockFile: Uint8Array
  /** Components of the SBOM. */
  readonly packages: readonly {
    readonly purl: string
    readonly hashes?: readonly { readonly content: string }[]
  }[]
  readonly node: string
  readonly startedAt: Date
  readonly finishedAt: Date
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const seconds = (date: Date): string => date.toISOString().replace(/\.\d+Z$/, 'Z')

/**
 * A statement of where an artifact comes from: SLSA provenance 1.0 (https://slsa.dev/spec/v1.0/provenance) in an in-toto
 * statement. It is not signed.
 */
export function provenanceOf(facts: BuildFacts): object {
  const { artifact, revision, source, run, lockFile, packages, node, startedAt, finishedAt } = facts
  const commit = /^[0-9a-f]{40}$/.exec(revision)?.[0]
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: artifact.name, digest: { sha256: sha256(artifact.bytes) } }],
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: 'urn:hermes-container:npm-run-package:1',
        externalParameters: { command: 'npm run package', revision, ...(source !== undefined && { source }) },
        internalParameters: { node },
        resolvedDependencies: [
          ...(source !== undefined && commit !== undefined
            ? [{ uri: `git+${source}@${commit}`, digest: { gitCommit: commit } }]
            : []),
          { uri: 'package-lock.json', digest: { sha256: sha256(lockFile) } },
          ...packages.map(({ purl, hashes }) => {
            const [hash] = hashes ?? []
            return { uri: purl, ...(hash !== undefined && { digest: { sha512: hash.content } }) }
          }),
        ],
      },
      runDetails: {
        builder: { id: run === undefined ? 'urn:hermes-container:local' : new URL(run).origin },
        metadata: {
          ...(run !== undefined && { invocationId: run }),
          startedOn: seconds(startedAt),
          finishedOn: seconds(finishedAt),
        },
      },
    },
  }
}

/** The repository and the run in the environment of a hosted workflow. */
export function hostOf(env: NodeJS.ProcessEnv): Pick<BuildFacts, 'source' | 'run'> {
  const { GITHUB_SERVER_URL, GITHUB_REPOSITORY, GITHUB_RUN_ID } = env
  if (!GITHUB_SERVER_URL || !GITHUB_REPOSITORY) return { source: undefined, run: undefined }
  const source = `${GITHUB_SERVER_URL}/${GITHUB_REPOSITORY}`
  return { source, run: GITHUB_RUN_ID ? `${source}/actions/runs/${GITHUB_RUN_ID}` : undefined }
}
