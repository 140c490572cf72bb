import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { PLACES } from '../../../src/cli/completion/places.ts'
import { startContainer } from '../../support/container/container.ts'
import { docker } from '../../support/container/engine.ts'
import { addedMegabytes, classicBuild, IMAGE_REVISION, testImage } from '../../support/container/image.ts'
import { startRegistry } from '../../support/container/registry.ts'
import { waitFor } from '../../support/wait.ts'

const isFrom = (line: string): boolean => line.startsWith('FROM ')
const inspect = async (format: string): Promise<string> =>
  docker(['image', 'inspect', '--format', format, await testImage()])

test('the image adds at most 40 MB to its base', async () => {
  const added = await addedMegabytes(await testImage())
  expect(added).toBeGreaterThan(0.5) // a control: something is measured
  expect(added).toBeLessThanOrEqual(40)
})

test('it carries every label of the OCI, its version that of package.json', async () => {
  const labels = JSON.parse(await inspect('{{json .Config.Labels}}')) as Record<string, string>
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  expect(labels).toMatchObject({
    'org.opencontainers.image.title': 'hermes',
    'org.opencontainers.image.licenses': 'MIT',
    'org.opencontainers.image.version': version,
    'org.opencontainers.image.revision': IMAGE_REVISION,
  })
})

test('a base image that is named by its digest is the one that is taken, and the labels say all of it', async () => {
  await using registry = await startRegistry()
  const lines = readFileSync('Dockerfile', 'utf8').split('\n')
  const [first, last] = [lines.findIndex(isFrom), lines.findLastIndex(isFrom)]
  expect(lines[first]).toBe(`${lines[last]} AS build`)
  // The part that makes labels: nothing of it needs a program of the base image.
  const part = [...lines.slice(0, first), ...lines.slice(last, lines.indexOf('COPY --from=build /out/ /'))]
  const values = {
    BASE_IMAGE: registry.image,
    BASE_DIGEST: registry.digest,
    VERSION: '1.2.3',
    REVISION: 'abc',
    CREATED: '2026-01-02T03:04:05Z',
    SOURCE: 'https://git.example/hermes',
  }
  const image = `hermes-labels:${process.pid}`
  try {
    const args = Object.entries(values).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`])
    await classicBuild(['--tag', image, ...args, '-'], part.join('\n'))
    const labels = JSON.parse(await docker(['image', 'inspect', '--format', '{{json .Config.Labels}}', image]))
    const label = (name: string): string => `org.opencontainers.image.${name}`
    expect(labels).toEqual({
      [label('title')]: 'hermes',
      [label('description')]: 'Many supervised agent profiles in one container',
      [label('licenses')]: 'MIT',
      [label('source')]: values.SOURCE,
      [label('url')]: values.SOURCE,
      [label('documentation')]: 'https://git.example/hermes/tree/abc/docs',
      [label('version')]: values.VERSION,
      [label('revision')]: values.REVISION,
      [label('created')]: values.CREATED,
      [label('base.name')]: values.BASE_IMAGE,
      [label('base.digest')]: values.BASE_DIGEST,
    })
    expect(Object.keys(JSON.parse(await inspect('{{json .Config.Labels}}')))).toEqual(
      expect.arrayContaining(Object.keys(labels)),
    )
  } finally {
    await docker(['image', 'rm', '--force', image, `${registry.image}@${registry.digest}`]).catch(() => undefined)
  }
})

test('it says which build it is, and carries the licences of what is in it', async () => {
  await using box = await startContainer()
  const image = JSON.parse(await box.ok('cat', '/etc/hermes/image.json'))
  const base = await inspect('{{index .Config.Labels "org.opencontainers.image.base.name"}}')
  expect(image).toEqual({
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    revision: IMAGE_REVISION,
    builtAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:]+Z$/),
    baseImage: base,
  })
  const { version, ...build } = image
  expect(await box.ok('hermes', 'version')).toBe(
    `hermes ${version}\n  revision   ${image.revision}\n  built      ${image.builtAt}\n  base image ${base}\n`,
  )
  await box.slot('gateway-default', () => true)
  expect(JSON.parse(await box.ok('hermes', 'status', '--json'))).toMatchObject({ version, build })
  expect(await box.ok('head', '-1', '/usr/share/doc/hermes/LICENSE')).toMatch(/MIT/)
  expect(await box.ok('grep', '-c', '^better-sqlite3 ', '/usr/share/doc/hermes/THIRD-PARTY-LICENSES')).toBe('1\n')
  const manual = await box.ok('sh', '-c', 'cd /usr/share/man; stat -c "%n %a" man[15]/hermes*; ls /opt/hermes')
  expect(manual).toMatch(/^man1\/hermes-backup\.1 644\n(.* 644\n)+man5\/hermes-services\.5 644\nbin\ndocker\nlib\n$/)
  const scripts = Object.values(PLACES).map((place) => `/usr/share/${place}`)
  expect(await box.ok('stat', '-c', '%a', ...scripts)).toBe('644\n644\n644\n')
  const sbom = JSON.parse(await box.ok('cat', '/usr/share/doc/hermes/sbom.cdx.json'))
  expect(sbom.metadata).toMatchObject({ timestamp: image.builtAt, component: { version } })
})

test('it starts /init, stops by TERM, declares the volume and takes no arguments by default', async () => {
  const config = JSON.parse(await inspect('{{json .Config}}')) as Record<string, unknown>
  expect(config).toMatchObject({ Entrypoint: ['/init'], StopSignal: 'SIGTERM', Volumes: { '/opt/data': {} } })
  expect(config.User ?? '').toBe('')
  expect(config.Cmd ?? []).toEqual([])
})

test('its first health check comes after three seconds and is a good one', async () => {
  expect(await inspect('{{json .Config.Healthcheck.Test}}')).toBe('["CMD","/opt/hermes/bin/hermes","healthcheck"]')
  expect(await inspect('{{.Config.Healthcheck.Interval}}')).toBe('3s')
  await using box = await startContainer()
  const checks = await waitFor('the engine to have checked', async () => {
    const { Log } = JSON.parse(await box.inspect('{{json .State.Health}}')) as { Log: { ExitCode: number }[] | null }
    return Log !== null && Log.length > 0 && Log
  })
  expect(checks[0]).toMatchObject({
    ExitCode: 0,
    Output: expect.stringMatching(/^healthy: the supervisor \(pid \d+\) answers\n$/),
  })
})

test('a good health check starts no Node; while no supervisor answers, the check asks for itself', async () => {
  await using box = await startContainer()
  await box.slot('gateway-default', () => true)
  // A slot is there before init has pinged the supervisor, and so before it keeps the answer.
  await waitFor('the answer to be kept', async () => (await box.exec(['test', '-s', '/run/hermes/health'])).code === 0)
  const pid = Number(/pid (\d+)/.exec(await box.ok('hermes', 'healthcheck'))?.[1])
  await box.ok('mv', '/opt/hermes/lib/hermes.cjs', '/opt/hermes/lib/away')
  expect(await box.ok('hermes', 'healthcheck')).toBe(`healthy: the supervisor (pid ${pid}) answers\n`)
  // A control: what needs Node cannot run now.
  expect((await box.exec(['hermes', 'version'])).code).toBe(127)
  await box.ok('mv', '/opt/hermes/lib/away', '/opt/hermes/lib/hermes.cjs')
  await box.kill(pid)
  const next = await waitFor('the next supervisor to answer', async () => {
    const answer = /pid (\d+)/.exec((await box.exec(['hermes', 'healthcheck'])).stdout)?.[1]
    return answer !== String(pid) && answer
  })
  const answer = `healthy: the supervisor (pid ${next}) answers\n`
  await waitFor('that answer to be kept', async () => (await box.exec(['cat', '/run/hermes/health'])).stdout === answer)
})

test('a health check does not believe the file that a killed container left in /run', async () => {
  await using box = await startContainer()
  await box.slot('gateway-default', () => true)
  const healthy = await box.ok('hermes', 'healthcheck')
  // As after docker kill and docker start: /run holds the files of the life before, and PID 1 started at another time.
  await box.ok('sh', '-c', 'echo "healthy: of the last life" > /run/hermes/health; echo 1 > /run/hermes/begun')
  const asked = await box.exec(['hermes', 'healthcheck'], { env: { HERMES_RUN_DIR: '/run/hermes' } })
  expect(asked).toMatchObject({ code: 0, stdout: healthy })
})

test('the install belongs to root and no other user can write it', async () => {
  await using box = await startContainer({ entrypoint: ['sleep', '1000'] })
  const writable = 'find /opt/hermes /command /init /usr/bin/tini /etc/profile.d /etc/cont-init.d /etc/cont-finish.d'
  expect(await box.ok('sh', '-c', `${writable} \\( ! -uid 0 -o ! -type l -perm /022 \\)`)).toBe('')
  expect(await box.ok('sh', '-c', 'find /opt/hermes -type f ! -perm -444')).toBe('')
  expect(await box.ok('stat', '-c', '%u:%g', '/opt/data')).not.toBe('')
})

test('its programs start from code that its own Node has compiled, and that only root can write', async () => {
  await using box = await startContainer({ entrypoint: ['sleep', '1000'] })
  const look = `
    const { readFileSync } = require('node:fs')
    for (const name of ['init', 'supervisor', 'gateway', 'hermes']) {
      const file = '/opt/hermes/lib/' + name
      const source = readFileSync(file + '.js', 'latin1')
      const { cachedDataRejected } = new (require('node:vm').Script)(source, { cachedData: readFileSync(file + '.cache') })
      console.log(name, cachedDataRejected)
    }`
  expect(await box.ok('node', '-e', look)).toBe('init false\nsupervisor false\ngateway false\nhermes false\n')
  expect(await box.ok('sh', '-c', 'find /opt/hermes -name "*.cache" \\( ! -uid 0 -o -perm /022 \\)')).toBe('')
})

test('there is no source, no package manager cache and no node_modules in it', async () => {
  await using box = await startContainer({ entrypoint: ['sleep', '1000'] })
  expect(
    await box.ok('sh', '-c', 'find / -xdev -path "*/hermes*" \\( -name node_modules -o -name "*.ts" \\) -print'),
  ).toBe('')
  expect(await box.ok('sh', '-c', 'ls /src /ca 2>/dev/null || true')).toBe('')
})
