import { Instance } from '../instance.ts'
import { type Effort, interleaved, type Row, tooMany } from '../row.ts'
import type { Subject } from '../subject.ts'

const BUDGET_MB: Readonly<Record<number, number>> = { 10: 75, 500: 100 }

/** PSS of the supervisor's own processes while its slots sleep. */
export async function memory(subjects: readonly Subject[], { quick, say }: Effort): Promise<Row[]> {
  const rows: Row[] = []
  for (const slots of quick ? [10] : [10, 300, 500]) {
    say(`memory, ${slots} slots`)
    const able = subjects.filter((subject) => subject.mostSlots >= slots)
    const cells = await interleaved(able, 1, async (subject) => {
      await using instance = await Instance.start(subject, { slots })
      await instance.allStarted()
      // What a boot leaves behind is given back within a second or two.
      await new Promise((resolve) => setTimeout(resolve, quick ? 500 : 2000))
      return { memory: instance.memoryMb() }
    })
    rows.push({
      title: `memory: supervision of ${slots} slots`,
      unit: 'MB',
      budget: BUDGET_MB[slots] ?? null,
      cells: { ...cells('memory'), ...tooMany(subjects, slots) },
    })
  }
  return rows
}
