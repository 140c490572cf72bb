// Facts about a build: lib/build.json in the install, /etc/hermes/image.json in the image.
import { run } from '../run.ts'

/** As src/system/programs/build-info.ts reads it. */
export interface BuildInfo {
  readonly version: string
  /** Of the sources: a commit, with `-dirty` where the checkout has changes. */
  readonly revision: string
  /** RFC 3339 UTC. */
  readonly builtAt: string
  /** Of the image; null for a build in a checkout. */
  readonly baseImage: string | null
}

/**
 * @param environment HERMES_BUILD_REVISION, _DATE and _BASE win over what the checkout says; SOURCE_DATE_EPOCH as
 * reproducible builds
 *   have it (https://reproducible-builds.org/specs/source-date-epoch/)
 */
export async function buildInfo(root: string, version: string, environment: NodeJS.ProcessEnv): Promise<BuildInfo> {
  const { HERMES_BUILD_REVISION, HERMES_BUILD_DATE, HERMES_BUILD_BASE, SOURCE_DATE_EPOCH } = environment
  const now = SOURCE_DATE_EPOCH ? Number(SOURCE_DATE_EPOCH) * 1000 : Date.now()
  return {
    version,
    revision: HERMES_BUILD_REVISION || (await revisionOf(root)),
    builtAt: HERMES_BUILD_DATE || new Date(now).toISOString().replace(/\.\d+Z$/, 'Z'),
    baseImage: HERMES_BUILD_BASE || null,
  }
}

async function revisionOf(root: string): Promise<string> {
  const git = async (...args: string[]): Promise<string> =>
    // No optional locks: a developer may be using git in the checkout.
    (await run('git', ['--no-optional-locks', '-C', root, ...args])).stdout.trim()
  try {
    const revision = await git('rev-parse', 'HEAD')
    return (await git('status', '--porcelain', '--untracked-files=no')) === '' ? revision : `${revision}-dirty`
  } catch {
    // No git, or no checkout: an unpacked archive, or the build stage of the image.
    return 'unknown'
  }
}
