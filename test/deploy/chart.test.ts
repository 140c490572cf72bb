import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { CHART, manifestsOf, rendered, templateOf, valuesFiles } from '../support/deploy/helm.ts'
import { helm, kubectl, whyNoKubeTools } from '../support/deploy/kube-tools.ts'
import { type Manifest, readByKubectl, validate, withVariable } from '../support/deploy/manifests.ts'
import { root } from '../support/pages.ts'
import { scratchDir } from '../support/scratch.ts'
import { named } from '../support/tools.ts'

const why = whyNoKubeTools()
const files = valuesFiles().map((path) => ({ name: basename(path), path }))
const THREE = join(CHART, 'ci/three-nodes-values.yaml')
const EVERYTHING = join(CHART, 'ci/everything-values.yaml')

interface PodSpec {
  readonly automountServiceAccountToken: boolean
  readonly enableServiceLinks: boolean
  readonly terminationGracePeriodSeconds: number
  readonly containers: readonly [Container]
  readonly volumes: readonly { readonly name: string; readonly secret?: { readonly items: readonly object[] } }[]
}
interface Container {
  readonly env: readonly { readonly name: string; readonly value?: string }[]
  readonly securityContext: object
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[]
}
interface StatefulSet extends Manifest {
  readonly spec: { readonly template: { readonly spec: PodSpec } }
}

const statefulSet = (manifests: readonly Manifest[]): StatefulSet => {
  const found = manifests.find(({ kind }) => kind === 'StatefulSet')
  if (found === undefined) throw new Error('the chart has no StatefulSet')
  return found as StatefulSet
}
const podOf = (...options: readonly string[]): PodSpec => statefulSet(rendered(...options)).spec.template.spec
const variableOf = (pod: PodSpec, name: string): string | undefined =>
  pod.containers[0].env.find((variable) => variable.name === name)?.value

test('the chart and the image that it takes have the version of the project', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  expect(parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8'))).toMatchObject({ version, appVersion: version })
})

describe.skipIf(why !== undefined)(named('the chart', why), () => {
  test.each(files)('passes helm lint with $name', ({ path }) => {
    expect(helm(['lint', '--strict', CHART, '--values', path])).toMatchObject({ code: 0, stderr: '' })
  })

  test.each(files)('makes objects that Kubernetes knows, with $name', ({ path }) => {
    const manifests = rendered('--values', path)
    expect(manifests.map(({ kind }) => kind)).toContain('StatefulSet')
    for (const manifest of manifests) {
      // A control: the check sees a wrong value.
      expect(() => validate({ ...manifest, spec: 5 } as never)).toThrow(/spec/)
      validate(manifest)
    }
  })

  test('has a values file that differs from every default', () => {
    const same = (defaults: unknown, values: unknown, path: string): string[] =>
      typeof defaults === 'object' && defaults !== null && Object.keys(defaults).length > 0 && !Array.isArray(defaults)
        ? Object.entries(defaults).flatMap(([key, value]) =>
            same(value, (values as Record<string, unknown> | undefined)?.[key], `${path}.${key}`),
          )
        : values === undefined || JSON.stringify(values) === JSON.stringify(defaults)
          ? [path]
          : []
    const read = (path: string): unknown => parse(readFileSync(path, 'utf8'))
    expect(same(read(join(CHART, 'values.yaml')), read(EVERYTHING), '')).toEqual([
      '.secrets.dashboardPassword', // excludes the hash, which the file has
      '.networkPolicy.enabled', // the file has its other values
    ])
  })

  test.each(files)('makes a StatefulSet of which kubectl knows every field, with $name', ({ path }) => {
    const set = statefulSet(rendered('--values', path))
    expect(readByKubectl(set)).toMatchObject(withVariable(set))
  })

  test('makes objects that kubectl kustomize takes as they are', () => {
    const dir = scratchDir('hermes-kustomize-')
    const stdout = templateOf('--values', EVERYTHING)
    writeFileSync(join(dir, 'rendered.yaml'), stdout)
    writeFileSync(join(dir, 'kustomization.yaml'), 'resources: [rendered.yaml]\nnamePrefix: a-\n')
    const { code, stdout: out, stderr } = kubectl(['kustomize', dir])
    expect([code, stderr]).toEqual([0, ''])
    const names = (manifests: readonly Manifest[]) => manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    expect(names(manifestsOf(out)).sort()).toEqual(
      names(manifestsOf(stdout))
        .map((name) => name.replace(' ', ' a-'))
        .sort(),
    )
  })

  test.each([
    [
      '--set=replicas=3',
      'replicas is 3, but secrets.database is empty: nodes share a board in PostgreSQL; set secrets.database, or replicas to 1',
    ],
    [
      '--set=dashboard.enabled=true',
      'dashboard.enabled is true, but there is no log-in: set secrets.dashboardPassword, secrets.dashboardPasswordHash or dashboard.oidc.issuer',
    ],
    [
      '--set=secrets.dashboardPassword.name=a,secrets.dashboardPassword.key=b,secrets.dashboardPasswordHash.name=a,secrets.dashboardPasswordHash.key=c',
      'secrets.dashboardPassword and secrets.dashboardPasswordHash are both set: remove one of them',
    ],
    [
      '--set=apiServer.enabled=true',
      'apiServer.enabled is true, but secrets.apiServerKey is empty: the API server listens on all addresses, so it needs a key',
    ],
    [
      '--set=serviceMonitor.enabled=true',
      'serviceMonitor.enabled is true, but the dashboard serves the metrics, and only with a token: set dashboard.enabled and secrets.metricsToken',
    ],
  ])('refuses %s with one line', (option, line) => {
    const { code, stdout, stderr } = helm(['template', 'hermes', CHART, option])
    expect([code, stdout]).toEqual([1, ''])
    const [first, ...rest] = stderr.split('\n').filter((text) => text !== '')
    expect(first).toMatch(/^Error: execution error at \(hermes\/templates\/statefulset\.yaml:\d+:\d+\): /)
    expect(first?.slice((first.indexOf('): ') ?? 0) + 3)).toBe(line)
    expect(rest).toEqual(['Use --debug flag to render out invalid YAML']) // helm's own
  })

  test.each([
    ['--set=replica=3', "additional properties 'replica' not allowed"],
    ['--set-string=replicas=three', "at '/replicas': got string, want integer"],
    ['--set=secrets.database.name=a', "at '/secrets/database': properties 'key' required, if 'name' exists"],
    ['--set=secrets.databse.name=a', "additional properties 'databse' not allowed"],
    ['--set=env.A-B=1', 'A-B'],
  ])('refuses %s, which its schema does not allow', (option, words) => {
    const { code, stderr } = helm(['template', 'hermes', CHART, option])
    expect(code).toBe(1)
    expect(stderr).toContain(words)
  })

  test.each(files)('lets a pod stop in its own time, with $name', ({ path }) => {
    const pod = podOf('--values', path)
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(Number(variableOf(pod, 'HERMES_STOP_TIMEOUT')))
  })

  test.each(files)(
    'gives the pod no token of the cluster and no variable of other services, with $name',
    ({ path }) => {
      expect(podOf('--values', path)).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false })
    },
  )

  test.each(files)('gives each secret as a file that is mounted, and none as a variable, with $name', ({ path }) => {
    const given = (parse(readFileSync(path, 'utf8')) as { secrets?: object }).secrets ?? {}
    const pod = podOf('--values', path)
    const named = pod.containers[0].env.filter(({ name }) => name.endsWith('_FILE'))
    expect(named).toHaveLength(Object.keys(given).length)
    for (const { value = '' } of named) {
      const mount = pod.containers[0].volumeMounts.find(({ mountPath }) => value.startsWith(`${mountPath}/`))
      const volume = pod.volumes.find(({ name }) => name === mount?.name)
      expect(volume?.secret).toMatchObject({ defaultMode: 0o440, items: [{ path: basename(value) }] })
    }
    expect(JSON.stringify(pod)).not.toContain('secretKeyRef')
  })

  test.each(files)('gives every object and the pods the labels that Kubernetes recommends, with $name', ({ path }) => {
    const names = ['name', 'instance', 'component', 'part-of']
    const common = names.map((name) => `app.kubernetes.io/${name}`)
    const labelsOf = ({ metadata }: Manifest): readonly string[] =>
      Object.keys((metadata as { labels?: object }).labels ?? {})
    const manifests = rendered('--values', path)
    for (const manifest of manifests)
      expect(labelsOf(manifest)).toEqual(
        expect.arrayContaining([...common, 'app.kubernetes.io/version', 'app.kubernetes.io/managed-by']),
      )
    const { template } = statefulSet(manifests).spec as unknown as { template: Manifest }
    expect(labelsOf(template)).toEqual(expect.arrayContaining(common))
  })

  test('names each node after its pod, which is its address for the others', () => {
    const pod = podOf('--values', THREE)
    expect(pod.containers[0].env).toContainEqual({
      name: 'HERMES_NODE',
      valueFrom: { fieldRef: { fieldPath: 'metadata.name' } },
    })
    expect(variableOf(pod, 'HERMES_NODE_URL')).toBe('http://$(HERMES_NODE).hermes-nodes:9119')
    const service = rendered('--values', THREE).find(({ metadata }) => metadata.name === 'hermes-nodes')
    expect(service).toMatchObject({ spec: { clusterIP: 'None', publishNotReadyAddresses: true } })
  })

  test('runs the container as docs/kubernetes does', () => {
    const manifests = manifestsOf(readFileSync(join(root, 'docs/kubernetes/hermes.yaml'), 'utf8'))
    const page = statefulSet(manifests).spec.template.spec.containers[0] as unknown as Record<string, unknown>
    const { image: _, env: __, ...rest } = page
    expect(podOf('--set=image.tag=latest').containers[0]).toMatchObject(rest)
  })

  test.each([
    ['hermes', 'hermes'],
    ['blue', 'blue-hermes'],
    ['a-release-with-a-name-that-is-as-long-as-helm-allows', 'a-release-with-a-name-that-is-as-long-as-helm'],
  ])('names the objects of the release %s %s', (release, name) => {
    const { stdout } = helm(['template', release, CHART, '--values', THREE])
    const set = statefulSet(manifestsOf(stdout))
    expect(set.metadata.name).toBe(name)
    // Kubernetes adds to the name in a label of each pod (controller-revision-hash).
    expect(`${name}-1234567890`.length).toBeLessThanOrEqual(63)
    validate(set)
  })

  test.each(files)('changes no claim and no name with its next version, with $name', ({ name, path }) => {
    const released = JSON.parse(readFileSync(join(import.meta.dirname, 'released-0.1.0.json'), 'utf8'))
    expect(lastingParts(rendered('--values', path))).toEqual(released[name])
    const next = join(scratchDir('hermes-chart-'), 'hermes')
    cpSync(CHART, next, { recursive: true })
    const file = join(next, 'Chart.yaml')
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/^(version|appVersion): .*$/gm, '$1: "9.9.9"'))
    const { stdout } = helm(['template', 'hermes', next, '--values', path])
    expect(stdout).toContain('9.9.9')
    expect(lastingParts(manifestsOf(stdout))).toEqual(released[name])
    // A new chart alone restarts nothing: in the pod only the image's default version differs.
    const pods = (text: string): string => JSON.stringify(statefulSet(manifestsOf(text)).spec.template)
    expect(pods(stdout).replace('"hermes:9.9.9"', '"hermes:0.1.0"')).toBe(pods(templateOf('--values', path)))
  })
})

/** Fields that Kubernetes refuses to change, and names, which would make other objects. */
function lastingParts(manifests: readonly Manifest[]): object {
  const { spec } = statefulSet(manifests) as unknown as { spec: Record<string, unknown> }
  const { serviceName, podManagementPolicy, selector, volumeClaimTemplates } = spec
  return {
    names: manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort(),
    serviceName,
    podManagementPolicy,
    selector,
    volumeClaimTemplates,
  }
}
