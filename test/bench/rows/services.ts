import { startMany, upTimes } from '../../support/supervisor/many-services.ts'
import { cell, type Effort, type Row } from '../row.ts'

/** Ours alone: 200 services of an image, 10 deep, that need no time of their own. */
export async function services(name: string, install: string, { quick, say }: Effort): Promise<Row[]> {
  const order: number[] = []
  const whole: number[] = []
  for (let round = 0; round < (quick ? 1 : 3); round++) {
    say(`200 services, round ${round + 1}`)
    const startedAtMs = Date.now()
    await using box = await startMany('yaml', install)
    const times = [...(await upTimes(box)).values()]
    order.push(Math.max(...times) - Math.min(...times))
    whole.push(Math.max(...times) - startedAtMs)
  }
  const row = (title: string, budget: number | null, samples: readonly number[]): Row => ({
    title: `200 services, 10 deep: ${title}`,
    unit: 'ms',
    budget,
    cells: { [name]: cell(samples) },
  })
  return [row('first up → all up', 2000, order), row('PID 1 → all up', null, whole)]
}
