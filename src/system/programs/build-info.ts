import { join } from 'node:path'
import { readSmallFile } from '../files/small-file.ts'

/** Facts about the build; scripts/build/info.ts writes them. */
export interface BuildInfo {
  readonly revision: string
  /** RFC 3339 UTC. */
  readonly builtAt: string
  readonly baseImage: string | null
}

const MAX_BYTES = 4096

/** @param install the directory with bin/ and lib/. @returns undefined when running from source */
export function readBuildInfo(install: string): BuildInfo | undefined {
  const { text } = readSmallFile(join(install, 'lib', 'build.json'), MAX_BYTES)
  if (text === undefined) return undefined
  const { revision, builtAt, baseImage } = JSON.parse(text) as BuildInfo
  return { revision, builtAt, baseImage }
}

/** One line about the build: the beginning of the commit, the day, the base image. */
export function buildText({ revision, builtAt, baseImage }: BuildInfo): string {
  const commit = revision.replace(/^([0-9a-f]{12})[0-9a-f]{28}/, '$1')
  return [commit, builtAt.slice(0, 10), ...(baseImage === null ? [] : [baseImage])].join(', ')
}
