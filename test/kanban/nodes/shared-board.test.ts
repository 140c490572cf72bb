// Ticks of several nodes on one board, in a real database; only the supervisors are not real.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodeFindings } from '../../../src/cli/checks/board.ts'
import { type Dispatched, dispatchOnce, planDispatch } from '../../../src/kanban/dispatch/dispatch.ts'
import { explainTask } from '../../../src/kanban/dispatch/explain.ts'
import { requireAssignee } from '../../../src/kanban/port/assignee.ts'
import type { Board } from '../../../src/kanban/port/board.ts'
import type { Leases, NodeCard } from '../../../src/kanban/port/nodes.ts'
import { databaseBoards } from '../../../src/kanban/postgres/database-boards.ts'
import { holdDispatch } from '../../../src/kanban/store/dispatch-lock.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { HermesError } from '../../../src/system/errors.ts'
import { FakeJobs } from '../../support/kanban/board.ts'
import { type PostgresServer, startPostgres, whyNoPostgres } from '../../support/kanban/postgres.ts'
import { steps } from '../../support/kanban/steps.ts'
import { quickDir } from '../../support/quick-dir.ts'

const why = whyNoPostgres()
const clock = systemClock()

class TestNode {
  readonly home = quickDir('hermes-shared-')
  readonly jobs = new FakeJobs()
  readonly warnings: string[] = []
  readonly card: NodeCard
  readonly board: Board
  readonly leases: Leases

  constructor(name: string, board: Board, leases: Leases, profiles: readonly string[]) {
    this.board = board
    this.leases = leases
    this.jobs.instance = `${name}-life`
    this.card = {
      ...{ id: name, name, instance: this.jobs.instance, volume: name, host: `${name}-host` },
      ...{ version: '1', labels: {}, apiUrl: null, leaseMs: 60_000 },
    }
    for (const profile of ['default', ...profiles]) this.profile(profile)
  }

  profile(name: string, pool?: string): void {
    const dir = name === 'default' ? this.home : join(this.home, 'profiles', name)
    mkdirSync(dir, { recursive: true })
    writeFileSync(join(dir, 'config.yaml'), JSON.stringify({ agent: { command: ['true'], pool } }))
  }

  rules(kanban: Readonly<Record<string, unknown>>): void {
    writeFileSync(join(this.home, 'config.yaml'), JSON.stringify({ agent: { command: ['true'] }, kanban }))
  }

  get options() {
    return {
      ...{ home: this.home, board: this.board, clock, host: this.card.host, jobs: this.jobs },
      builtIn: () => ['true'],
      warn: (text: string) => void this.warnings.push(text),
    }
  }

  tick = (): Promise<Dispatched> => dispatchOnce(this.options)
  plan = () => planDispatch(this.options)
  why = async (id: string) => {
    const connect = async () => {
      throw new HermesError('NO_SUPERVISOR', 'none')
    }
    return (await explainTask({ ...this.options, connect }, this.board, id)).text
  }

  async create(assignee: string, more: { readonly once?: boolean } = {}): Promise<string> {
    const { task } = await this.board.create({ title: 'x', assignee, ...more }, { name: 'tester', wallMs: 0 })
    return task.id
  }
}

describe.skipIf(why !== undefined)(`nodes with one board (${why ?? 'PostgreSQL of our own'})`, () => {
  let server: PostgresServer
  const closing: { close(): Promise<void> }[] = []
  const homes: string[] = []
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(async () => {
    for (const one of closing) await one.close()
    for (const home of homes) rmSync(home, { recursive: true, force: true })
    await server[Symbol.asyncDispose]()
  })

  let count = 0
  const database = (): string => `shared_${count}`
  /** Nodes that live, each with profiles. */
  const scene = async (nodes: Readonly<Record<string, readonly string[]>>): Promise<readonly TestNode[]> => {
    count += 1
    server.psql(`CREATE DATABASE ${database()}`)
    const made: TestNode[] = []
    for (const [name, profiles] of Object.entries(nodes)) {
      const boards = await databaseBoards(server.url.replace('/postgres?', `/${database()}?`), () => name)
      const leases = boards.leases()
      if (leases === undefined) throw new Error('a database has leases')
      closing.push(leases, boards)
      const board = await boards.open(boards.place('default'), { mode: 'create', warn: (text) => expect.fail(text) })
      const node = new TestNode(name, board, leases, profiles)
      homes.push(node.home)
      await leases.take(node.card, undefined)
      made.push(node)
    }
    settle()
    for (const node of made) await node.tick()
    return made
  }
  /** Has all nodes hold their leases for long. */
  const settle = (): void => {
    server.psqlIn(database(), 'UPDATE hermes.nodes SET taken_at = 0')
  }
  const lapse = (name: string, byMs: number): void => {
    const sql = `UPDATE hermes.nodes SET lease_until = (extract(epoch FROM clock_timestamp()) * 1000)::bigint - ${byMs},
      heard_at = (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 240000 WHERE name = '${name}'`
    server.psqlIn(database(), sql)
  }
  const spawned = ({ report }: Dispatched): readonly string[] => report.spawned.map(({ task_id }) => task_id)

  test('each node starts the tasks of its own profiles, and leaves the others to their nodes', async () => {
    const [a, b] = (await scene({ a: ['alpha'], b: ['beta'] })) as [TestNode, TestNode]
    const [alpha, beta, hand] = [await a.create('alpha'), await a.create('beta'), await a.create('a-person')]
    expect((await a.plan()).report).toMatchObject({
      spawned: [{ task_id: alpha }],
      skipped_elsewhere: [{ task_id: beta, assignee: 'beta', node: 'b' }],
      skipped_nonspawnable: [hand],
    })
    expect(await a.why(beta)).toContain('(ready): node b has the profile "beta" and starts it')
    expect(spawned(await a.tick())).toEqual([alpha])
    lapse('b', 1)
    expect(await a.why(beta)).toContain(
      'waits for node b, which has the profile "beta" and has not been heard of for 4 min',
    )
    await b.leases.take(b.card, 1)
    expect(spawned(await b.tick())).toEqual([beta])
    b.jobs.end(beta, { exitCode: 0 })
    await a.tick()
    expect((await a.board.require(beta)).status).toBe('running')
    await b.tick()
    expect((await a.board.require(beta)).status).toBe('done')
    expect((await a.board.require(alpha)).status).toBe('running')
  })

  test('a task may be given to a profile of any node, and to nothing that no node has', async () => {
    const [a] = (await scene({ a: ['alpha'], b: ['beta'] })) as [TestNode, TestNode]
    const given = (name: string) => requireAssignee(a.home, name, () => a.board.nodes())
    for (const name of ['alpha', 'beta', 'default', 'default@a', 'default@b']) expect(await given(name)).toBe(name)
    for (const name of ['betta', 'default@c'])
      await expect(given(name)).rejects.toMatchObject({ code: 'NO_SUCH_PROFILE' })
  })

  test('doctor tells whether this node has its lease, and whether another one wants it', async () => {
    const [a, b] = (await scene({ a: [], b: [] })) as [TestNode, TestNode]
    const findings = async () => nodeFindings(await b.board.nodes())
    expect(await findings()).toEqual([{ check: 'node', state: 'ok', text: 'this is node b, and one of 2' }])
    await b.leases.take({ ...b.card, instance: 'copy', volume: 'copy', host: 'copy-host' }, undefined)
    lapse('b', 1)
    expect(await findings()).toMatchObject(
      [
        { state: 'fail', text: /node b, .* has no lease and starts no workers; it was heard of 4 min ago/ },
        { state: 'fail', text: /on host copy-host, has the id or the name of node b/ },
      ].map(({ text, ...rest }) => ({ ...rest, text: expect.stringMatching(text) })),
    )
    expect(nodeFindings((await a.board.nodes()).map((node) => ({ ...node, own: false })))).toEqual([])
  })

  test('a cap of the board counts the runs of every node', async () => {
    const [a, b] = (await scene({ a: ['alpha'], b: ['beta'] })) as [TestNode, TestNode]
    for (const node of [a, b]) node.rules({ max_in_progress: 3 })
    for (let i = 0; i < 3; i++) await a.create('alpha')
    for (let i = 0; i < 3; i++) await a.create('beta')
    await Promise.all([a.tick(), b.tick(), a.tick(), b.tick()])
    expect((await a.board.statusCounts()).running).toBe(3)
  })

  test('the capacity of a pool counts the runs of every node, whichever of them tells its pool first', async () => {
    const [a, b] = (await scene({ a: ['alpha'], b: ['beta'] })) as [TestNode, TestNode]
    for (let i = 0; i < 3; i++) await a.create('alpha')
    for (let i = 0; i < 3; i++) await a.create('beta')
    for (const node of [a, b]) node.rules({ pools: { gpu: 3 } })
    a.profile('alpha', 'gpu')
    b.profile('beta', 'gpu')
    await Promise.all([a.tick(), b.tick(), a.tick(), b.tick()])
    expect((await a.board.statusCounts()).running).toBe(3)
    expect((await a.board.nodes()).map(({ pools }) => pools)).toEqual([{ alpha: 'gpu' }, { beta: 'gpu' }])
    const counts = await a.board.runningByAssignee()
    const waiting = counts.alpha === 3 ? ([b, 'beta'] as const) : ([a, 'alpha'] as const)
    const [node, profile] = waiting
    expect((await node.plan()).report.skipped_pool_capped).toContainEqual(
      expect.objectContaining({ assignee: profile, pool: 'gpu', current: 3 }),
    )
    // A profile that leaves the pool is limited no longer, and its runs take no place in it.
    a.profile('alpha')
    await a.tick()
    expect((await a.board.nodes()).map(({ pools }) => pools)).toEqual([{}, { beta: 'gpu' }])
    await b.tick()
    expect((await a.board.statusCounts()).running).toBe(6)
  })

  test('a node that is silent for long loses its runs: they start again where they can, and those of --once are blocked', async () => {
    const [a, b] = (await scene({ a: ['alpha'], b: ['beta'] })) as [TestNode, TestNode]
    const [again, once] = [await a.create('beta'), await a.create('beta', { once: true })]
    expect(spawned(await b.tick())).toEqual([again, once])
    lapse('b', 1)
    await a.tick()
    expect((await a.board.require(again)).status).toBe('running')
    lapse('b', 5500)
    expect((await a.tick()).report).toMatchObject({ reclaimed: 2 })
    expect(await a.board.require(again)).toMatchObject({ status: 'ready', failures: 0 })
    expect(await a.board.require(once)).toMatchObject({ status: 'blocked', failures: 0 })
    expect(await a.board.runs(again, 1)).toMatchObject([
      { outcome: 'reclaimed', error: 'node b has not been heard of for 4 min' },
    ])
    // Its results come too late, and it comes back by itself.
    b.jobs.end(again, { exitCode: 0 })
    b.jobs.end(once, { exitCode: 0 })
    expect(await b.leases.take(b.card, 1)).toMatchObject({ state: 'held', epoch: 2 })
    expect(spawned(await b.tick())).toEqual([again])
    expect(await a.board.require(once)).toMatchObject({ status: 'blocked' })
  })

  test('after an outage in which every lease has lapsed, the first node that is back leaves the others time to come back', async () => {
    const [a, b] = (await scene({ a: ['alpha'], b: ['beta'] })) as [TestNode, TestNode]
    const id = await a.create('beta', { once: true })
    await b.tick()
    for (const name of ['a', 'b']) lapse(name, 60_000)
    await a.leases.take(a.card, 1)
    server.psqlIn(database(), "UPDATE hermes.nodes SET taken_at = taken_at + 60000 WHERE name = 'a'")
    await a.tick()
    expect(await a.board.require(id)).toMatchObject({ status: 'running' })
    await b.leases.take(b.card, 1)
    settle()
    await a.tick()
    b.jobs.end(id, { exitCode: 0 })
    await b.tick()
    expect(await a.board.require(id)).toMatchObject({ status: 'done' })
  })

  test('a node that comes back before that keeps its runs, and its results count', async () => {
    const [a, b] = (await scene({ a: ['alpha'], b: ['beta'] })) as [TestNode, TestNode]
    const id = await a.create('beta')
    await b.tick()
    lapse('b', 60_000)
    await b.leases.take(b.card, 1)
    await a.tick()
    b.jobs.end(id, { exitCode: 0 })
    await b.tick()
    expect(await a.board.require(id)).toMatchObject({ status: 'done' })
  })

  test('the next life of a node takes back the runs of the one before, whatever its host is named', async () => {
    const [a, b] = (await scene({ a: [], b: ['beta'] })) as [TestNode, TestNode]
    const id = await a.create('beta')
    await b.tick()
    const next = { ...b.card, instance: 'b-next-life', host: 'another-name' }
    expect(await b.leases.take(next, undefined)).toMatchObject({ state: 'held', epoch: 2 })
    b.jobs.instance = next.instance
    b.jobs.states.clear()
    server.psqlIn(database(), 'UPDATE hermes_default.tasks SET worker_start_time = 1')
    const { report } = await dispatchOnce({ ...b.options, host: next.host })
    expect(report).toMatchObject({ reclaimed: 1, spawned: [{ task_id: id }] })
  })

  test('a node without a lease starts nothing, and the database refuses every claim of its', async () => {
    const [a, b] = (await scene({ a: ['alpha'], b: ['beta'] })) as [TestNode, TestNode]
    const id = await a.create('beta')
    lapse('b', 1)
    expect(spawned(await b.tick())).toEqual([])
    const claim = (profile: string, task: string) =>
      steps(b.board).claim(task, profile, { host: 'b', instance: b.jobs.instance }, 0)
    await expect(claim('beta', id)).rejects.toThrow('refuses: the lease of this node is not in force')
    expect((await a.board.require(id)).status).toBe('ready')
    expect(await a.board.runs(id, 1)).toEqual([])
    await b.leases.take(b.card, 1)
    await expect(claim('alpha', await a.create('alpha'))).rejects.toThrow('the profile "alpha" belongs to another node')
    expect(await claim('beta', id)).toMatchObject({ row: { id } })
    // Also one by a version that knows of no nodes.
    const other = await a.create('beta')
    await expect(steps(b.board).claim(other, 'beta', { host: 'old', instance: 'old' }, 0)).rejects.toThrow(
      'not in force',
    )
  })

  test('a profile that is being moved is claimed by neither node, and keeps its node without a directory', async () => {
    const [a, b] = (await scene({ a: ['alpha'], b: ['beta'] })) as [TestNode, TestNode]
    const id = await a.create('alpha')
    server.psqlIn(database(), "UPDATE hermes.profiles SET moving = true WHERE name = 'alpha'")
    for (const { board, jobs } of [a, b])
      await expect(steps(board).claim(id, 'alpha', { host: 'x', instance: jobs.instance }, 0)).rejects.toThrow(
        'the profile "alpha" belongs to another node',
      )
    rmSync(join(a.home, 'profiles', 'alpha'), { recursive: true })
    expect(spawned(await a.tick())).toEqual([])
    b.profile('alpha')
    expect(spawned(await b.tick())).toEqual([])
    expect(server.psqlIn(database(), "SELECT node FROM hermes.profiles WHERE name = 'alpha'").trim()).toBe('a')
  })

  test('a profile is of the node that had it first, and the other one says so', async () => {
    const [a, b] = (await scene({ a: ['coder'], b: ['coder'] })) as [TestNode, TestNode]
    const id = await b.create('coder')
    expect(spawned(await b.tick())).toEqual([])
    expect(b.warnings.join()).toMatch(/the profile "coder" is on node a, too, and only that one does its tasks/)
    expect(spawned(await a.tick())).toEqual([id])
    rmSync(join(a.home, 'profiles', 'coder'), { recursive: true })
    await a.tick()
    const next = await a.create('coder')
    expect(spawned(await b.tick())).toEqual([next])
    b.profile('new')
    const first = await a.create('new')
    expect(spawned(await b.tick())).toEqual([first])
  })

  test('the default profile of a node that is not the first one is default@NAME on the board', async () => {
    const [a, b] = (await scene({ a: [], b: [] })) as [TestNode, TestNode]
    const [ofA, ofB, named] = [await a.create('default'), await b.create('default'), await b.create('default@a')]
    expect((await a.board.require(ofA)).assignee).toBe('default')
    expect((await a.board.require(ofB)).assignee).toBe('default@b')
    expect((await a.board.require(named)).assignee).toBe('default')
    expect(spawned(await b.tick())).toEqual([ofB])
    expect(b.jobs.started[0]).toMatchObject({ profile: 'default' })
    expect(spawned(await a.tick())).toEqual([ofA, named])
    const moved = await a.board.change(
      'assign',
      await a.create('x'),
      { assignee: 'default@b' },
      { name: 't', wallMs: 0 },
    )
    expect(moved.assignee).toBe('default@b')
    b.rules({ default_assignee: 'default' })
    const { task } = await a.board.create({ title: 'unassigned' }, { name: 'tester', wallMs: 0 })
    await b.tick()
    expect((await a.board.require(task.id)).assignee).toBe('default@b')
  })

  test('kanban.default_assignee may name a profile of another node; only a name that no node has is a warning', async () => {
    const [a, b] = (await scene({ a: ['coder'], b: [] })) as [TestNode, TestNode]
    await a.tick()
    b.rules({ default_assignee: 'coder' })
    const note = "kanban dispatcher: default_assignee='coder' (unassigned ready tasks will route to this profile)"
    const { task } = await b.board.create({ title: 'unassigned' }, { name: 'tester', wallMs: 0 })
    expect(await b.tick()).toMatchObject({ warnings: [], notes: [note] })
    expect((await a.board.require(task.id)).assignee).toBe('coder')
    // Also by a tick that another one keeps out.
    const lock = await holdDispatch(b.home, b.board.place, clock, 0)
    expect(await b.tick()).toMatchObject({ decision: null, warnings: [], notes: [note] })
    await lock?.release()
    b.rules({ default_assignee: 'nosuch' })
    expect((await b.tick()).warnings).toEqual([
      "kanban dispatcher: kanban.default_assignee='nosuch' names no profile; ignoring",
    ])
  })
})
