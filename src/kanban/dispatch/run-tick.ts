/** Performs a tick in rounds: each writes at once all that the tick wants to do. */
import {
  type Decision,
  isReading,
  type StepResult,
  type TickAnswer,
  type TickFacts,
  type TickReading,
  type TickStep,
  tick,
} from '../tick.ts'

export interface Rounds {
  /** Starts that a round proposes to {@link Rounds.perform}; 0: no task is started any more. */
  offered(): number
  read(reading: TickReading): Promise<TickAnswer>
  /** @returns the results; a step without one was not tried, and is proposed again */
  perform(steps: readonly TickStep[]): Promise<ReadonlyMap<TickStep, StepResult>>
}

/**
 * A round lets the tick decide as if all that is not done yet would succeed, and performs it. Then the tick decides
 * again, from its beginning and with the results. If all went well, nothing is left to do, and that is the decision.
 * Else it wants something else, such as another task in the place of one that was lost: that is the next round. The
 * tick is pure, so each pass repeats what the one before has decided from the same answers.
 */
export async function runTick(facts: TickFacts, rounds: Rounds): Promise<Decision> {
  const readings = new Map<string, TickAnswer>()
  const results = new Map<string, StepResult>()
  for (;;) {
    const wanted: TickStep[] = []
    const offered = rounds.offered()
    let starts = 0
    const answerTo = async (step: TickStep | TickReading): Promise<TickAnswer> => {
      const key = keyOf(step)
      if (isReading(step)) {
        const answer = readings.get(key) ?? (await rounds.read(step))
        readings.set(key, answer)
        return answer
      }
      const known = results.get(key)
      if (known !== undefined) return known
      if (step.type === 'spawn' && ++starts > offered) return { state: 'stop' }
      wanted.push(step)
      return { state: 'done' }
    }
    const steps = tick(facts)
    let next = steps.next()
    while (!next.done) next = steps.next(await answerTo(next.value))
    if (wanted.length === 0) return next.value
    for (const [step, result] of await rounds.perform(wanted)) results.set(keyOf(step), result)
  }
}

/** There is one step of a type for a task. */
const keyOf = (step: TickStep | TickReading): string =>
  step.type === 'ready' ? `ready ${step.after?.id ?? ''}` : `${step.type} ${step.id}`
