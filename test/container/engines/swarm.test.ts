import { expect, test } from 'vitest'
import { tryRun } from '../../../scripts/run.ts'
import { docker } from '../../support/container/engine.ts'
import { testImage } from '../../support/container/image.ts'
import { startHostPostgres } from '../../support/container/postgres.ts'
import { joinSwarm, replicas } from '../../support/container/swarm.ts'
import { type PostgresServer, whyNoPostgres } from '../../support/kanban/postgres.ts'
import { commandBlocks, type Page, pages, root } from '../../support/pages.ts'
import { size } from '../../support/size.ts'
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
  named('the stack of docs/many-machines.md is a node; three are updated at work, and no task is lost or doubled', why),
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
    await Promise.all(NODES.map(makeWorker))
    const h1 = await withBoard('h1')
    expect(await inside(h1, 'hermes', 'kanban', 'list')).toContain('from before')
    // It is one of the hardened kind: nothing but the volume and two directories in memory can be written.
    expect(await inside(h1, 'sh', '-c', 'touch /etc/x 2>/dev/null || echo refused')).toBe('refused')
    const nodes = JSON.parse(await inside(h1, 'hermes', 'nodes', '--json')) as { readonly name: string }[]
    expect(nodes.map(({ name }) => name)).toEqual(expect.arrayContaining([...NODES]))

    await updateAtWork(server)
    await type(end ?? '', env)
  },
)

/** Two of them run at a time on each node, each for a second. */
const TASKS = size(6, 200)

/** Gives the node a profile of its own, whose worker sleeps, and completes its task by exit code 0. */
async function makeWorker(name: string): Promise<void> {
  const container = await withBoard(name)
  const profile = `of-${name}`
  await inside(container, 'hermes', 'config', 'set', 'kanban.dispatch_interval_seconds', '1')
  await inside(container, 'hermes', 'config', 'set', 'kanban.max_in_progress_per_profile', '2')
  await inside(container, 'hermes', 'profile', 'create', profile)
  await inside(container, 'hermes', '-p', profile, 'config', 'set', 'agent.command', '[sleep, "1"]')
}

/** A rolling update while every node works: no task is lost, and none is done twice or by two workers at a time. */
async function updateAtWork(server: PostgresServer): Promise<void> {
  const create = async (each: number): Promise<string> => {
    const profiles = NODES.map((name) => `of-${name}`).join(' ')
    const one = 'hermes kanban create "a task" --assignee $profile >/dev/null || exit'
    const all = `for profile in ${profiles}; do i=0; while [ $i -lt ${each} ]; do ${one}; i=$((i + 1)); done; done`
    return inside(await healthy('h1'), 'sh', '-c', all)
  }
  await create(TASKS)
  const count = (sql: string): number => Number(server.psql(`SELECT count(*) FROM ${sql}`))
  const BEGUN = '(SELECT DISTINCT profile FROM hermes_default.runs) p'
  await waitFor('every node to work', () => count(BEGUN) === NODES.length, { deadlineMs: 60_000 })
  for (const name of NODES) {
    const before = await healthy(name)
    await docker(['service', 'update', '--quiet', '--detach', '--force', `${name}_node`])
    await waitFor(`the container of ${name} to be replaced`, async () => (await healthy(name)) !== before, {
      deadlineMs: 90_000,
    })
  }
  await create(1)
  const all = NODES.length * (TASKS + 1)
  const of = (status: string) => `hermes_default.tasks WHERE title = 'a task' AND status ${status}`
  await waitFor('all tasks to be done', () => count(of("= 'done'")) === all, {
    deadlineMs: 120_000,
    more: async () => server.psql(`SELECT id, assignee, status FROM ${of("<> 'done'")}`),
  })
  const runs = 'hermes_default.runs'
  // A control: each node has worked before and after its update.
  expect(count(`(SELECT profile FROM ${runs} GROUP BY profile HAVING count(DISTINCT instance) = 2) p`)).toBe(3)
  expect(
    count(`(SELECT task_id FROM ${runs} WHERE outcome = 'completed' GROUP BY task_id HAVING count(*) > 1) t`),
  ).toBe(0)
  expect(count(`${runs} WHERE outcome = 'completed'`)).toBe(all)
  const together = 'a.task_id = b.task_id AND a.id < b.id AND (a.ended_at IS NULL OR a.ended_at > b.started_at)'
  expect(count(`${runs} a JOIN ${runs} b ON ${together}`)).toBe(0)
  expect(count(`${runs} WHERE outcome IN ('crashed', 'gave_up', 'timed_out')`)).toBe(0)
}

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
