// THIRD-PARTY-LICENSES: the licence text of every package that a build has taken something from.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { nameOf } from './contents.ts'

/** Packages that hold a binary of another one's, whose licence covers it. */
const BINARIES: readonly (readonly [RegExp, string])[] = [
  [/^@koromix\/koffi-/, 'koffi'],
  [/^@lydell\/node-pty-/, '@lydell/node-pty'],
]
/** Contents of packages that belong to others, where the package's own text does not say so. */
const INSIDE: Readonly<Record<string, string>> = {
  'better-sqlite3': 'It contains SQLite, which is in the public domain (https://sqlite.org/copyright.html).',
}

const TEXT = /^(?:licen[cs]e|copying|notice|ofl)(?:[.-].*)?$/i

/**
 * @param root with node_modules
 * @param packages their paths below it
 * @throws Error naming a package without a licence text
 */
export function licensesText(root: string, packages: readonly string[]): string {
  const sections = packages.map((place) => {
    const source = BINARIES.find(([pattern]) => pattern.test(place))?.[1] ?? place
    const { version, license } = packageJson(root, source)
    const texts = textsOf(root, source)
    if (texts.length === 0) throw new Error(`there is no licence text in node_modules/${source}`)
    const of = source === place ? '' : ` (of ${source})`
    return [
      `${nameOf(place)} ${version}${of}: ${license}`,
      ...(INSIDE[source] === undefined ? [] : [INSIDE[source]]),
      ...texts,
    ].join('\n\n')
  })
  return [
    'This program contains parts of the packages below, each under the licence that follows its name.',
    ...sections,
  ].join(`\n\n${'='.repeat(80)}\n\n`)
}

function packageJson(root: string, name: string): { readonly version: string; readonly license: string } {
  return JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8'))
}

function textsOf(root: string, name: string): readonly string[] {
  const dir = join(root, 'node_modules', name)
  if (!existsSync(dir)) return []
  const names = readdirSync(dir).sort()
  const texts = names.filter((file) => TEXT.test(file)).map((file) => readFileSync(join(dir, file), 'utf8').trim())
  if (texts.length > 0) return texts
  // Some packages have it only at the end of their description.
  const readme = names.find((file) => /^readme(\.md)?$/i.test(file))
  const sections = readme === undefined ? [] : readFileSync(join(dir, readme), 'utf8').split(/^#+ */m)
  const own = sections.find((part) => /^licen[cs]e *\n/i.test(part) && part.includes('Permission is hereby granted'))
  return own === undefined ? [] : [own.slice(own.indexOf('\n')).trim()]
}
