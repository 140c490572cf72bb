// The engine's own times count here, so the tests of this folder run one after the other, when all others are over.
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { docker } from '../../support/container/engine.ts'
import { testImage } from '../../support/container/image.ts'
import { joinSwarm, replicas } from '../../support/container/swarm.ts'
import { stretchedMs, waitFor } from '../../support/wait.ts'

const SERVICE = 'hermes-test-swarm'
/** Says in /shared when it has begun to save and when it has saved, half a second later. */
const SAVER = `name=$(cat /etc/hostname)
trap 'echo >"/shared/$name.begun"; sleep 0.5; mv "/shared/$name.begun" "/shared/$name.saved"; exit 0' TERM
while :; do sleep 0.1; done`

let dir: string
let swarm: AsyncDisposable
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
  swarm = await joinSwarm([SERVICE])
})
afterAll(async () => {
  await swarm[Symbol.asyncDispose]()
  rmSync(dir, { recursive: true, force: true })
})

/** Ids of the replicas that are healthy, once there are `count`, no other runs, and none is one of `before`. */
const healthy = (count: number, before: readonly string[] = []): Promise<readonly string[]> =>
  waitFor(
    `${count} healthy replicas`,
    async () => {
      const ids = await replicas(SERVICE, 'health=healthy')
      return (
        ids.length === count &&
        (await replicas(SERVICE, 'status=running')).length === count &&
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
    expect(Date.parse(log[0]?.End ?? '') - createdAtMs).toBeLessThan(stretchedMs(8_000))
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
