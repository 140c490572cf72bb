/** The behaviour of every adapter of the board. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { OUTCOMES, RunTotals } from '../../../src/dashboard/kanban/run-totals.ts'
import { type DispatchOptions, dispatchOnce, planDispatch } from '../../../src/kanban/dispatch/dispatch.ts'
import type { Actor, Board } from '../../../src/kanban/port/board.ts'
import type { NewTask } from '../../../src/kanban/port/input.ts'
import type { RunningRow } from '../../../src/kanban/port/rows.ts'
import type { Claimed } from '../../../src/kanban/port/tick-writes.ts'
import { runRoutines } from '../../../src/kanban/routines/make.ts'
import type { Settlement } from '../../../src/kanban/running.ts'
import { STATUSES, type Task } from '../../../src/kanban/task.ts'
import type { Candidate } from '../../../src/kanban/tick.ts'
import { systemClock } from '../../../src/system/clock.ts'
import { FakeJobs } from '../../support/kanban/board.ts'
import { freeLimits, steps } from '../../support/kanban/steps.ts'
import { quickDir } from '../../support/quick-dir.ts'
import { waitFor } from '../../support/wait.ts'

/** A board of its own, and more connections to it. */
export interface ContractScene extends AsyncDisposable {
  readonly board: Board
  /** Another process's view of the same board. */
  another(): Promise<Board>
  /** Where the board is, as test/support/programs/fills-board.ts knows it. */
  readonly address: readonly string[]
}

const WHERE = { host: 'this-host', instance: 'this-life' }
const RULES = { failureLimit: 2, requireReview: false }

/** @param open makes an empty board */
export function boardContract(name: string, open: () => Promise<ContractScene>): void {
  /** Instants only ever grow, as on a machine. */
  let wallMs = Date.now()
  const actor = (runId?: number): Actor => {
    wallMs += 1
    return { name: 'tester', wallMs, ...(runId === undefined ? {} : { runId }) }
  }
  const create = async (board: Board, input: Partial<NewTask> = {}): Promise<Task> =>
    (await board.create({ title: 'a task', ...input }, actor())).task
  const claimed = async (board: Board, input: Partial<NewTask> = {}): Promise<Claimed> => {
    const { id } = await create(board, { assignee: 'alpha', ...input })
    const claim = await steps(board).claim(id, 'alpha', WHERE, wallMs)
    if (claim === undefined) throw new Error(`${id} was not claimed`)
    return claim
  }
  const runningRow = async (board: Board, id: string): Promise<RunningRow> => {
    const row = (await board.running()).find((one) => one.id === id)
    if (row === undefined) throw new Error(`${id} is not running`)
    return row
  }
  const kinds = async (board: Board, id: string): Promise<readonly string[]> =>
    (await board.events(0, 100, id)).map(({ kind }) => kind)
  const completed = { outcome: 'completed', failure: false, stop: false, exitCode: 0, summary: 'it is done' } as const
  const to = (status: Settlement['status'], more: Partial<Settlement> = {}): Settlement => ({
    status,
    failures: 0,
    pauses: 0,
    pausedUntilMs: null,
    autoBlocked: false,
    ...more,
  })

  describe(`a board in ${name}`, () => {
    test('keeps every field of a new task, and counts tasks in the order of their creation', async () => {
      await using scene = await open()
      const { board } = scene
      const parent = await create(board)
      const { task, created } = await board.create(
        {
          title: '  Say\n hello ',
          body: 'in “any” language\n',
          assignee: 'Alpha',
          priority: -7,
          parents: [parent.id, parent.id],
          workspacePath: '/srv/work',
          maxRuntimeMs: 90_000,
          maxRetries: 3,
          idempotencyKey: 'key-1',
        },
        actor(),
      )
      expect(created).toBe(true)
      expect(task).toMatchObject({
        title: 'Say hello',
        body: 'in “any” language\n',
        assignee: 'alpha',
        status: 'todo',
        priority: -7,
        createdBy: 'tester',
        openParents: 1,
        workspaceKind: 'dir',
        workspacePath: '/srv/work',
        maxRuntimeMs: 90_000,
        maxRetries: 3,
        idempotencyKey: 'key-1',
        failures: 0,
        currentRun: null,
        claimLock: null,
      })
      expect(task.id).toMatch(/^t_[0-9a-f]{8}$/)
      expect(task.seq).toBeGreaterThan(parent.seq)
      expect(Math.abs(task.createdAtMs - Date.now())).toBeLessThan(60_000)
      expect(await board.find(task.id)).toEqual(task)
      expect(await board.find('t_00000000')).toBeUndefined()
      await expect(board.require('t_00000000')).rejects.toMatchObject({ code: 'FAILED' })
    })

    test('keeps that a task may start once, and the reason why it is blocked', async () => {
      await using scene = await open()
      const { board } = scene
      const plain = await create(board)
      expect(plain.once).toBe(false)
      const claim = await claimed(board, { once: true })
      expect(claim.row.once).toBe(1)
      const row = await runningRow(board, claim.row.id)
      expect(row.once).toBe(1)
      const end = { outcome: 'reclaimed', failure: false, stop: false, error: 'the container has ended' } as const
      const settlement = to('blocked', { autoBlocked: true, reason: 'it is not known whether it was done' })
      expect(await steps(board).endRun(row, end, settlement, wallMs)).toBe(true)
      const task = await board.require(claim.row.id)
      expect(task).toMatchObject({ once: true, status: 'blocked', lastError: 'it is not known whether it was done' })
      expect(await board.runs(task.id, 9)).toMatchObject([{ outcome: 'reclaimed', error: 'the container has ended' }])
      const last = (await board.events(0, 100, task.id)).at(-1)
      expect(last).toMatchObject({
        kind: 'auto_blocked',
        payload: { reason: 'it is not known whether it was done' },
      })
      await expect(board.create({ title: 'x', once: true, maxRetries: 2 }, actor())).rejects.toMatchObject({
        code: 'USAGE',
        next: 'use --once or --max-retries',
      })
    })

    test('keeps what a task needs, and lets any profile claim it if none is named', async () => {
      await using scene = await open()
      const { board } = scene
      expect((await create(board)).needs).toEqual([])
      const named = await create(board, { assignee: 'beta', needs: ['gpu'] })
      const anyone = await create(board, { needs: ['region=eu', 'gpu', 'gpu'] })
      expect([named.assignee, named.needs]).toEqual(['beta', ['gpu']])
      expect([anyone.assignee, anyone.needs]).toEqual(['any', ['gpu', 'region=eu']])
      expect(await board.readyByAssignee()).toEqual({ '': 1, beta: 1, any: 1 })
      const ready = await board.ready(null, 10)
      expect(ready.map(({ needs }) => needs)).toEqual([[], ['gpu'], ['gpu', 'region=eu']])
      expect(await steps(board).claim(named.id, 'alpha', WHERE, wallMs)).toBeUndefined()
      expect(await steps(board).claim(anyone.id, 'alpha', WHERE, wallMs)).toMatchObject({ row: { id: anyone.id } })
      expect(await steps(board).claim(anyone.id, 'beta', WHERE, wallMs)).toBeUndefined()
      expect(await board.require(anyone.id)).toMatchObject({ assignee: 'any', status: 'running' })
      expect(await runningRow(board, anyone.id)).toMatchObject({ assignee: 'any', profile: 'alpha' })
      expect(await board.runs(anyone.id, 9)).toMatchObject([{ profile: 'alpha' }])
      expect(await board.runningByAssignee()).toEqual({ alpha: 1 })
    })

    test('makes one task of two with the same idempotency key, also at the same time', async () => {
      await using scene = await open()
      const boards = [scene.board, await scene.another(), await scene.another()]
      const made = await Promise.all(
        boards.map((board) => board.create({ title: 'once', idempotencyKey: 'the key' }, actor())),
      )
      expect(new Set(made.map(({ task }) => task.id)).size).toBe(1)
      expect(made.filter(({ created }) => created)).toHaveLength(1)
    })

    test('holds a task back until all its parents are done or archived, and begins it with the last one', async () => {
      await using scene = await open()
      const { board } = scene
      const [a, b, c] = [await create(board), await create(board), await create(board)]
      const child = await create(board, { parents: [a.id, b.id] })
      expect(await board.link(c.id, child.id, actor())).toBe(true)
      expect(await board.link(c.id, child.id, actor())).toBe(false)
      expect((await board.require(child.id)).openParents).toBe(3)
      await board.change('complete', a.id, {}, actor())
      await board.change('archive', b.id, {}, actor())
      expect(await board.require(child.id)).toMatchObject({ status: 'todo', openParents: 1 })
      await board.change('complete', c.id, {}, actor())
      expect(await board.require(child.id)).toMatchObject({ status: 'ready', openParents: 0 })
      expect(await kinds(board, child.id)).toEqual(['created', 'linked', 'linked', 'linked', 'promoted'])
    })

    test('lets a child go when its last open link is removed', async () => {
      await using scene = await open()
      const { board } = scene
      const parent = await create(board)
      const child = await create(board, { parents: [parent.id] })
      expect(await board.unlink(parent.id, child.id, actor())).toBe(true)
      expect(await board.unlink(parent.id, child.id, actor())).toBe(false)
      expect(await board.require(child.id)).toMatchObject({ status: 'ready', openParents: 0 })
      expect(await board.parents(child.id)).toEqual([])
    })

    test('refuses a cycle of links, a link to itself and a child that has begun', async () => {
      await using scene = await open()
      const { board } = scene
      const first = await create(board)
      const second = await create(board, { parents: [first.id] })
      const third = await create(board, { parents: [second.id] })
      await expect(board.link(third.id, first.id, actor())).rejects.toMatchObject({
        code: 'REFUSED',
        message: expect.stringContaining([third, first, second, third].map(({ id }) => id).join(' -> ')),
      })
      await expect(board.link(first.id, first.id, actor())).rejects.toMatchObject({ code: 'REFUSED' })
      const { row } = await claimed(board)
      await expect(board.link(first.id, row.id, actor())).rejects.toMatchObject({ code: 'REFUSED' })
      await expect(board.create({ title: 'x', parents: ['t_ffffffff'] }, actor())).rejects.toMatchObject({
        code: 'FAILED',
      })
    })

    test('refuses a change from the wrong status, and then changes nothing', async () => {
      await using scene = await open()
      const { board } = scene
      const task = await create(board)
      await expect(board.change('unblock', task.id, {}, actor())).rejects.toMatchObject({ code: 'REFUSED' })
      expect(await board.require(task.id)).toEqual(task)
      expect(await kinds(board, task.id)).toEqual(['created'])
    })

    test('keeps what a person changes: assignee, reason, result, time', async () => {
      await using scene = await open()
      const { board } = scene
      const task = await create(board, { triage: true })
      expect(await board.change('assign', task.id, { assignee: 'beta' }, actor())).toMatchObject({
        status: 'ready',
        assignee: 'beta',
      })
      const atMs = wallMs + 60_000
      expect(await board.change('schedule', task.id, { scheduledAtMs: atMs }, actor())).toMatchObject({
        status: 'scheduled',
        scheduledAtMs: atMs,
      })
      expect(await board.change('block', task.id, { reason: 'wait for Ann' }, actor())).toMatchObject({
        status: 'blocked',
        lastError: 'wait for Ann',
      })
      await board.change('unblock', task.id, {}, actor())
      expect(await board.change('assign', task.id, { assignee: null }, actor())).toMatchObject({ assignee: null })
      const done = await board.change('complete', task.id, { result: 'as asked' }, actor())
      expect(done).toMatchObject({ status: 'done', result: 'as asked', completedAtMs: expect.any(Number) })
      const events = await board.events(0, 100, task.id)
      expect(events.map(({ kind }) => kind)).toEqual([
        'created',
        'assigned',
        'scheduled',
        'blocked',
        'unblocked',
        'assigned',
        'completed',
      ])
      expect(events[3]?.payload).toEqual({ by: 'tester', from: 'scheduled', to: 'blocked', reason: 'wait for Ann' })
      expect(events.map(({ id }) => id)).toEqual(events.map(({ id }) => id).sort((a, b) => a - b))
    })

    test('lists the newest first, by status, assignee and text, and counts by status', async () => {
      await using scene = await open()
      const { board } = scene
      const tasks = [
        await create(board, { title: 'Ärger mit 100% _x_' }),
        await create(board, { title: 'write the letter', assignee: 'alpha' }),
        await create(board, { title: 'read the Letter', assignee: 'beta', triage: true }),
        await create(board, { title: 'write again', assignee: 'alpha' }),
      ]
      const ids = tasks.map(({ id }) => id)
      const found = async (filter: object): Promise<readonly number[]> =>
        (await board.list({ statuses: STATUSES, limit: 10, ...filter })).map(({ id }) => ids.indexOf(id))
      expect(await found({})).toEqual([3, 2, 1, 0])
      expect(await found({ limit: 2 })).toEqual([3, 2])
      expect(await found({ statuses: ['triage'] })).toEqual([2])
      expect(await found({ statuses: [] })).toEqual([])
      expect(await found({ assignee: 'alpha' })).toEqual([3, 1])
      expect(await found({ assignee: null })).toEqual([0])
      expect(await found({ search: 'LETTER' })).toEqual([2, 1])
      expect(await found({ search: '100%' })).toEqual([0])
      expect(await found({ search: '%' })).toEqual([0])
      expect(await found({ search: ids[1] })).toEqual([1])
      expect(await board.statusCounts()).toEqual({ ready: 3, triage: 1 })
      const seen = await board.overview({ statuses: ['ready'], limit: 1 })
      expect([seen.tasks.map(({ id }) => id), seen.counts]).toEqual([[ids[3]], { ready: 3, triage: 1 }])
    })

    test('shows all of a task: links, comments, runs and the last events', async () => {
      await using scene = await open()
      const { board } = scene
      const parent = await create(board, { title: 'before' })
      const task = await create(board, { parents: [parent.id] })
      const child = await create(board, { title: 'after', parents: [task.id] })
      for (const text of ['one', 'two']) await board.comment(task.id, text, actor())
      const details = await board.details(task.id, { runs: 5, events: 2 })
      expect(details).toMatchObject({
        task: { id: task.id, status: 'todo' },
        parents: [{ id: parent.id, title: 'before', status: 'ready' }],
        children: [{ id: child.id, title: 'after', status: 'todo' }],
        comments: [
          { author: 'tester', body: 'one' },
          { author: 'tester', body: 'two' },
        ],
        runs: [],
      })
      expect(details.events.map(({ kind }) => kind)).toEqual(['commented', 'commented'])
      await expect(board.details('t_ffffffff', { runs: 1, events: 1 })).rejects.toMatchObject({ code: 'FAILED' })
      await expect(board.comment('t_ffffffff', 'x', actor())).rejects.toMatchObject({ code: 'FAILED' })
    })

    test('gives events in order from any point, of one task or of all', async () => {
      await using scene = await open()
      const { board } = scene
      const [a, b] = [await create(board), await create(board)]
      for (const id of [a.id, b.id, a.id]) await board.comment(id, 'x', actor())
      const all = await board.events(0, 100)
      expect(all.map(({ taskId }) => taskId)).toEqual([a.id, b.id, a.id, b.id, a.id])
      expect(await board.events(all[1]?.id ?? 0, 2)).toEqual(all.slice(2, 4))
      const tail = await board.eventsTail(2, a.id)
      expect((await board.events(tail, 10, a.id)).map(({ kind }) => kind)).toEqual(['commented', 'commented'])
      expect(await board.eventsTail(100)).toBe(0)
    })

    test('gives ready tasks by priority and age, page after page', async () => {
      await using scene = await open()
      const { board } = scene
      const priorities = [0, 5, -3, 5, 0, 1_000_000, -1_000_000, 0]
      for (const priority of priorities) await create(board, { priority })
      await create(board, { triage: true })
      const { row } = await claimed(board)
      const order = async (size: number): Promise<readonly string[]> => {
        const ids: string[] = []
        for (let after: Candidate | null = null; ; ) {
          const page: readonly Candidate[] = await board.ready(after, size)
          ids.push(...page.map(({ priority, id }) => `${priority} ${id}`))
          if (page.length < size) return ids
          after = page.at(-1) ?? null
        }
      }
      const whole = await order(100)
      expect(whole.map((text) => Number(text.split(' ')[0]))).toEqual([...priorities].sort((a, b) => b - a))
      expect(whole.join()).not.toContain(row.id)
      for (const size of [1, 3, 8]) expect(await order(size)).toEqual(whole)
    })

    test('gives one of many dispatchers the claim of a task', async () => {
      await using scene = await open()
      const boards = [scene.board, await scene.another(), await scene.another(), await scene.another()]
      const { id } = await create(scene.board, { assignee: 'alpha' })
      const won = (await Promise.all(boards.map((board) => steps(board).claim(id, 'alpha', WHERE, wallMs)))).filter(
        Boolean,
      )
      expect(won).toHaveLength(1)
      const { runId = 0, slot = '' } = won[0] ?? {}
      expect(slot).toBe(`job-${id}-${runId}`)
      expect(await scene.board.require(id)).toMatchObject({
        status: 'running',
        currentRun: runId,
        claimLock: `this-host:this-life:${runId}`,
        startedAtMs: expect.any(Number),
        claimExpiresAtMs: expect.any(Number),
      })
      expect(await scene.board.runs(id, 10)).toMatchObject([{ id: runId, profile: 'alpha', outcome: null, ...WHERE }])
      expect(await scene.board.runningByAssignee()).toEqual({ alpha: 1 })
      expect(await steps(scene.board).claim(id, 'alpha', WHERE, wallMs)).toBeUndefined()
    })

    test('claims no more than the caps allow, however many dispatchers write at once', async () => {
      await using scene = await open()
      const boards = [scene.board, await scene.another(), await scene.another(), await scene.another()]
      const tasks: Task[] = []
      for (let n = 0; n < 12; n++) tasks.push(await create(scene.board, { assignee: n % 3 === 0 ? 'beta' : 'alpha' }))
      const claims = tasks.map(({ id, assignee }) => ({ type: 'claim', id, assignee: assignee ?? '' }) as const)
      const limits = { ...freeLimits(WHERE), perProfile: 3, board: 5, waitMs: 10_000 }
      const written = await Promise.all(boards.map((board) => board.write(claims, limits, wallMs)))
      const states = written.flatMap((results) => (results ?? []).map(({ state }) => state))
      expect(states.filter((state) => state === 'done')).toHaveLength(5)
      expect(states).toContain('full')
      const running = await scene.board.runningByAssignee()
      expect((running.alpha ?? 0) + (running.beta ?? 0)).toBe(5)
      for (const n of Object.values(running)) expect(n).toBeLessThanOrEqual(3)
    })

    test('claims no more than the capacity of a pool allows, however many dispatchers write at once', async () => {
      await using scene = await open()
      const boards = [scene.board, await scene.another(), await scene.another(), await scene.another()]
      const profiles = ['alpha', 'beta', 'gamma']
      const tasks: Task[] = []
      for (let n = 0; n < 15; n++) tasks.push(await create(scene.board, { assignee: profiles[n % 3] ?? null }))
      expect(await steps(scene.board).claim(tasks[1]?.id ?? '', 'beta', WHERE, wallMs)).toBeDefined()
      const claims = tasks.map(({ id, assignee }) => ({ type: 'claim', id, assignee: assignee ?? '' }) as const)
      const pools = { caps: { gpu: 3, constructor: 1 }, of: { alpha: 'gpu', beta: 'gpu' } }
      const limits = { ...freeLimits(WHERE), pools, waitMs: 10_000 }
      const written = await Promise.all(boards.map((board) => board.write(claims, limits, wallMs)))
      const states = written.flatMap((results) => (results ?? []).map(({ state }) => state))
      expect(states).toContain('full')
      const running = await scene.board.runningByAssignee()
      expect((running.alpha ?? 0) + (running.beta ?? 0)).toBe(3)
      expect(running.gamma).toBe(5)
    })

    test('claims the first that can be had, as many as are wanted, and says what it has not tried', async () => {
      await using scene = await open()
      const { board } = scene
      const ids: string[] = []
      for (let n = 0; n < 6; n++) ids.push((await create(board, { assignee: 'alpha' })).id)
      await board.change('block', ids[1] ?? '', {}, actor())
      const claims = ids.map((id) => ({ type: 'claim', id, assignee: 'alpha' }) as const)
      const written = await board.write(claims, { ...freeLimits(WHERE), most: 3 }, wallMs)
      expect(written?.map(({ state }) => state)).toEqual(['done', 'lost', 'done', 'done', 'untried', 'untried'])
      expect(await board.runningByAssignee()).toEqual({ alpha: 3 })
    })

    test('writes all of a tick at once: an end makes room, and a child that it lets go is promoted and claimed', async () => {
      await using scene = await open()
      const { board } = scene
      const first = await claimed(board)
      const { id: child } = await create(board, { parents: [first.row.id] })
      const { id: other } = await create(board)
      const row = await runningRow(board, first.row.id)
      const written = await board.write(
        [
          { type: 'note', id: first.row.id, runId: first.runId, workspace: '/w' },
          { type: 'end', row, end: completed, settlement: to('done') },
          { type: 'promote', id: child, from: 'todo', to: 'ready' },
          { type: 'assign', id: child, assignee: 'alpha' },
          { type: 'assign', id: other, assignee: 'alpha' },
          { type: 'claim', id: child, assignee: 'alpha' },
          { type: 'claim', id: other, assignee: 'alpha' },
        ],
        { ...freeLimits(WHERE), perProfile: 1 },
        wallMs,
      )
      expect(written?.map(({ state }) => state)).toEqual(['done', 'done', 'done', 'done', 'done', 'done', 'full'])
      expect(await board.runningByAssignee()).toEqual({ alpha: 1 })
      expect(await kinds(board, first.row.id)).toEqual(['created', 'claimed', 'spawned', 'completed'])
      expect(await kinds(board, child)).toEqual(['created', 'linked', 'promoted', 'assigned', 'claimed'])
    })

    test('claims a task only for its assignee', async () => {
      await using scene = await open()
      const { id } = await create(scene.board, { assignee: 'alpha' })
      expect(await steps(scene.board).claim(id, 'beta', WHERE, wallMs)).toBeUndefined()
      expect((await scene.board.require(id)).status).toBe('ready')
    })

    test('ends a run once, with its task, and promotes nothing by itself', async () => {
      await using scene = await open()
      const { board } = scene
      const { row, runId, slot } = await claimed(board)
      const child = await create(board, { parents: [row.id] })
      await steps(board).recordWorker(row.id, runId, { pid: 4711, startTime: 99 }, '/w', wallMs)
      const running = await runningRow(board, row.id)
      expect(running).toMatchObject({ run_id: runId, slot, host: 'this-host', worker_pid: 4711, worker_start_time: 99 })
      expect(running.childless).not.toBe(true)
      expect(await board.waitingChildren(row.id)).toMatchObject([{ id: child.id, status: 'todo', openParents: 1 }])
      expect(await steps(board).endRun(running, completed, to('done'), wallMs)).toBe(true)
      expect(await steps(board).endRun(running, completed, to('done'), wallMs)).toBe(false)
      expect(await board.require(row.id)).toMatchObject({
        status: 'done',
        result: 'it is done',
        currentRun: null,
        claimLock: null,
        workerPid: null,
        succeededAtMs: expect.any(Number),
      })
      expect(await board.runs(row.id, 10)).toMatchObject([{ outcome: 'completed', exitCode: 0, summary: 'it is done' }])
      expect(await kinds(board, row.id)).toEqual(['created', 'claimed', 'spawned', 'completed'])
      expect(await board.promotable(wallMs)).toMatchObject([{ id: child.id, status: 'todo', openParents: 0 }])
      expect(await steps(board).promote(child.id, 'todo', 'ready', wallMs)).toBe(true)
      expect(await steps(board).promote(child.id, 'todo', 'ready', wallMs)).toBe(false)
    })

    test('keeps what a worker has printed, whatever bytes are in it', async () => {
      await using scene = await open()
      const { board } = scene
      const { row } = await claimed(board)
      const printed = `begin ü€𝒳 \0 \ud800 ${'x'.repeat(5000)} "quoted" end`
      const end = { outcome: 'crashed', failure: true, stop: false, exitCode: 1, error: printed } as const
      expect(
        await steps(board).endRun(await runningRow(board, row.id), end, to('ready', { failures: 1 }), wallMs),
      ).toBe(true)
      for (const kept of [
        (await board.require(row.id)).lastError,
        (await board.runs(row.id, 1))[0]?.error,
        (await board.events(0, 10, row.id)).at(-1)?.payload.error,
      ])
        expect(kept).toMatch(/^begin ü€𝒳 .*x{5000} "quoted" end$/su)
    })

    test('counts failures with the run that failed, and blocks with the last one', async () => {
      await using scene = await open()
      const { board } = scene
      const { row } = await claimed(board)
      const crashed = { outcome: 'crashed', failure: true, stop: false, exitCode: 3, error: 'exit code 3' } as const
      const settlement = to('blocked', { failures: 2, autoBlocked: true })
      expect(await steps(board).endRun(await runningRow(board, row.id), crashed, settlement, wallMs)).toBe(true)
      expect(await board.require(row.id)).toMatchObject({ status: 'blocked', failures: 2, lastError: 'exit code 3' })
      expect((await kinds(board, row.id)).slice(-2)).toEqual(['crashed', 'auto_blocked'])
    })

    test('has an event for each end of a run, from which the ends since then are counted by outcome', async () => {
      await using scene = await open()
      const { board } = scene
      const claims = []
      for (let n = 0; n < 7; n++) claims.push(await claimed(board))
      const [early, done, reviewed, blocked, reassigned, crashed, unstarted] = claims as [Claimed, ...Claimed[]] & {
        readonly [K in 1 | 2 | 3 | 4 | 5 | 6]: Claimed
      }
      await board.change('reclaim', early.row.id, {}, actor())
      const totals = new RunTotals()
      await totals.read(board)
      const again = await steps(board).claim(early.row.id, 'alpha', WHERE, wallMs)
      await board.change('complete', early.row.id, {}, actor(again?.runId))
      await steps(board).endRun(await runningRow(board, done.row.id), completed, to('done'), wallMs)
      await steps(board).endRun(await runningRow(board, reviewed.row.id), completed, to('review'), wallMs)
      await board.change('complete', reviewed.row.id, {}, actor())
      await board.change('heartbeat', blocked.row.id, {}, actor(blocked.runId))
      await board.change('block', blocked.row.id, {}, actor(blocked.runId))
      await board.change('unblock', blocked.row.id, {}, actor())
      await board.change('block', blocked.row.id, {}, actor())
      await board.change('reassign', reassigned.row.id, { assignee: 'beta' }, actor())
      const failed = { outcome: 'crashed', failure: true, stop: false, exitCode: 3 } as const
      const given = to('blocked', { failures: 2, autoBlocked: true })
      await steps(board).endRun(await runningRow(board, crashed.row.id), failed, given, wallMs)
      await steps(board).releaseClaim(unstarted, { failure: true, error: 'no such program' }, RULES, wallMs)
      const counts = () => Object.fromEntries(OUTCOMES.map((outcome) => [outcome, totals.ended(outcome)]))
      // Events may be held back for a moment, until none can come before them any more.
      await waitFor('all seven ends', async () => {
        await totals.read(board)
        return Object.values(counts()).reduce((sum, n) => sum + n, 0) >= 7 && totals.ended('spawn_failed') === 1
      })
      const none = { timed_out: 0, stale: 0, rate_limited: 0 }
      expect(counts()).toEqual({ completed: 3, blocked: 1, reclaimed: 1, crashed: 1, spawn_failed: 1, ...none })
      expect(totals.durations.runs).toBe(7)
      await totals.read(board)
      expect(totals.durations.runs).toBe(7)
    })

    test('refuses the words of a worker whose run is over, whatever it says', async () => {
      await using scene = await open()
      const { board } = scene
      const first = await claimed(board)
      await board.change('reclaim', first.row.id, {}, actor())
      const second = await steps(board).claim(first.row.id, 'alpha', WHERE, wallMs)
      for (const operation of ['complete', 'block', 'heartbeat'] as const)
        await expect(board.change(operation, first.row.id, {}, actor(first.runId))).rejects.toMatchObject({
          code: 'REFUSED',
        })
      await steps(board).recordWorker(first.row.id, first.runId, { pid: 1, startTime: 1 }, '/w', wallMs)
      expect(await board.require(first.row.id)).toMatchObject({ status: 'running', workerPid: null })
      expect(second?.runId).toBeGreaterThan(first.runId)
      const review = await board.change('complete', first.row.id, { requireReview: true }, actor(second?.runId))
      expect(review.status).toBe('review')
    })

    test('extends a claim and takes a heartbeat of the current run', async () => {
      await using scene = await open()
      const { board } = scene
      const { row, runId } = await claimed(board)
      const before = await runningRow(board, row.id)
      expect(await steps(board).extendClaim(before, wallMs + 1000)).toBe(true)
      const after = await board.change('heartbeat', row.id, { reason: 'half' }, actor(runId))
      expect(after).toMatchObject({ status: 'running', heartbeatAtMs: expect.any(Number) })
      expect(after.claimExpiresAtMs).toBeGreaterThanOrEqual(before.claim_expires_at ?? 0)
      expect((await kinds(board, row.id)).slice(-2)).toEqual(['claim_extended', 'heartbeat'])
      await board.change('block', row.id, { reason: 'enough' }, actor())
      expect(await steps(board).extendClaim(before, wallMs)).toBe(false)
      expect(await board.runs(row.id, 1)).toMatchObject([{ outcome: 'blocked', error: 'enough' }])
    })

    test('gives a claim back when no worker could be started', async () => {
      await using scene = await open()
      const { board } = scene
      const claim = await claimed(board)
      expect(
        await steps(board).releaseClaim(claim, { failure: true, error: 'no such program' }, RULES, wallMs),
      ).toMatchObject({
        status: 'ready',
        failures: 1,
      })
      expect(await board.require(claim.row.id)).toMatchObject({ status: 'ready', failures: 1, currentRun: null })
      expect(await board.runs(claim.row.id, 1)).toMatchObject([{ outcome: 'spawn_failed', error: 'no such program' }])
    })

    test('assigns the fallback only to a task that is still unassigned and ready', async () => {
      await using scene = await open()
      const { board } = scene
      const { id } = await create(board)
      expect(await steps(board).assignDefault(id, 'alpha', wallMs)).toBe(true)
      expect(await steps(board).assignDefault(id, 'beta', wallMs)).toBe(false)
      expect((await board.require(id)).assignee).toBe('alpha')
      expect((await board.events(0, 10, id)).at(-1)?.payload).toEqual({
        assignee: 'alpha',
        source: 'kanban.default_assignee',
      })
    })

    test('finds a run by its slot, and knows whether it is the current one', async () => {
      await using scene = await open()
      const { board } = scene
      const { row, runId, slot } = await claimed(board)
      expect(await board.attempt(row.id, runId, slot)).toEqual({ currentRun: runId, outcome: null, endedAtMs: null })
      expect(await board.attempt(row.id, runId, 'job-other')).toBeUndefined()
      expect(await board.taskOfSlot(slot)).toBe(row.id)
      await board.change('reclaim', row.id, {}, actor())
      expect(await board.attempt(row.id, runId, slot)).toMatchObject({ currentRun: null, outcome: 'reclaimed' })
      expect(await board.taskOfSlot(slot)).toBeUndefined()
    })

    test('promotes a scheduled task when its time has come', async () => {
      await using scene = await open()
      const { board } = scene
      const later = await create(board, { scheduledAtMs: wallMs + 3_600_000 })
      const due = await create(board, { scheduledAtMs: wallMs - 1000 })
      expect((await board.promotable(wallMs)).map(({ id }) => id)).toEqual([due.id])
      expect(await steps(board).promote(later.id, 'scheduled', 'ready', wallMs)).toBe(false)
      expect(await steps(board).promote(due.id, 'scheduled', 'ready', wallMs)).toBe(true)
    })

    test('removes what was archived long ago, with its history, and nothing else', async () => {
      await using scene = await open()
      const { board } = scene
      const [old, kept] = [await create(board), await create(board)]
      await create(board, { parents: [old.id] })
      await board.change('archive', old.id, {}, actor())
      expect(await board.removeArchived(0, 10)).toEqual([])
      expect(await board.removeArchived(Date.now() + 3_600_000, 10)).toEqual([old.id])
      expect(await board.find(old.id)).toBeUndefined()
      expect(await board.events(0, 10, old.id)).toEqual([])
      expect(await board.find(kept.id)).toBeDefined()
    })

    test('can be closed more than once', async () => {
      await using scene = await open()
      const other = await scene.another()
      await other.statusCounts()
      await other.close()
      await other.close()
    })

    test('shows another process that something has changed', async () => {
      await using scene = await open()
      const other = await scene.another()
      const before = await other.version()
      expect(await other.version()).toBe(before)
      await create(scene.board)
      expect(await other.version()).not.toBe(before)
    })

    test('loses no comment, link or completion of writers that work at the same time', async () => {
      await using scene = await open()
      const boards = [scene.board, await scene.another(), await scene.another(), await scene.another()]
      const child = await create(scene.board)
      const parents = await Promise.all(
        boards.map(async (board) => {
          const { id } = await create(board)
          await board.link(id, child.id, actor())
          await board.comment(child.id, 'from one of them', actor())
          return id
        }),
      )
      expect(await scene.board.require(child.id)).toMatchObject({ status: 'todo', openParents: 4 })
      await Promise.all(boards.map((board, at) => board.change('complete', parents[at] ?? '', {}, actor())))
      expect(await scene.board.require(child.id)).toMatchObject({ status: 'ready', openParents: 0 })
      const { comments } = await scene.board.details(child.id, { runs: 1, events: 1 })
      expect(comments).toHaveLength(4)
    })

    test('a tick starts what the caps allow, a dry run says the same, and the next tick takes the results', async () => {
      await using scene = await open()
      using home = homeWith({ max_in_progress_per_profile: 2, default_assignee: 'beta' })
      const { board } = scene
      const ids = []
      for (const assignee of ['alpha', 'alpha', 'alpha', 'beta', null, 'nobody-here'])
        ids.push((await create(board, { assignee })).id)
      const jobs = new FakeJobs()
      const options = optionsFor(board, home.path, jobs)
      const planned = (await planDispatch(options)).report
      expect((await board.statusCounts()).ready).toBe(6)
      const { report } = await dispatchOnce(options)
      expect(report.spawned.map(({ task_id }) => task_id)).toEqual([ids[0], ids[1], ids[3], ids[4]])
      expect(report.spawned.map(({ task_id }) => task_id)).toEqual(planned.spawned.map(({ task_id }) => task_id))
      expect(report).toMatchObject({
        skipped_per_profile_capped: [{ task_id: ids[2], assignee: 'alpha', current: 2 }],
        auto_assigned_default: [ids[4]],
        skipped_nonspawnable: [ids[5]],
      })
      jobs.end(ids[0] ?? '', { exitCode: 0 })
      jobs.end(ids[1] ?? '', { exitCode: 3 })
      const next = (await dispatchOnce(options)).report
      expect(next).toMatchObject({ crashed: [ids[1]], spawned: [{ task_id: ids[1] }, { task_id: ids[2] }] })
      expect(await board.require(ids[0] ?? '')).toMatchObject({ status: 'done' })
      expect(await board.require(ids[1] ?? '')).toMatchObject({ status: 'running', failures: 1 })
      expect(await board.runningByAssignee()).toEqual({ alpha: 2, beta: 2 })
    })

    test('a tick starts what the pools allow, a dry run says the same, and a place that becomes free is taken', async () => {
      await using scene = await open()
      using home = homeWith({ pools: { gpu: 2 } }, 'gpu')
      const { board } = scene
      const ids: string[] = []
      for (const assignee of ['alpha', 'beta', 'alpha', 'any', 'beta']) ids.push((await create(board, { assignee })).id)
      const jobs = new FakeJobs()
      const options = optionsFor(board, home.path, jobs)
      const planned = (await planDispatch(options)).report
      const { report } = await dispatchOnce(options)
      expect(report.spawned.map(({ task_id, assignee }) => [task_id, assignee])).toEqual([
        [ids[0], 'alpha'],
        [ids[1], 'beta'],
      ])
      const capped = [ids[2], ids[3], ids[4]].map((task_id, at) => ({
        ...{ task_id, assignee: ['alpha', 'any', 'beta'][at] },
        ...{ pool: 'gpu', current: 2 },
      }))
      expect([planned.skipped_pool_capped, report.skipped_pool_capped]).toEqual([capped, capped])
      jobs.end(ids[1] ?? '', { exitCode: 0 })
      const next = (await dispatchOnce(options)).report
      expect(next).toMatchObject({ spawned: [{ task_id: ids[2] }], skipped_pool_capped: [{}, {}] })
    })

    test('a tick names a profile whose pool has no capacity, and does not limit it', async () => {
      await using scene = await open()
      using home = homeWith({ pools: { tpu: 1 } }, 'gpu')
      for (let n = 0; n < 3; n++) await create(scene.board, { assignee: 'alpha' })
      const warnings: string[] = []
      const options = optionsFor(scene.board, home.path, new FakeJobs())
      const { report } = await dispatchOnce({ ...options, warn: (text) => void warnings.push(text) })
      expect(report.spawned).toHaveLength(3)
      expect(warnings.sort()).toEqual(
        ['alpha', 'beta'].map(
          (name) => `agent.pool of "${name}" is 'gpu', which kanban.pools does not have, so nothing limits it`,
        ),
      )
    })

    test('a tick promotes the children of what it finds done, and starts them at once', async () => {
      await using scene = await open()
      using home = homeWith({})
      const { board } = scene
      const jobs = new FakeJobs()
      const options = optionsFor(board, home.path, jobs)
      const { id: parent } = await create(board, { assignee: 'alpha' })
      const { id: child } = await create(board, { assignee: 'beta', parents: [parent] })
      await dispatchOnce(options)
      jobs.end(parent, { exitCode: 0 })
      const { report } = await dispatchOnce(options)
      expect(report).toMatchObject({ promoted: 1, spawned: [{ task_id: child }] })
    })

    test('a tick follows the settings of the board, and names a config.yaml that differs', async () => {
      await using scene = await open()
      using home = homeWith({ max_in_progress: 9 })
      const { board } = scene
      if ((await board.settings()) === null) {
        // In a file it has none.
        const setting = board.set('max_in_progress', 1, actor())
        await expect(setting).rejects.toMatchObject({ code: 'REFUSED', next: expect.stringContaining('config set') })
        return
      }
      for (let n = 0; n < 3; n++) await create(board, { assignee: 'alpha' })
      await board.set('max_in_progress', 1, actor())
      await board.set('failure_limit', 1, actor())
      expect(await (await scene.another()).settings()).toEqual({ max_in_progress: 1, failure_limit: 1 })
      const jobs = new FakeJobs()
      const warnings: string[] = []
      const options = { ...optionsFor(board, home.path, jobs), warn: (text: string) => void warnings.push(text) }
      const { report, decision } = await dispatchOnce(options)
      expect([report.spawned.length, decision?.boardFull]).toEqual([1, { busy: 1, limit: 1 }])
      expect(warnings).toEqual([expect.stringMatching(/^kanban\.max_in_progress in config\.yaml is 9, and is ignored/)])
      await board.set('max_in_progress', undefined, actor())
      jobs.end(report.spawned[0]?.task_id ?? '', { exitCode: 1 })
      const next = await dispatchOnce(options)
      expect([next.report.auto_blocked.length, next.report.spawned.length]).toEqual([1, 2])
      expect(warnings).toHaveLength(1)
    })

    test('keeps routines, and several dispatchers at the same time make one task for each time', async () => {
      await using scene = await open()
      const boards = [scene.board, await scene.another(), await scene.another(), await scene.another()]
      const task = { title: 'Report', body: '', assignee: null, priority: 0 }
      const routine = { name: 'often', cron: '* * * * * *', tz: 'UTC', catchUp: 'all', task } as const
      expect(await scene.board.routines()).toEqual([])
      // Also the table is made by several at the same time.
      const added = await Promise.allSettled(boards.map((board) => board.addRoutine(routine, actor())))
      expect(added.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      for (const one of added) if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'REFUSED' })
      expect(await boards[1]?.routines()).toMatchObject([{ ...routine, isPaused: false }])
      const keys = new Set<string>()
      const made: string[] = []
      while (keys.size < 3) {
        for (const done of await Promise.all(boards.map((board) => runRoutines(board, systemClock()))))
          for (const line of done.made) {
            made.push(line)
            keys.add(line.replace(/: t_.*/, ''))
          }
      }
      expect(made).toHaveLength(keys.size)
      expect(await scene.board.statusCounts()).toEqual({ ready: keys.size })
      expect(await scene.board.changeRoutine('often', { isPaused: true }, Date.now())).toBe(true)
      const [paused] = await scene.board.routines()
      // It never moves back.
      await scene.board.changeRoutine('often', { settledUntilMs: 1 }, Date.now())
      expect(await scene.board.routines()).toEqual([{ ...paused, isPaused: true }])
      expect([await scene.board.removeRoutine('often'), await scene.board.removeRoutine('often')]).toEqual([
        true,
        false,
      ])
      expect(await scene.board.changeRoutine('often', { isPaused: false }, Date.now())).toBe(false)
    })

    test('one tick at a time: while another dispatcher holds the board, nothing is written', async () => {
      await using scene = await open()
      using home = homeWith({})
      const { id } = await create(scene.board, { assignee: 'alpha' })
      const lock = await (await scene.another()).holdTicks(systemClock(), 0)
      expect(lock?.isHeld()).toBe(true)
      expect(await scene.board.holdTicks(systemClock(), 0)).toBeUndefined()
      const options = optionsFor(scene.board, home.path, new FakeJobs())
      const locked = await dispatchOnce({ ...options, clock: hurried() })
      expect(locked.report).toMatchObject({ skipped_locked: true, spawned: [] })
      expect((await scene.board.require(id)).status).toBe('ready')
      await lock?.release()
      expect((await dispatchOnce(options)).report.spawned).toHaveLength(1)
    })
  })
}

/** Profiles alpha and beta, each with an agent, and in a pool. */
function homeWith(kanban: Readonly<Record<string, unknown>>, pool?: string): { readonly path: string } & Disposable {
  const path = quickDir('hermes-contract-')
  writeFileSync(join(path, 'config.yaml'), JSON.stringify({ kanban }))
  for (const name of ['alpha', 'beta']) {
    mkdirSync(join(path, 'profiles', name), { recursive: true })
    writeFileSync(join(path, 'profiles', name, 'config.yaml'), JSON.stringify({ agent: { command: ['agent'], pool } }))
  }
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

const optionsFor = (board: Board, home: string, jobs: FakeJobs): DispatchOptions => ({
  board,
  home,
  jobs,
  clock: systemClock(),
  host: 'this-host',
  builtIn: (profile) => ['built-in', profile],
  warn: (text) => {
    throw new Error(text)
  },
})

/** A clock on which each look is a second later: waiting is over soon. */
function hurried(): DispatchOptions['clock'] {
  const clock = systemClock()
  let passedMs = 0
  const nowMs = (): number => {
    passedMs += 1000
    return clock.nowMs() + passedMs
  }
  return { ...clock, wallMs: clock.wallMs, at: (_, wake) => clock.at(clock.nowMs(), wake), nowMs }
}
