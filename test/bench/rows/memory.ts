import { Instance } from '../instance.ts'
import { type Effort, interleaved, type Row, tooMany } from '../row.ts'
import type { Subject } from '../subject.ts'

/** The memory that a boot leaves behind is freed within a second or two. */
export const SETTLED_MS = 2000
const BUDGET_MB: Readonly<Record<number, number>> = { 10: 75, 500: 100 }

/** PSS of the supervisor's own processes while its slots sleep. */
export async function memory(subjects: readonly Subject[], { quick, say }: Effort): Promise<Row[]> {
  const rows: Row[] = []
  for (const slots of quick ? [10] : [10, 300, 500]) {
    say(`memory, ${slots} slots`)
    const able = subjects.filter((subject) => subject.mostSlots >= slots)
    const cells = await interleaved(able, 1, async (subject) => ({
      memory: await memoryOnce(subject, slots, quick ? 500 : SETTLED_MS),
    }))
    rows.push({
      title: `memory: supervision of ${slots} slots`,
      unit: 'MB',
      budget: BUDGET_MB[slots] ?? null,
      cells: { ...cells('memory'), ...tooMany(subjects, slots) },
    })
  }
  return rows
}

/**
 * @returns MB (10^6 bytes, PSS) of the supervisor's own processes `afterMs` after the boot of `slots` sleeping slots
 */
export async function memoryOnce(subject: Subject, slots: number, afterMs: number): Promise<number> {
  await using instance = await Instance.start(subject, { slots })
  await instance.allStarted()
  await new Promise((resolve) => setTimeout(resolve, afterMs))
  return instance.memoryMb()
}
