import { Instance } from '../instance.ts'
import { type Effort, interleaved, type Row } from '../row.ts'
import type { Subject } from '../subject.ts'

/** Longer than any of them wants a service to have lived before its death counts as harmless (ours and s6's: 1 s). */
const UP_MS = 1300

/** As long as a service that works for a while, fails, and works again. */
const UP_BETWEEN_DEATHS_MS = 6_000

/** SIGKILL of a slot that had been up → its new process runs: of one that had not died before, and of one that had. */
export async function restart(subjects: readonly Subject[], { quick, say }: Effort): Promise<Row[]> {
  say('restart after SIGKILL')
  const slots = quick ? 2 : 6
  const first = await interleaved(
    subjects,
    quick ? 1 : 2,
    async (subject) => ({ restart: await restartOnce(subject, slots) }),
    quick,
  )
  say('restart after one SIGKILL after the other')
  const slotsAgain = quick ? 1 : 10
  const again = await interleaved(
    subjects,
    1,
    async (subject) => {
      const samples = await restartOnce(subject, slotsAgain, { upMs: UP_BETWEEN_DEATHS_MS, deaths: quick ? 2 : 3 })
      const later = samples.slice(slotsAgain)
      return { again: later, slowest: [Math.max(...later)] }
    },
    quick,
  )
  return [
    { title: 'restart: SIGKILL of an up slot → new process', unit: 'ms', budget: 10, cells: first('restart') },
    { title: 'restart: one more SIGKILL, 6 s after the last', unit: 'ms', budget: 10, cells: again('again') },
    { title: 'restart: the slowest of these', unit: 'ms', budget: null, cells: again('slowest') },
  ]
}

/**
 * Kills each of `slots` slots `deaths` times, each time when all have been up for `upMs`.
 * @returns ms until its new process runs, for each kill in their order
 */
export async function restartOnce(
  subject: Subject,
  slots: number,
  { upMs = UP_MS, deaths = 1 }: { readonly upMs?: number; readonly deaths?: number } = {},
): Promise<number[]> {
  await using instance = await Instance.start(subject, { slots })
  await instance.allStarted()
  const samples: number[] = []
  for (let death = 0; death < deaths; death++) {
    await new Promise((resolve) => setTimeout(resolve, upMs))
    for (const { name } of instance.services) samples.push(await killed(instance, name))
  }
  await instance.stop()
  return samples
}

/** @returns ms from the SIGKILL to the first act of the next process */
async function killed(instance: Instance, name: string): Promise<number> {
  const inside = await instance.marks.when(
    `${name} to run`,
    (seen) => seen.findLast((mark) => mark.service === name)?.pid,
  )
  const outside = instance.pid1.outsidePid(inside)
  if (outside === undefined) throw new Error(`${name} does not run`)
  const before = instance.marks.count
  const killedAtMs = performance.now()
  process.kill(outside, 'SIGKILL')
  const again = await instance.marks.when(`${name} to run again`, (seen) =>
    seen.slice(before).find((mark) => mark.service === name),
  )
  return again.atMs - killedAtMs
}
