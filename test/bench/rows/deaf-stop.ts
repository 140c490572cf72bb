import { Instance } from '../instance.ts'
import { type Effort, interleaved, type Row } from '../row.ts'
import type { Subject } from '../subject.ts'

/** Of the deaf service; the others end at once. */
const STOP_TIMEOUT_S = 2
/** With the most that a stop may add to it. */
const BUDGET_MS = STOP_TIMEOUT_S * 1000 + 300
const SLOTS = 10
/** Files that no first act waits for are written after the acts. */
const IDLE_AFTER_MS = 500

/** Stop request → PID 1 gone, when one of ten services ignores every signal but KILL. */
export async function deafStop(subjects: readonly Subject[], { quick, say }: Effort): Promise<Row[]> {
  say('stop with one deaf service')
  const measure = async (subject: Subject) => ({ stop: await deafStopOnce(subject) })
  const cells = await interleaved(subjects, quick ? 1 : 5, measure, quick)
  return [
    {
      title: `stop: ${SLOTS} slots, one deaf, its stop timeout ${STOP_TIMEOUT_S} s`,
      unit: 'ms',
      budget: BUDGET_MS,
      cells: cells('stop'),
    },
  ]
}

async function deafStopOnce(subject: Subject): Promise<number> {
  await using instance = await Instance.start(subject, { slots: SLOTS, deafForS: STOP_TIMEOUT_S })
  await instance.allStarted()
  await new Promise((resolve) => setTimeout(resolve, IDLE_AFTER_MS))
  return await instance.stop()
}
