/** Random histories of people and workers on any board. */
import fc from 'fast-check'
import type { Operation } from '../../../src/kanban/operations.ts'
import type { Actor, Board } from '../../../src/kanban/port/board.ts'
import type { RunEnd, Settlement } from '../../../src/kanban/running.ts'
import { STATUSES, type Task } from '../../../src/kanban/task.ts'
import { HermesError } from '../../../src/system/errors.ts'
import { steps } from '../../support/kanban/steps.ts'

const at = fc.nat({ max: 1000 })
/** Text that every database keeps: no NUL, no half of a surrogate pair. */
const text = fc.string({ unit: 'grapheme', maxLength: 30 }).map((one) => one.replaceAll('\0', ''))
const operation = fc.constantFrom<Operation>('assign', 'promote', 'schedule', 'block', 'unblock', 'complete', 'archive')
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('create' as const), title: text, body: text, task: at }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('change' as const), operation, task: at, reason: text }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('link' as const), task: at, child: at }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unlink' as const), task: at }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('comment' as const), task: at, body: text }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('claim' as const), task: at }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('end' as const), task: at, fails: fc.boolean(), output: text }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('remove' as const) }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

export const randomHistory = fc.array(step, { minLength: 20, maxLength: 40, size: 'max' })

let wallMs = Date.now()
const actor = (): Actor => {
  wallMs += 1
  return { name: 'tester', wallMs }
}

export async function live(board: Board, history: readonly Step[]): Promise<void> {
  for (const one of history) {
    try {
      await happen(board, one)
    } catch (error) {
      if (!(error instanceof HermesError)) throw error // it was not allowed in this state
    }
  }
}

async function happen(board: Board, one: Step): Promise<void> {
  const tasks = await board.list({ statuses: STATUSES, limit: 1000 })
  const pick = (n: number): Task | undefined => tasks[n % Math.max(1, tasks.length)]
  const task = 'task' in one ? pick(one.task) : undefined
  switch (one.do) {
    case 'create':
      await board.create(
        {
          title: `t ${one.title}`,
          body: one.body,
          assignee: 'alpha',
          priority: (one.task % 5) - 2,
          parents: one.task % 3 === 0 && task !== undefined ? [task.id] : [],
          triage: one.task % 7 === 1,
          ...(one.task % 11 === 2 ? { once: true } : {}),
          ...(one.task % 7 === 3 ? { resultSchema: '{"type":"string"}' } : {}),
          ...(one.task % 11 === 3 ? { needs: ['gpu', 'region=eu'] } : {}),
          ...(one.task % 11 === 1 ? { idempotencyKey: `key ${one.task}`, maxRetries: 3, maxRuntimeMs: 90_000 } : {}),
        },
        actor(),
      )
      return
    case 'change':
      if (task === undefined) return
      await board.change(
        one.operation,
        task.id,
        {
          reason: one.reason,
          scheduledAtMs: wallMs + 60_000,
          result: one.reason,
          resultJson: JSON.stringify(one.reason ?? null),
          assignee: 'beta',
        },
        actor(),
      )
      return
    case 'link':
      if (task !== undefined) await board.link(task.id, pick(one.child)?.id ?? '', actor())
      return
    case 'unlink': {
      const parent = task && (await board.parents(task.id))[0]
      if (task !== undefined && parent !== undefined) await board.unlink(parent.id, task.id, actor())
      return
    }
    case 'comment':
      if (task !== undefined) await board.comment(task.id, `c ${one.body}`, actor())
      return
    case 'claim': {
      const ready = tasks.filter(({ status }) => status === 'ready')
      const chosen = ready[one.task % Math.max(1, ready.length)]
      if (chosen?.assignee == null) return
      const claimed = await steps(board).claim(chosen.id, chosen.assignee, { host: 'h', instance: 'i' }, actor().wallMs)
      if (claimed !== undefined)
        await steps(board).recordWorker(chosen.id, claimed.runId, { pid: 4711, startTime: 99 }, '/work', actor().wallMs)
      return
    }
    case 'end': {
      const running = await board.running()
      const row = running[one.task % Math.max(1, running.length)]
      if (row !== undefined) await steps(board).endRun(row, ...ended(one), actor().wallMs)
      return
    }
    case 'remove':
      await board.removeArchived(wallMs + 1e12, 2)
  }
}

function ended({ fails, output }: Extract<Step, { do: 'end' }>): readonly [RunEnd, Settlement] {
  const settlement = { failures: fails ? 1 : 0, pauses: 0, pausedUntilMs: null, autoBlocked: false } as const
  return fails
    ? [
        { outcome: 'crashed', failure: true, stop: false, exitCode: 1, error: output },
        { ...settlement, status: 'ready' },
      ]
    : [
        { outcome: 'completed', failure: false, stop: false, exitCode: 0, summary: output },
        { ...settlement, status: 'done' },
      ]
}
