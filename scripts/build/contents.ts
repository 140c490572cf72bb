// The packages of other authors that are in a build, and in which of its files they are.
import { join } from 'node:path'

/** The part of esbuild's metafile that this reads. */
export interface Outputs {
  readonly [output: string]: { readonly inputs: { readonly [input: string]: { readonly bytesInOutput: number } } }
}

/** By the paths of packages ({@link packagesOf}): the files, below the install tree, that something of them is in. */
export type Contents = ReadonlyMap<string, ReadonlySet<string>>

/**
 * The packages that files come from, as paths below node_modules: `pino`, or `execa/node_modules/path-key` for a second
 * version.
 * @param files paths, as bundlers name their inputs
 */
export function packagesOf(files: Iterable<string>): readonly string[] {
  const places = new Set<string>()
  for (const file of files) {
    // Vite's own code in a bundle has no file.
    if (file.includes('vite/preload-helper') || file.includes('vite/modulepreload-polyfill')) places.add('vite')
    const [, ...parts] = file.split(/(?:^|\/)node_modules\//)
    const names = parts.map((part) => /^(?:@[^/]+\/)?[^/?]+/.exec(part)?.[0])
    if (names.length > 0) places.add(names.join('/node_modules/'))
  }
  return [...places].sort()
}

/** The name of a package by its path below node_modules. */
export const nameOf = (place: string): string => place.split('/node_modules/').at(-1) as string

/**
 * What a build holds, by packages.
 * @param outputs of esbuild; only their names count, not the directory
 * @param page the files that the page was made of
 * @param natives the native files that were copied, by their names in lib/
 */
export function contentsOf(
  outputs: Outputs,
  page: Iterable<string>,
  natives: Readonly<Record<string, string>>,
): Contents {
  const places = new Map<string, Set<string>>()
  const add = (files: Iterable<string>, place: string): void => {
    for (const name of packagesOf(files)) places.set(name, (places.get(name) ?? new Set()).add(place))
  }
  for (const [output, { inputs }] of Object.entries(outputs)) {
    const used = Object.entries(inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    add(
      used.map(([input]) => input),
      join('lib', output.slice(output.lastIndexOf('/') + 1)),
    )
  }
  add(page, 'lib/dashboard')
  for (const [name, file] of Object.entries(natives)) add([file], join('lib', name))
  return new Map([...places].sort(([a], [b]) => (a < b ? -1 : 1)))
}
