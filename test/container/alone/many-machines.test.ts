// docs/many-machines.md on plain hosts: each host is an address of this machine and a directory of its own.
import { chmodSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run, tryRun } from '../../../scripts/run.ts'
import { DOCKER_USER, runAsUser } from '../../support/container/docker-user.ts'
import { docker } from '../../support/container/engine.ts'
import { testImage } from '../../support/container/image.ts'
import { postgresImage } from '../../support/container/postgres-image.ts'
import { whyNoPostgres } from '../../support/kanban/postgres.ts'
import { commandBlocks, pages, root } from '../../support/pages.ts'
import { sharedScratchDir } from '../../support/scratch.ts'
import { named, whyMissing } from '../../support/tools.ts'
import { waitFor } from '../../support/wait.ts'

const why = whyNoPostgres() ?? whyMissing('docker-compose')
if (process.env.HERMES_REQUIRE_DOCKER === '1' && why !== undefined) throw new Error(why)

const page = pages().find(({ path }) => path === 'docs/many-machines.md')
if (page === undefined) throw new Error('docs/many-machines.md is gone')
/** The page's block with these words. */
const block = (words: string): string => {
  const found = commandBlocks(page).filter(({ text }) => text.includes(words))
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} blocks with "${words}"`)
  return found[0].text
}

/** Addresses of the page (RFC 5737); the last byte is the host's. */
const HOSTS = { database: 10, h1: 11, h2: 12, h3: 13 } as const
type Host = keyof typeof HOSTS
const NODES = ['h1', 'h2', 'h3'] as const
/** The container that the user of the page has had before; tests beside this one use its own name. */
const OLD = 'hermes-test-before-nodes'
const dir = sharedScratchDir('hermes-machines-')
const project = (host: Host): string => `hermes-test-${host}`
let images: Record<string, string>

/** Types a block on a host. */
async function type(host: Host, text: string): Promise<string> {
  const env = { ...images, HOME: join(dir, 'home'), COMPOSE_PROJECT_NAME: project(host) }
  const onHost = text
    .replaceAll(/docker (exec|stop|rm) hermes\b/g, `docker $1 ${OLD}`)
    .replaceAll('HERMES_NODE=h1', `HERMES_NODE=${host}`)
    .replaceAll('192.0.2.11', `192.0.2.${HOSTS[host]}`)
  const { code, output } = await runAsUser(`set -eu\n${onHost}`, join(dir, host), env)
  expect(code, `on ${host}:\n${onHost}\n${output}`).toBe(0)
  return output
}
const node = (host: Host, command: string): Promise<string> =>
  type(host, `cd deploy/compose && docker-compose --file node.yaml exec -T node ${command}`)

async function removeAll(): Promise<void> {
  for (const host of Object.keys(HOSTS) as Host[]) {
    const file = host === 'database' ? 'database.yaml' : 'node.yaml'
    const address = `192.0.2.${HOSTS[host]}`
    const own = { HERMES_NODE: host, NODE_ADDRESS: address, DATABASE_ADDRESS: address }
    const env = { ...(process.env as Record<string, string>), ...own }
    const options = ['--project-name', project(host), '--file', join(root, 'deploy/compose', file)]
    await run('docker-compose', [...options, 'down', '--volumes', '--timeout', '10'], { env })
    await tryRun('ip', ['address', 'del', `${address}/32`, 'dev', 'lo'])
  }
  await tryRun('docker', ['rm', '--force', '--volumes', OLD])
}

beforeAll(async () => {
  if (why !== undefined) return
  await removeAll()
  images = { HERMES_IMAGE: await testImage(), POSTGRES_IMAGE: await postgresImage() }
  for (const host of Object.keys(HOSTS) as Host[]) {
    await run('ip', ['address', 'add', `192.0.2.${HOSTS[host]}/32`, 'dev', 'lo'])
    cpSync(join(root, 'deploy'), join(dir, host, 'deploy'), { recursive: true })
  }
  const volume = join(dir, 'home/.hermes')
  mkdirSync(volume, { recursive: true })
  writeFileSync(join(volume, 'config.yaml'), 'agent: {command: [cat]}\nkanban: {dispatch_interval_seconds: 1}\n')
  chmodSync(dir, 0o755)
  await run('chown', ['--recursive', `${DOCKER_USER}:${DOCKER_USER}`, dir])
  const ids = ['--env', `HERMES_UID=${DOCKER_USER}`, '--env', `HERMES_GID=${DOCKER_USER}`]
  await docker(['run', '--detach', '--name', OLD, ...ids, '--volume', `${volume}:/opt/data`, images.HERMES_IMAGE ?? ''])
  await waitFor('the old container to have its board', () =>
    docker(['exec', OLD, 'hermes', 'kanban', 'create', 'from before', '--triage']),
  )
})
afterAll(removeAll)

test.skipIf(why !== undefined)(
  named('a container becomes the first of three nodes with one board, as docs/many-machines.md says', why),
  { timeout: 600_000 },
  async () => {
    await type('database', block('DATABASE_ADDRESS=192.0.2.10'))
    await waitFor(
      'the database to answer',
      async () => (await docker(['ps'])).match(/\(healthy\).*database_1/) !== null,
      {
        deadlineMs: 90_000,
      },
    )
    for (const host of NODES) {
      const to = join(dir, host, 'deploy/compose/secrets')
      cpSync(join(dir, 'database/deploy/compose/secrets'), to, { recursive: true })
      rmSync(join(to, 'database-password'))
    }
    await run('chown', ['--recursive', `${DOCKER_USER}:${DOCKER_USER}`, dir])
    // As an administrator keeps it: only root may read the token.
    for (const host of NODES) await run('chown', ['0:0', join(dir, host, 'deploy/compose/secrets/node-token')])
    await type('h1', block('kanban migrate'))
    const start = block('HERMES_VOLUME=')
    for (const host of NODES) await type(host, host === 'h1' ? start : start.replace(/^HERMES_VOLUME=.*\n/m, ''))
    for (const host of NODES)
      await waitFor(`${host} to reach the board`, () => node(host, 'hermes kanban list'), { deadlineMs: 90_000 })
    const seen = await type('h2', block('hermes kanban create'))
    expect(seen).toContain('from before')
    expect(seen).toContain('Say hello')
    for (const host of NODES) expect(seen).toMatch(new RegExp(`^${host} +(here|up) `, 'm'))
    expect(await node('h3', 'hermes kanban list')).toContain('Say hello')

    const moved = await type('h2', block('hermes profile move'))
    expect(moved).toContain('moved coder to h3, gateway started there')
    expect(moved).toMatch(/^h3 .*\bcoder\b/m)
    await waitFor('the gateway there', async () => /coder +up/.test(await node('h3', 'hermes status')), {
      deadlineMs: 60_000,
    })

    const address = (host: Host): string => `http://192.0.2.${HOSTS[host]}:9119`
    for (const host of NODES) expect((await fetch(`${address(host)}/login`)).status).toBe(200)

    expect(await type('database', `${block('pg_dump')}\nzcat board.sql.gz`)).toMatch(/from before[\s\S]*Say hello/)
    await type('h1', block('--force-recreate'))
    await waitFor('h1 to reach the board again', () => node('h1', 'hermes kanban list'), { deadlineMs: 90_000 })
    expect(await node('h1', 'hermes profile list')).toContain('default')
  },
)

test.each([
  ['node.yaml', 'HERMES_NODE', /set it to the name of this node, such as h1/],
  ['database.yaml', 'DATABASE_ADDRESS', /set it to the address of this host in the private network/],
])('%s without %s is refused with one line', async (file, _, words) => {
  if (why !== undefined) return
  const env = { PATH: process.env.PATH ?? '' }
  const { code, stderr } = await tryRun(
    'docker-compose',
    ['--file', join(root, 'deploy/compose', file), 'config', '--quiet'],
    { env },
  )
  expect(code).not.toBe(0)
  expect(stderr).toMatch(words)
})
