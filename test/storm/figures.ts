// The figures of a storm, for its report. Pure.
import type { Life } from './check/account.ts'
import type { StormFacts } from './check/checker.ts'
import { gatewayFigure } from './check/gateways.ts'
import type { Happened } from './faults.ts'

export function figures(facts: StormFacts, happened: readonly Happened[]): readonly string[] {
  const count = <T>(all: readonly T[], of: (one: T) => string): string =>
    [...Map.groupBy(all, of)]
      .sort(([, a], [, b]) => b.length - a.length)
      .map(([name, some]) => `${some.length} ${name}`)
      .join(', ')
  const lives = new Map(facts.lives.map((life) => [life.run, life]))
  const once = [...facts.made.values()].filter((one) => one.once).length
  // Another node takes a task back, and the next worker may begin. A pause is the documented window.
  const margins = facts.runs.flatMap(({ id, outcome, ended_at, error }) => {
    if (!/^node .* has not been heard of/.test(error ?? '')) return []
    const life = lives.get(id)
    if (outcome !== 'reclaimed' || ended_at === null || life === undefined) return []
    const isPaused = facts.pauses.some(
      ({ node, fromMs, toMs }) => node === life.node && fromMs <= ended_at && ended_at <= toMs + facts.windowMs,
    )
    return isPaused ? [] : [ended_at - life.lastAtMs]
  })
  const least = Math.min(...margins)
  return [
    `${facts.made.size} tasks, ${once} of them with --once: ${count(facts.tasks, ({ status }) => status)}`,
    `${facts.runs.length} runs: ${count(facts.runs, ({ outcome }) => outcome ?? 'without an end')}`,
    `${facts.lives.length} workers, ${facts.lives.filter(({ finished }) => !finished).length} of them did not finish`,
    `${happened.length} faults: ${count(happened, ({ fault }) => fault.kind)}`,
    ...(margins.length === 0
      ? []
      : [
          `from a worker's last word to the reclaim by another node, pauses left out: ${Math.round(least)} ms at least`,
        ]),
    gatewayFigure(facts),
    `longest overlap of two workers of one task: ${Math.round(longestOverlap(facts.lives))} ms`,
  ]
}

/** In the window that a pause opens; 0: there was none. */
function longestOverlap(lives: readonly Life[]): number {
  const overlaps = [...Map.groupBy(lives, ({ task }) => task).values()].flatMap((all) =>
    all.flatMap((one, index) =>
      all
        .slice(index + 1)
        .map((other) => Math.min(one.lastAtMs, other.lastAtMs) - Math.max(one.beganAtMs, other.beganAtMs)),
    ),
  )
  return Math.max(0, ...overlaps)
}
