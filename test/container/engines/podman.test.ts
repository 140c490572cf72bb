import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { copyCheckout, trustHostCertificates } from '../../support/container/checkout.ts'
import { Podman, whyNoPodman } from '../../support/container/podman.ts'
import { CHART, rendered } from '../../support/deploy/helm.ts'
import { whyNoKubeTools } from '../../support/deploy/kube-tools.ts'
import { commandBlocks, type Page, pages, root } from '../../support/pages.ts'
import { scratchDir } from '../../support/scratch.ts'
import { waitFor } from '../../support/wait.ts'

const POD_FILE = join(root, 'docs/kubernetes/pod.yaml')
const whyNot = whyNoPodman()
if (process.env.HERMES_REQUIRE_DOCKER === '1' && whyNot !== undefined) throw new Error(whyNot)

/**
 * `podman build` needs what the page's reader has and this machine lacks: a registry for the base image. One layer: a
 * copy of node_modules after each step takes longer than the build.
 */
const BUILD = `set -eu
podman() {
  if [ "$1" = build ]; then shift; command podman build --layers=false --network host --build-arg BASE_IMAGE="$BASE_IMAGE" "$@"
  else command podman "$@"; fi
}`

interface Probe {
  readonly exec: { readonly command: readonly string[] }
}
interface PodTemplate {
  readonly spec: {
    readonly containers: readonly [Record<'startupProbe' | 'livenessProbe' | 'readinessProbe', Probe>]
    readonly volumes: readonly object[]
  }
}

describe.skipIf(whyNot !== undefined)('under podman', () => {
  let podman: Podman
  beforeAll(async () => {
    podman = await Podman.start()
  })
  afterAll(() => podman[Symbol.asyncDispose]())
  afterEach(() => podman.run('rm', '--force', '--volumes', '--time', '1', 'box'))

  /** `podman exec`. With -i: without it crun 1.8.1 gives the host's /dev/null to the user of the container. */
  const exec = (...argv: string[]) => podman.run('exec', '-i', 'box', ...argv)
  const healthy = () =>
    waitFor('the container to be healthy', async () => (await exec('hermes', 'healthcheck')).code === 0)

  test.each([
    ['as root', []],
    ['with --user', ['--user', '10000:10000']],
    ['with a read-only root', ['--read-only']],
    ['with --user and a read-only root', ['--user', '10000:10000', '--read-only']],
    ['with a terminal', ['-t']],
    ["with podman's own init", ['--init']],
  ])('%s it runs a gateway, answers exec and the health check, and stops in order', async (_, options) => {
    await podman.ok('run', '-d', '--name', 'box', ...options, 'hermes', 'gateway', 'run')
    await healthy()
    await waitFor('the gateway to be up', async () => (await exec('hermes', 'gateway', 'status')).code === 0)
    expect((await exec('/command/s6-svstat', '/run/service/gateway-default')).stdout).toMatch(/^up \(pid \d+/)
    expect(await exec('hermes', 'profile', 'create', 'coder')).toMatchObject({ code: 0 })
    expect((await exec('stat', '-c', '%u', '/opt/data/profiles/coder/.env')).stdout).toBe('10000\n')
    expect(await podman.run('healthcheck', 'run', 'box')).toMatchObject({ code: 0 })
    await podman.ok('stop', 'box')
    expect(await podman.ok('inspect', '--format', '{{.State.ExitCode}}', 'box')).toBe('0\n')
  })

  test('a running gateway runs again after podman restart, and a stopped one stays stopped', async () => {
    await podman.ok('run', '-d', '--name', 'box', 'hermes', 'gateway', 'run')
    await healthy()
    for (const name of ['on', 'off'])
      expect(await exec('hermes', 'profile', 'create', name, '--start')).toMatchObject({ code: 0 })
    expect(await exec('hermes', '-p', 'off', 'gateway', 'stop')).toMatchObject({ code: 0 })
    await podman.ok('restart', 'box')
    await waitFor(
      'the gateway to be up',
      async () => (await exec('hermes', '-p', 'on', 'gateway', 'status')).code === 0,
    )
    expect((await exec('hermes', '-p', 'off', 'gateway', 'status')).stdout).toContain('down')
  })

  test('kube play runs the Pod of the manifest, and the commands of its probes succeed', async () => {
    await podman.ok('kube', 'play', '--network', 'none', POD_FILE)
    const inside = (...argv: string[]) => podman.run('exec', '-i', 'hermes-hermes', ...argv)
    const pod = parseAllDocuments(readFileSync(POD_FILE, 'utf8'))
      .map((document) => document.toJS())
      .find(({ kind }) => kind === 'Pod')
    const [{ startupProbe, livenessProbe, readinessProbe }] = pod.spec.containers
    for (const { exec } of [startupProbe, livenessProbe, readinessProbe])
      await waitFor(`${exec.command.join(' ')} to succeed`, async () => (await inside(...exec.command)).code === 0)
    expect((await inside('id', '-u')).stdout).toBe('10000\n')
    await podman.ok('kube', 'down', POD_FILE)
    await podman.ok('kube', 'play', '--network', 'none', POD_FILE) // a second time, with the volume that is there
    await podman.ok('kube', 'down', POD_FILE)
  })

  test("kube play runs the chart's Pod of a node, with its secrets as files, and the commands of its probes succeed", async ({
    skip,
  }) => {
    const why = whyNoKubeTools()
    if (why !== undefined) skip(why)
    const set = rendered('--values', join(CHART, 'ci/three-nodes-values.yaml'))
    const { spec } = (set.find(({ kind }) => kind === 'StatefulSet') as unknown as { spec: { template: PodTemplate } })
      .spec.template
    const [container] = spec.containers
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'hermes-0' },
      spec: {
        ...spec,
        containers: [{ ...container, image: 'localhost/hermes:latest', ports: undefined }],
        volumes: [...spec.volumes, { name: 'data', persistentVolumeClaim: { claimName: 'data-hermes-0' } }],
      },
    }
    const dir = scratchDir('hermes-chart-pod-')
    const file = join(dir, 'pod.yaml')
    writeFileSync(file, JSON.stringify(pod))
    // As podman reads a Secret; of one that it has made from a manifest podman 4.3 mounts the base64.
    for (const [name, text] of [
      // A database that does not answer: neither init, the supervisor nor the probes wait for it.
      ['hermes-database', 'url: postgres://hermes:neutral@127.0.0.1:9/hermes'],
      ['hermes-node-token', 'token: a-neutral-token-0123'],
      ['hermes-dashboard', 'password: a long neutral one'],
    ] as const) {
      writeFileSync(join(dir, name), `data: {${text}}\n`)
      await podman.ok('secret', 'create', name, join(dir, name))
    }
    await podman.ok('kube', 'play', '--network', 'none', file)
    const inside = (...argv: string[]) => podman.run('exec', '-i', 'hermes-0-hermes', ...argv)
    for (const { exec } of [container.startupProbe, container.livenessProbe, container.readinessProbe])
      await waitFor(
        `${exec.command.join(' ')} to succeed`,
        async () => {
          const ran = await inside(...exec.command)
          if (ran.code !== 0) throw new Error(JSON.stringify(ran))
          return true
        },
        { deadlineMs: 60_000, more: async () => (await podman.run('logs', 'hermes-0-hermes')).stderr },
      )
    await waitFor('the dashboard to be up', async () => (await inside('hermes', 'dashboard', 'status')).code === 0)
    const { stdout } = await inside('sh', '-c', 'id -u; cat /proc/1/environ | tr "\\0" "\\n"')
    expect(stdout).toMatch(/^10000\n/)
    expect(stdout).toContain('HERMES_NODE=hermes-0\n')
    expect(stdout).not.toMatch(/neutral/)
    await podman.ok('kube', 'down', file)
  })

  test('every command of docs/podman.md works as it is written', { timeout: 600_000 }, async () => {
    const page = pages().find(({ path }) => path === 'docs/podman.md')
    const env = { ...process.env, PATH: `${podman.bin}:${process.env.PATH}`, BASE_IMAGE: await podman.loadBase() }
    const checkout = scratchDir('hermes-podman-docs-')
    copyCheckout(checkout)
    trustHostCertificates(checkout)
    for (const block of commandBlocks(page as Page)) {
      const options = { cwd: checkout, env, encoding: 'utf8' } as const
      const { status, stdout, stderr } = spawnSync('bash', ['-c', `${BUILD}\n${block.text}`], options)
      expect(status, `docs/podman.md:${block.line}\n${stdout}${stderr}`).toBe(0)
    }
  })
})
