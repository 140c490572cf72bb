// The tasks of a storm: decided by the seed alone.
import { seededRandom } from './random.ts'

export interface PlannedTask {
  /** Its number, from 0 on. */
  readonly number: number
  readonly profile: string
  readonly priority: number
  /** Numbers of earlier tasks. */
  readonly parents: readonly number[]
  /** Made with `--once`: has no children, because it may be blocked at the end. */
  readonly once: boolean
}

/** Parents are among so many tasks before it: older ones are mostly done. */
const NEAR = 40
const MOST_PARENTS = 3

/** @param onceShare of the tasks that are made with `--once` */
export function planWork(
  seed: number,
  tasks: number,
  profiles: readonly string[],
  onceShare: number,
): readonly PlannedTask[] {
  const random = seededRandom(seed ^ 0x5eed)
  const planned: PlannedTask[] = []
  for (let number = 0; number < tasks; number++) {
    const before = planned.slice(-NEAR).filter(({ once }) => !once)
    const wanted = random.chance(0.4) ? random.whole(1, MOST_PARENTS) : 0
    const parents = random.shuffled(before).slice(0, wanted)
    planned.push({
      number,
      profile: random.pick(profiles),
      priority: random.whole(0, 3),
      parents: parents.map((one) => one.number),
      once: random.chance(onceShare),
    })
  }
  return planned
}
