// Which workers lived at the same time, by their own account. Pure.
import type { Life } from './account.ts'
import type { CheckedRun, Pause, StormFacts, Violation } from './checker.ts'

/** The board and the workers read one clock, in milliseconds and in microseconds. */
const CLOCK_MS = 1

export function lifeViolations(facts: StormFacts): readonly Violation[] {
  const byTask = Map.groupBy(facts.lives, ({ task }) => task)
  const runs = new Map(facts.runs.map((run) => [run.id, run]))
  return [
    ...facts.lives.flatMap((life) => ofOne(facts, runs, life)),
    ...[...byTask].flatMap(([, all]) => ofTask(facts, all)),
  ]
}

function ofOne(
  { pauses, windowMs }: StormFacts,
  runs: ReadonlyMap<number, CheckedRun>,
  life: Life,
): readonly Violation[] {
  const { task, run, node, begins, lastAtMs } = life
  const known = runs.get(run)
  if (known === undefined || known.task_id !== task)
    return [{ rule: 'an unknown run', task, text: `a worker on ${node} had run ${run}, which the board does not know` }]
  const violations: Violation[] = []
  if (begins > 1)
    violations.push({ rule: 'one run begun twice', task, text: `run ${run} was begun ${begins} times on ${node}` })
  const endedAtMs = known.ended_at
  if (endedAtMs !== null && lastAtMs > endedAtMs + CLOCK_MS && !isExcused(pauses, windowMs, life, endedAtMs, lastAtMs))
    violations.push({
      rule: 'outlived its run',
      task,
      text: `run ${run} on ${node} had ended for ${Math.round(lastAtMs - endedAtMs)} ms when its worker still lived`,
    })
  return violations
}

function ofTask({ made, pauses, windowMs }: StormFacts, lives: readonly Life[]): readonly Violation[] {
  const inOrder = lives.toSorted((a, b) => a.beganAtMs - b.beganAtMs)
  const violations: Violation[] = []
  const [first] = inOrder
  if (first !== undefined && inOrder.length > 1 && made.get(first.task)?.once === true)
    violations.push({ rule: 'once, and run twice', task: first.task, text: `runs ${numbers(inOrder)} had a worker` })
  for (const [index, earlier] of inOrder.entries())
    for (const later of inOrder.slice(index + 1)) {
      const untilMs = Math.min(earlier.lastAtMs, later.lastAtMs)
      if (untilMs <= later.beganAtMs) continue
      if ([earlier, later].some((life) => isExcused(pauses, windowMs, life, later.beganAtMs, untilMs))) continue
      violations.push({
        rule: 'two live runs',
        task: later.task,
        text: `runs ${earlier.run} on ${earlier.node} and ${later.run} on ${later.node} both lived for ${Math.round(untilMs - later.beganAtMs)} ms`,
      })
    }
  return violations
}

const numbers = (lives: readonly Life[]): string => lives.map(({ run }) => run).join(', ')

/**
 * The one documented window: a node that was paused as a whole for longer than its lease still has its workers when it
 * goes on, for as long as it takes to notice.
 * @param fromMs when the worker should not have lived any more
 * @param untilMs when it still did
 */
function isExcused(pauses: readonly Pause[], windowMs: number, life: Life, fromMs: number, untilMs: number): boolean {
  return pauses.some(
    (pause) =>
      pause.node === life.node &&
      pause.fromMs <= fromMs &&
      // A worker whose start was under way when the node was paused begins after the pause.
      pause.toMs >= life.beganAtMs - windowMs &&
      untilMs <= pause.toMs + windowMs,
  )
}
