import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { docker } from '../../support/container/engine.ts'
import { testImage } from '../../support/container/image.ts'
import { commandBlocks, type Page, pages } from '../../support/pages.ts'
import { waitFor } from '../../support/wait.ts'

const SERVICE = 'hermes-test-swarm'
/** The service that docs/swarm.md makes. */
const OF_THE_PAGE = 'hermes'
/** Says in /shared when it has begun to save and when it has saved, half a second later. */
const SAVER = `name=$(cat /etc/hostname)
trap 'echo >"/shared/$name.begun"; sleep 0.5; mv "/shared/$name.begun" "/shared/$name.saved"; exit 0' TERM
while :; do sleep 0.1; done`

let dir: string
let made = false
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hermes-swarm-'))
  mkdirSync(join(dir, 'hooks'))
  mkdirSync(join(dir, 'shared'))
  chmodSync(join(dir, 'shared'), 0o777) // mkdir's own mode passes through the umask
  const config = `gateway:\n  command: ${JSON.stringify(['sh', '-c', SAVER])}\n`
  writeFileSync(join(dir, 'config.yaml'), config)
  // Each replica has a new volume: a boot hook gives it its configuration.
  writeFileSync(join(dir, 'hooks', '10-config'), '#!/bin/sh\ncp /given/config.yaml /opt/data/config.yaml\n', {
    mode: 0o755,
  })
  if ((await docker(['info', '--format', '{{.Swarm.LocalNodeState}}'])) !== 'active') {
    await docker(['swarm', 'init', '--advertise-addr', '127.0.0.1'])
    made = true
  }
  // An interrupted run may have left both.
  await removeServices()
})
afterAll(async () => {
  await removeServices()
  await waitFor('the containers of the service to be gone', async () => (await containers()).length === 0, {
    deadlineMs: 60_000,
  })
  if (made) await docker(['swarm', 'leave', '--force'])
  rmSync(dir, { recursive: true, force: true })
})

/** Removes both services, unless they are gone already. */
const removeServices = async (): Promise<void> => {
  const names = (await docker(['service', 'ls', '--format', '{{.Name}}'])).split('\n')
  const ours = names.filter((name) => name === SERVICE || name === OF_THE_PAGE)
  if (ours.length > 0) await docker(['service', 'rm', ...ours])
}

const containers = async (...filter: string[]): Promise<string[]> => {
  const label = `label=com.docker.swarm.service.name=${SERVICE}`
  const ids = await docker(['ps', '--all', '--quiet', '--filter', label, ...filter.flatMap((one) => ['--filter', one])])
  return ids.split('\n').filter((id) => id !== '')
}

/** Ids of the replicas that are healthy, once there are `count`, no other runs, and none is one of `before`. */
const healthy = (count: number, before: readonly string[] = []): Promise<string[]> =>
  waitFor(
    `${count} healthy replicas`,
    async () => {
      const ids = await containers('health=healthy')
      return (
        ids.length === count &&
        (await containers('status=running')).length === count &&
        !ids.some((id) => before.includes(id)) &&
        ids
      )
    },
    // Before the first health check came after three seconds, thirty passed.
    { deadlineMs: 25_000 },
  )

/** Names of the containers whose gateway had the time to save. */
const saved = (): string[] =>
  readdirSync(join(dir, 'shared'))
    .filter((name) => name.endsWith('.saved'))
    .map((name) => name.slice(0, -'.saved'.length))

test('three replicas are healthy at their first check, within 8 s; an update and a scale down let every gateway save', async () => {
  const image = await testImage()
  const bind = (from: string, to: string) => ['--mount', `type=bind,source=${join(dir, from)},target=${to}`]
  const mounts = [
    ...bind('hooks', '/etc/cont-init.d'),
    ...bind('config.yaml', '/given/config.yaml'),
    ...bind('shared', '/shared'),
  ]
  await docker([
    'service',
    'create',
    '--detach',
    '--quiet',
    '--name',
    SERVICE,
    '--replicas',
    '3',
    ...mounts,
    image,
    'gateway',
    'run',
  ])
  const first = await healthy(3)
  // By the engine's own clock, however busy this process is.
  const createdAtMs = Date.parse(
    JSON.parse(await docker(['service', 'inspect', '--format', '{{json .CreatedAt}}', SERVICE])),
  )
  for (const id of first) {
    const log = JSON.parse(await docker(['inspect', '--format', '{{json .State.Health.Log}}', id])) as {
      readonly ExitCode: number
      readonly End: string
    }[]
    expect(log[0]).toMatchObject({ ExitCode: 0 })
    expect(Date.parse(log[0]?.End ?? '') - createdAtMs).toBeLessThan(8_000)
    await waitFor('the gateway to be up', () => docker(['exec', id, 'hermes', 'gateway', 'status']))
  }

  await docker(['service', 'update', '--detach', '--quiet', '--force', '--update-parallelism', '3', SERVICE])
  await waitFor('the first replicas to have saved', () => first.every((id) => saved().includes(id)), {
    deadlineMs: 30_000,
  })
  const second = await healthy(3, first)
  for (const id of second)
    await waitFor('the gateway to be up', () => docker(['exec', id, 'hermes', 'gateway', 'status']))

  await docker(['service', 'scale', '--detach', `${SERVICE}=1`])
  const [left] = await healthy(1)
  const stopped = second.filter((id) => id !== left)
  await waitFor('the stopped replicas to have saved', () => stopped.every((id) => saved().includes(id)))
  expect(readdirSync(join(dir, 'shared')).filter((name) => name.endsWith('.begun'))).toEqual([])
})

test('every command of docs/swarm.md works as it is written', async () => {
  await docker(['tag', await testImage(), 'hermes'])
  const page = pages().find(({ path }) => path === 'docs/swarm.md')
  for (const { line, text } of commandBlocks(page as Page)) {
    const { status, stdout, stderr } = spawnSync('bash', ['-ec', text], { encoding: 'utf8' })
    expect(status, `docs/swarm.md:${line}\n${stdout}${stderr}`).toBe(0)
  }
})
