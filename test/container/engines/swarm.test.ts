import { expect, test } from 'vitest'
import { tryRun } from '../../../scripts/run.ts'
import { docker } from '../../support/container/engine.ts'
import { testImage } from '../../support/container/image.ts'
import { startHostPostgres } from '../../support/container/postgres.ts'
import { joinSwarm, replicas } from '../../support/container/swarm.ts'
import { whyNoPostgres } from '../../support/kanban/postgres.ts'
import { commandBlocks, type Page, pages, root } from '../../support/pages.ts'
import { named } from '../../support/tools.ts'
import { waitFor } from '../../support/wait.ts'

const page = (path: string): Page => {
  const found = pages().find((one) => one.path === path)
  if (found === undefined) throw new Error(`${path} is gone`)
  return found
}

/** Types commands of a page in the checkout. */
async function type(text: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
  const options = { cwd: root, env: { ...(process.env as Record<string, string>), ...env } }
  const { code, stdout, stderr } = await tryRun('bash', ['-ec', text], options)
  expect(code, `${text}\n${stdout}${stderr}`).toBe(0)
}

test('every command of docs/swarm.md works as it is written', async () => {
  await using _ = await joinSwarm(['hermes'])
  await docker(['tag', await testImage(), 'hermes'])
  for (const { text } of commandBlocks(page('docs/swarm.md'))) await type(text)
})

const why = whyNoPostgres()
const NODES = ['h1', 'h2', 'h3'] as const

/** The container of a node, once it is healthy. */
const healthy = (stack: string): Promise<string> =>
  waitFor(`a healthy container of ${stack}`, async () => (await replicas(`${stack}_node`, 'health=healthy'))[0], {
    deadlineMs: 90_000,
  })
const inside = (container: string, ...argv: string[]): Promise<string> => docker(['exec', container, ...argv])
/** Waits until the node reaches its board. @returns its container */
const withBoard = async (stack: string): Promise<string> => {
  const container = await healthy(stack)
  await waitFor(`${stack} to reach its board`, () => inside(container, 'hermes', 'kanban', 'list'), {
    deadlineMs: 60_000,
  })
  return container
}

test.skipIf(why !== undefined)(
  named('the stack of docs/many-machines.md is a node with its board in the database, and so are three of it', why),
  { timeout: 600_000 },
  async () => {
    await using server = await startHostPostgres('neutral')
    const services = ['hermes', ...NODES].map((name) => `${name}_node`)
    await using _ = await joinSwarm(services)
    await using __ = { [Symbol.asyncDispose]: removeStacks }
    const env = { DATABASE_URL: server.url, HERMES_IMAGE: await testImage(), HERMES_DASHBOARD_PORT: '9319' }
    const [first, update, three] = commandBlocks(page('docs/many-machines.md'))
      .map(({ text }) => text)
      .filter((text) => text.includes('docker stack'))
    await removeStacks()
    await type(`cd "$(mktemp -d)" && ln -s ${root}/deploy . && ${first}`, env)
    const before = await withBoard('hermes')
    await inside(before, 'hermes', 'kanban', 'create', 'from before', '--triage')
    expect((await fetch('http://127.0.0.1:9319/login')).status).toBe(200)
    // The address that other nodes find in the database is one that a container of the network resolves.
    const url = await inside(before, 'sh', '-c', 'echo "$HERMES_NODE_URL"')
    expect(await inside(before, 'getent', 'hosts', new URL(url).hostname)).toMatch(/^10\./)

    const [updates, removal] = (update ?? '').split('\n')
    await type((updates ?? '').replace('--image hermes', `--image ${env.HERMES_IMAGE}`), env)
    const after = await withBoard('hermes')
    expect(after).not.toBe(before)
    expect(await inside(after, 'hermes', 'kanban', 'list')).toContain('from before')
    await type(removal ?? '', env)

    const [start, end] = (three ?? '').split('\n')
    await type(start ?? '', env)
    for (const name of NODES) {
      const container = await withBoard(name)
      expect(await inside(container, 'hermes', 'kanban', 'list')).toContain('from before')
      // It is one of the hardened kind: nothing but the volume and two directories in memory can be written.
      expect(await inside(container, 'sh', '-c', 'touch /etc/x 2>/dev/null || echo refused')).toBe('refused')
    }
    await type(end ?? '', env)
  },
)

/** Stacks of an interrupted run, with what they have used. */
async function removeStacks(): Promise<void> {
  await tryRun('docker', ['stack', 'rm', 'hermes', ...NODES])
  for (const name of ['hermes', ...NODES])
    await waitFor(`the containers of ${name} to be gone`, async () => (await replicas(`${name}_node`)).length === 0, {
      deadlineMs: 90_000,
    })
  const secrets = ['hermes-database', 'hermes-node-token', 'hermes-dashboard-password']
  await tryRun('docker', ['secret', 'rm', ...secrets])
  await waitFor('the network of the nodes to be gone', async () => {
    await tryRun('docker', ['network', 'rm', 'hermes-nodes'])
    return !(await docker(['network', 'ls', '--format', '{{.Name}}'])).split('\n').includes('hermes-nodes')
  })
  await tryRun('docker', ['volume', 'rm', '--force', ...['hermes', ...NODES].map((name) => `${name}_data`)])
}
