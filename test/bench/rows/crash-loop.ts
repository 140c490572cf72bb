import { Instance } from '../instance.ts'
import { type Cell, cell, type Effort, type Row } from '../row.ts'
import type { Subject } from '../subject.ts'

/**
 * CPU of the supervisor while its one slot dies as soon as it starts, measured after the first minute.
 * All subjects run at the same time: what is measured is CPU time, and nearly all of it is waiting.
 */
export async function crashLoop(subjects: readonly Subject[], { quick, say }: Effort): Promise<Row[]> {
  const [firstMs, measuredMs] = quick ? [2_000, 2_000] : [60_000, 60_000]
  say(`crash loop (${(firstMs + measuredMs) / 1000} s, all at once)`)
  const running: Instance[] = []
  try {
    for (const subject of subjects) running.push(await Instance.start(subject, { slots: 1, body: 'exit 1' }))
    await wait(firstMs)
    const before = running.map((instance) => ({ cpuSeconds: instance.cpuSeconds(), starts: instance.marks.count }))
    await wait(measuredMs)
    const cpu: Record<string, Cell> = {}
    const starts: Record<string, Cell> = {}
    for (const [index, instance] of running.entries()) {
      const { name } = instance.subject
      const perMinute = (value: number): Cell => cell([(value * 60_000) / measuredMs])
      cpu[name] = perMinute(instance.cpuSeconds() - (before[index]?.cpuSeconds ?? 0))
      starts[name] = perMinute(instance.marks.count - (before[index]?.starts ?? 0))
    }
    return [
      { title: 'crash loop after the first minute, CPU', unit: 'CPU s/min', budget: 0.05, cells: cpu },
      { title: 'crash loop: starts (0: it has given up)', unit: '1/min', budget: null, cells: starts },
    ]
  } finally {
    for (const instance of running) await instance[Symbol.asyncDispose]()
  }
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
