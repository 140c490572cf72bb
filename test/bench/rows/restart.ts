import { Instance } from '../instance.ts'
import { type Effort, interleaved, type Row } from '../row.ts'
import type { Subject } from '../subject.ts'

/** Longer than any of them wants a service to have lived before its death counts as harmless (ours and s6's: 1 s). */
const UP_MS = 1300

/** SIGKILL of a slot that had been up → its new process runs. */
export async function restart(subjects: readonly Subject[], { quick, say }: Effort): Promise<Row[]> {
  say('restart after SIGKILL')
  const slots = quick ? 2 : 6
  const cells = await interleaved(subjects, quick ? 1 : 2, async (subject) => ({
    restart: await restartOnce(subject, slots),
  }))
  return [{ title: 'restart: SIGKILL of an up slot → new process', unit: 'ms', budget: 10, cells: cells('restart') }]
}

/** Kills each of `slots` slots once. @returns ms until its new process runs, for each */
export async function restartOnce(subject: Subject, slots: number): Promise<number[]> {
  await using instance = await Instance.start(subject, { slots })
  await instance.allStarted()
  await new Promise((resolve) => setTimeout(resolve, UP_MS))
  const samples: number[] = []
  for (const { name } of instance.services) {
    const inside = await instance.marks.when(
      `${name} to run`,
      (seen) => seen.find((mark) => mark.service === name)?.pid,
    )
    const outside = instance.pid1.outsidePid(inside)
    if (outside === undefined) throw new Error(`${name} does not run`)
    const before = instance.marks.count
    const killedAtMs = performance.now()
    process.kill(outside, 'SIGKILL')
    const again = await instance.marks.when(`${name} to run again`, (seen) =>
      seen.slice(before).find((mark) => mark.service === name),
    )
    samples.push(again.atMs - killedAtMs)
  }
  await instance.stop()
  return samples
}
