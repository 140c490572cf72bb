import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import formats from 'ajv-formats'
import { expect, test } from 'vitest'
import { sbomText } from '../../scripts/build/sbom.ts'
import { installDir } from '../support/install.ts'
import { scratchDir } from '../support/scratch.ts'

const root = join(import.meta.dirname, '../..')
const json = (...path: readonly string[]) => JSON.parse(readFileSync(join(...path), 'utf8'))

interface Component {
  readonly group?: string
  readonly name: string
  readonly version: string
  readonly licenses: readonly { readonly license: { readonly id: string } }[]
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[]
  readonly components?: readonly Component[]
  readonly evidence: { readonly occurrences: readonly { readonly location: string }[] }
}
const sbom = json(installDir(), 'sbom.cdx.json') as {
  readonly metadata: { readonly timestamp: string; readonly component: object }
  readonly components: readonly Component[]
}
const nameOf = ({ group, name }: Component): string => (group === undefined ? name : `${group}/${name}`)

/** The schema of https://cyclonedx.org/schema, as the library of its authors has it. */
function schemaErrors(value: unknown): string {
  const schemas = join(root, 'node_modules/@cyclonedx/cyclonedx-library/res/schema')
  const ajv = new Ajv({ strict: false })
  formats.default(ajv)
  // Names of formats that the package for ajv lacks: IRIs and their mail addresses, which our SBOM does not have.
  for (const name of ['iri-reference', 'idn-email']) ajv.addFormat(name, true)
  for (const file of ['spdx', 'jsf-0.82'].map((name) => `${name}.SNAPSHOT.schema.json`))
    ajv.addSchema(json(schemas, file), `http://cyclonedx.org/schema/${file}`)
  const isValid = ajv.compile(json(schemas, 'bom-1.6.SNAPSHOT.schema.json'))
  return isValid(value) ? '' : ajv.errorsText(isValid.errors)
}

test('the SBOM is CycloneDX 1.6 of this version', () => {
  expect(schemaErrors(sbom)).toBe('')
  // A control: a licence that SPDX does not have.
  const [first, ...rest] = sbom.components
  const wrong = { ...sbom, components: [{ ...first, licenses: [{ license: { id: 'MINE' } }] }, ...rest] }
  expect(schemaErrors(wrong)).toContain('/components/0')
  const { version } = json(root, 'package.json') as { version: string }
  const { builtAt, revision } = json(installDir(), 'lib', 'build.json') as { builtAt: string; revision: string }
  expect(sbom.metadata).toMatchObject({
    timestamp: builtAt,
    component: { name: 'hermes-container', version, properties: [{ name: 'hermes:revision', value: revision }] },
  })
})

test('the SBOM names the packages of THIRD-PARTY-LICENSES, in the same versions and under the same licences', () => {
  const text = readFileSync(join(installDir(), 'THIRD-PARTY-LICENSES'), 'utf8')
  const named = [...text.matchAll(/^=+\n\n(\S+) (\d[^:\s]*)(?: \(of \S+\))?: (.+)\n\n/gm)].map((match) =>
    match.slice(1),
  )
  expect(named.length).toBeGreaterThan(20)
  expect(sbom.components.map((one) => [nameOf(one), one.version, one.licenses[0]?.license.id])).toEqual(named)
})

test('the SBOM says in which file each package is, and with which hash npm got it', () => {
  for (const one of sbom.components) {
    const places = one.evidence.occurrences.map(({ location }) => location)
    expect(places, nameOf(one)).not.toEqual([])
    for (const place of places) expect(existsSync(join(installDir(), place)), place).toBe(true)
    expect(one.hashes?.[0]?.content, nameOf(one)).toMatch(/^[0-9a-f]{128}$/)
  }
  const placesOf = (name: string) =>
    sbom.components.find((one) => nameOf(one) === name)?.evidence.occurrences.map(({ location }) => location)
  expect(placesOf('pg')).toEqual(['lib/postgres.js'])
  expect(placesOf(`@koromix/koffi-linux-${process.arch}`)).toEqual(['lib/koffi.node'])
  expect(placesOf('@fontsource-variable/geist')).toEqual(['lib/dashboard'])
})

test('the SBOM names the SQLite inside better-sqlite3', () => {
  const [sqlite] = sbom.components.find(({ name }) => name === 'better-sqlite3')?.components ?? []
  expect(sqlite).toMatchObject({ name: 'sqlite', licenses: [{ license: { id: 'blessing' } }] })
  expect(sqlite?.version).toMatch(/^3\.\d+\.\d+$/)
})

test('a package under a choice of licences has the expression', () => {
  const dir = scratchDir('hermes-sbom-')
  const packages = { 'node_modules/@a/b': { version: '1.2.3', license: '(MIT OR Apache-2.0)' } }
  writeFileSync(join(dir, 'package-lock.json'), JSON.stringify({ packages }))
  const info = { version: '0.1.0', revision: 'r', builtAt: '2026-01-01T00:00:00Z', baseImage: null }
  const made = JSON.parse(sbomText(dir, 'mine', info, new Map([['@a/b', new Set(['lib/x.js'])]])))
  expect(made.components[0]).toMatchObject({
    group: '@a',
    name: 'b',
    purl: 'pkg:npm/%40a/b@1.2.3',
    licenses: [{ expression: '(MIT OR Apache-2.0)' }],
  })
  expect(schemaErrors(made)).toBe('')
  expect(() => sbomText(dir, 'mine', info, new Map([['c', new Set()]]))).toThrow('no licence for node_modules/c')
})
