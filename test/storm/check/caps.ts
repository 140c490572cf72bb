// How many tasks run at once, by the event log. Pure.
import type { StormFacts, Violation } from './checker.ts'

/** Events at which a task runs no more. */
const ENDS = new Set([
  'completed',
  'review',
  'blocked',
  'reclaimed',
  'crashed',
  'timed_out',
  'stale',
  'rate_limited',
  'spawn_failed',
])

/** The board counts a task from its claim to the end of its run. */
export function capViolations({ events, runs, caps }: StormFacts): readonly Violation[] {
  const profileOf = new Map(runs.map(({ id, profile }) => [id, profile]))
  /** Task → profile. */
  const running = new Map<string, string>()
  const violations: Violation[] = []
  for (const { task_id, run_id, kind } of events) {
    if (ENDS.has(kind)) running.delete(task_id)
    if (kind !== 'claimed') continue
    if (running.has(task_id))
      violations.push({ rule: 'two live runs', task: task_id, text: `run ${run_id} was claimed while it was running` })
    const profile = profileOf.get(run_id ?? -1) ?? ''
    running.set(task_id, profile)
    const ofProfile = [...running.values()].filter((one) => one === profile).length
    if (ofProfile > caps.perProfile)
      violations.push({
        rule: 'a cap passed',
        task: task_id,
        text: `with run ${run_id}, ${ofProfile} tasks of ${profile} ran; its cap is ${caps.perProfile}`,
      })
    if (running.size > caps.board)
      violations.push({
        rule: 'a cap passed',
        task: task_id,
        text: `with run ${run_id}, ${running.size} tasks ran; the cap of the board is ${caps.board}`,
      })
  }
  return violations
}
