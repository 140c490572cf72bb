import { Instance } from '../instance.ts'
import { type Effort, interleaved, type Row } from '../row.ts'
import type { Subject } from '../subject.ts'

/** Ours alone: boot, status and stop as the number of slots grows. */
export async function manySlots(ours: Subject, { quick, say }: Effort): Promise<Row[]> {
  const rows: Row[] = []
  for (const slots of quick ? [50] : [250, 500, 1000]) {
    say(`${slots} slots`)
    const cells = await interleaved([ours], 1, async (subject) => {
      await using instance = await Instance.start(subject, { slots })
      const boot = await instance.allStarted()
      const { ms } = await instance.inside(instance.status('s0'))
      return { boot, status: ms, stop: await instance.stop() }
    })
    for (const key of ['boot', 'status', 'stop'] as const) {
      rows.push({
        title: `${slots} slots: ${key}`,
        unit: 'ms',
        budget: key === 'status' ? 1000 : null,
        cells: cells(key),
      })
    }
  }
  return rows
}
