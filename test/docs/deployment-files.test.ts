import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { manifestsOf } from '../support/deploy/helm.ts'
import { whyNoKubeTools } from '../support/deploy/kube-tools.ts'
import { readByKubectl, validate, withVariable } from '../support/deploy/manifests.ts'
import { named } from '../support/tools.ts'

const root = dirname(dirname(import.meta.dirname))

const manifests = readdirSync(join(root, 'docs/kubernetes'))
  .filter((name) => name.endsWith('.yaml'))
  .flatMap((file) =>
    manifestsOf(readFileSync(join(root, 'docs/kubernetes', file), 'utf8')).map((value) => {
      return { file, kind: value.kind, name: value.metadata.name, value }
    }),
  )

test('there are manifests to check', () => {
  expect(manifests.map(({ kind }) => kind)).toContain('StatefulSet')
})

test.each(manifests)('$file: $kind "$name" is what the Kubernetes schema asks for', ({ value }) => {
  // A control: the check sees a wrong value.
  expect(() => validate({ ...value, metadata: { name: 5 } } as never)).toThrow(/name/)
  validate(value)
})

test.each(manifests)('$file: $kind "$name" and its pods have the labels that Kubernetes recommends', ({ value }) => {
  const { metadata, spec } = value as unknown as { metadata: object; spec: { template?: { metadata: object } } }
  for (const { labels } of [metadata, spec.template?.metadata ?? metadata] as { labels: object }[])
    expect(Object.keys(labels)).toEqual(
      ['name', 'instance', 'component', 'part-of'].map((name) => `app.kubernetes.io/${name}`),
    )
})

const whyNoKubectl = whyNoKubeTools()
const withPods = manifests.filter(({ kind }) => kind !== 'Service')

test.skipIf(whyNoKubectl !== undefined).each(withPods)(
  named('kubectl knows every field of $file: $kind "$name"', whyNoKubectl),
  ({ value }) => {
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
