// sbom.cdx.json: the packages that a build has taken something from, as CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/).
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Contents, nameOf } from './contents.ts'
import type { BuildInfo } from './info.ts'

interface Component {
  readonly type: 'application' | 'library'
  readonly 'bom-ref': string
  readonly group?: string
  readonly name: string
  readonly version: string
  readonly licenses: readonly [{ readonly license: { readonly id: string } } | { readonly expression: string }]
  readonly purl: string
  readonly hashes?: readonly { readonly alg: 'SHA-512'; readonly content: string }[]
  readonly components?: readonly Component[]
  readonly evidence?: { readonly occurrences: readonly { readonly location: string }[] }
}

/** The lock file knows each package, also one that is for another machine, and its hash as it was downloaded. */
interface Lock {
  readonly packages: {
    readonly [path: string]: { readonly version?: string; readonly license?: string; readonly integrity?: string }
  }
}

/**
 * @param root with package-lock.json and node_modules
 * @param name of the product, as in package.json
 * @throws Error naming a package whose version or licence the lock file does not have
 */
export function sbomText(root: string, name: string, info: BuildInfo, contents: Contents): string {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock
  const { version, builtAt, revision } = info
  const purl = `pkg:npm/${name}@${version}`
  const product = { type: 'application', 'bom-ref': purl, name, version, licenses: licensesOf('MIT'), purl } as const
  const sbom = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      timestamp: builtAt,
      component: { ...product, properties: [{ name: 'hermes:revision', value: revision }] },
    },
    components: [...contents].map(([part, places]) => componentOf(root, part, lock, [...places].sort())),
  }
  return `${JSON.stringify(sbom, null, 1)}\n`
}

/** @param part its path below node_modules */
function componentOf(root: string, part: string, lock: Lock, places: readonly string[]): Component {
  const dir = join('node_modules', part)
  const name = nameOf(part)
  const { version, license, integrity } = lock.packages[dir] ?? {}
  if (version === undefined || license === undefined)
    throw new Error(`package-lock.json has no version or no licence for ${dir}`)
  // https://github.com/package-url/purl-spec: the @ of a scope is encoded.
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`
  const [scope, own] = name.startsWith('@') ? name.split('/') : []
  const hash = hexOf(integrity)
  return {
    type: 'library',
    'bom-ref': purl,
    ...(scope !== undefined && { group: scope }),
    name: own ?? name,
    version,
    licenses: licensesOf(license),
    purl,
    ...(hash !== undefined && { hashes: [{ alg: 'SHA-512', content: hash }] }),
    ...(name === 'better-sqlite3' && { components: [sqlite(join(root, dir))] }),
    evidence: { occurrences: places.map((location) => ({ location })) },
  }
}

/** The database itself, which that package brings as one C file. */
function sqlite(dir: string): Component {
  const header = readFileSync(join(dir, 'deps', 'sqlite3', 'sqlite3.h'), 'utf8')
  const version = /^#define SQLITE_VERSION +"([\d.]+)"/m.exec(header)?.[1]
  if (version === undefined) throw new Error(`${dir}/deps/sqlite3/sqlite3.h names no version of SQLite`)
  const purl = `pkg:generic/sqlite@${version}`
  return { type: 'library', 'bom-ref': purl, name: 'sqlite', version, licenses: licensesOf('blessing'), purl }
}

/** An SPDX id, or an expression of several. */
const licensesOf = (text: string): Component['licenses'] =>
  /\s/.test(text) ? [{ expression: text }] : [{ license: { id: text } }]

/** @param integrity as npm writes it (https://www.w3.org/TR/sri/): an algorithm, a dash, base64 */
function hexOf(integrity: string | undefined): string | undefined {
  const [, base64] = /^sha512-(\S+)$/.exec(integrity ?? '') ?? []
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('hex')
}
