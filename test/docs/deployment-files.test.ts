import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { StatefulSet } from 'kubernetes-models/apps/v1/StatefulSet'
import { Pod } from 'kubernetes-models/v1/Pod'
import { Service } from 'kubernetes-models/v1/Service'
import { expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { named, whyMissing } from '../support/tools.ts'

const root = dirname(dirname(import.meta.dirname))

/** Schemas of the kinds that our manifests use. */
const kinds = { Pod, Service, StatefulSet } as const

const manifests = readdirSync(join(root, 'docs/kubernetes'))
  .filter((name) => name.endsWith('.yaml'))
  .flatMap((file) =>
    parseAllDocuments(readFileSync(join(root, 'docs/kubernetes', file), 'utf8')).map((document) => {
      const value = document.toJS() as { kind: string; apiVersion: string; metadata: { name: string } }
      return { file, kind: value.kind, name: value.metadata.name, value }
    }),
  )

test('there are manifests to check', () => {
  expect(manifests.map(({ kind }) => kind)).toContain('StatefulSet')
})

test.each(manifests)('$file: $kind "$name" is what the Kubernetes schema asks for', ({ kind, value }) => {
  const Kind = kinds[kind as keyof typeof kinds]
  if (Kind === undefined) throw new Error(`no schema for ${kind}: add it to this test`)
  const validate = (manifest: object): void => new Kind(manifest as never).validate()
  // A control: the check sees a wrong value.
  expect(() => validate({ ...value, metadata: { name: 5 } })).toThrow(/name/)
  validate(value)
})

const whyNoKubectl = whyMissing('kubectl')
const withPods = manifests.filter(({ kind }) => kind !== 'Service')

/**
 * What kubectl makes of a manifest without a cluster, where it sets a variable: every field that its own types do not
 * have is gone.
 */
function readByKubectl(manifest: object): unknown {
  const args = ['set', 'env', '--local', '--filename', '-', '--output', 'json', 'HERMES_STOP_TIMEOUT=26']
  const { status, stdout, stderr } = spawnSync('kubectl', args, { input: JSON.stringify(manifest), encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}

test.skipIf(whyNoKubectl !== undefined).each(withPods)(
  named('kubectl knows every field of $file: $kind "$name"', whyNoKubectl),
  ({ value }) => {
    const withVariable = (manifest: object): object =>
      JSON.parse(JSON.stringify(manifest).replace('"value":"25"', '"value":"26"'))
    expect(readByKubectl(value)).toMatchObject(withVariable(value))
    // A control: a field with a wrong name does not come back.
    const wrong = JSON.parse(JSON.stringify(value).replace('"readinessProbe"', '"readynessProbe"'))
    expect(readByKubectl(wrong)).not.toMatchObject(withVariable(wrong))
  },
)

test("podman's Pod is the StatefulSet's, with its claim as a volume and without ports", () => {
  interface PodSpec {
    readonly containers: readonly [{ readonly ports: unknown }]
    readonly volumes: readonly object[]
  }
  const specOf = (kind: string): unknown =>
    (manifests.find((one) => one.kind === kind)?.value as { spec?: unknown } | undefined)?.spec
  const { spec } = (specOf('StatefulSet') as { template: { spec: PodSpec } }).template
  const { ports: _, ...rest } = spec.containers[0]
  expect(specOf('Pod')).toEqual({
    ...spec,
    containers: [{ ...rest, image: 'localhost/hermes:latest' }],
    volumes: [...spec.volumes, { name: 'data', persistentVolumeClaim: { claimName: 'hermes-data' } }],
  })
})

test('compose.yaml is what the engine of compose accepts, and gives the stop its time', ({ skip }) => {
  const file = join(root, 'compose.yaml')
  const { services } = parse(readFileSync(file, 'utf8')) as {
    services: Record<string, { stop_grace_period: string; environment: Record<string, string> }>
  }
  expect(Object.keys(services)).toEqual(['hermes'])
  expect(Number.parseInt(services.hermes?.stop_grace_period ?? '', 10)).toBeGreaterThan(
    Number(services.hermes?.environment.HERMES_STOP_TIMEOUT),
  )
  try {
    execFileSync('docker-compose', ['--file', file, 'config', '--quiet'], { stdio: 'pipe' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      skip('docker-compose is not installed: its schema was not asked')
    throw error
  }
})
