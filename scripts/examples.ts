// npm run examples: writes the files of examples/ from the pages of docs/, whose commands the tests run.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** A marked block: `<!-- example: NAME -->` on the line above its fence. */
const MARKED = /^<!-- example: (\S+) -->\n```sh\n([\s\S]*?)^```$/gm
/** The page that lists the examples; it is not an example itself. */
export const NOT_AN_EXAMPLE = 'README.md'

export interface Example {
  /** File name in examples/. */
  readonly name: string
  readonly text: string
}

/**
 * The examples of some pages, by name. Blocks with the same name make one file, in the order of the page.
 * @param pages path relative to the checkout, and text
 */
export function examplesOf(pages: readonly { readonly path: string; readonly text: string }[]): readonly Example[] {
  const blocks = new Map<string, { readonly path: string; readonly texts: string[] }>()
  for (const { path, text } of pages)
    for (const [, name = '', block = ''] of text.matchAll(MARKED)) {
      const example = blocks.get(name) ?? { path, texts: [] }
      example.texts.push(block)
      blocks.set(name, example)
    }
  return [...blocks]
    .map(([name, { path, texts }]) => ({ name, text: `${headOf(path)}\n${texts.join('\n')}` }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

const headOf = (path: string): string =>
  [
    '#!/bin/sh',
    `# From ${path}, which explains it and whose commands the tests run. npm run examples writes this file.`,
    "# shellcheck disable=SC2016 # what stands between '' is for another shell",
    'set -eu',
    '',
  ].join('\n')

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const root = join(import.meta.dirname, '..')
  const pages = readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => ({ path: `docs/${name}`, text: readFileSync(join(root, 'docs', name), 'utf8') }))
  const directory = join(root, 'examples')
  mkdirSync(directory, { recursive: true })
  for (const name of readdirSync(directory)) if (name !== NOT_AN_EXAMPLE) rmSync(join(directory, name))
  for (const { name, text } of examplesOf(pages)) writeFileSync(join(directory, name), text, { mode: 0o755 })
}
