import { Instance } from '../instance.ts'
import { type Effort, interleaved, type Row, tooMany } from '../row.ts'
import type { Subject } from '../subject.ts'

/** Files that no first act waits for are written after the acts. */
const IDLE_AFTER_MS = 500

const BOOT_BUDGET_MS: Readonly<Record<number, number>> = { 1: 130, 10: 180, 100: 600 }

/** PID 1 started → first act of N slots; and stop signal → PID 1 gone, after every slot was signalled. */
export async function bootAndStop(subjects: readonly Subject[], { quick, say }: Effort): Promise<Row[]> {
  const boots: Row[] = []
  const stops: Row[] = []
  for (const slots of quick ? [1, 10] : [1, 10, 100]) {
    say(`boot and stop, ${slots} slots`)
    const able = subjects.filter((subject) => subject.mostSlots >= slots)
    const rounds = quick ? 1 : ({ 1: 5, 10: 3 }[slots] ?? 2)
    const cells = await interleaved(able, rounds, (subject) => bootAndStopOnce(subject, slots))
    const title = `${slots} slot${slots === 1 ? '' : 's'}`
    const left = tooMany(subjects, slots)
    boots.push({
      title: `boot: PID 1 → first act of ${title}`,
      unit: 'ms',
      budget: BOOT_BUDGET_MS[slots] ?? null,
      cells: { ...cells('boot'), ...left },
    })
    stops.push({
      title: `stop: ${title} asked to stop → PID 1 gone`,
      unit: 'ms',
      budget: null,
      cells: { ...cells('stop'), ...left },
    })
  }
  return [...boots, ...stops]
}

/** @returns ms from PID 1's start to the first act of the last slot, and from the request to stop to PID 1's end */
export async function bootAndStopOnce(subject: Subject, slots: number): Promise<{ boot: number; stop: number }> {
  await using instance = await Instance.start(subject, { slots })
  const boot = await instance.allStarted()
  // The stop is that of idle slots: without a pause it would be what is left of the boot.
  await new Promise((resolve) => setTimeout(resolve, IDLE_AFTER_MS))
  return { boot, stop: await instance.stop() }
}
