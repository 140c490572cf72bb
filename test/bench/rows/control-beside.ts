import { Instance } from '../instance.ts'
import { cell, type Effort, type Row } from '../row.ts'
import type { Subject } from '../subject.ts'

const VERBS = ['stop', 'start'] as const
/** Of `node -e 0` in a container of ours. */
const BUDGET = 1.25

/**
 * Stops and starts one service of three, with the command of each supervisor, as root in its container; beside it the
 * least that a Node program takes there. Wall time is what a user waits, CPU what the command itself costs.
 */
export async function controlBeside(subjects: readonly Subject[], { quick, say }: Effort): Promise<Row[]> {
  say('control')
  const running: Instance[] = []
  const samples = new Map<string, number[]>()
  const add = (key: string, value: number): void => void samples.set(key, [...(samples.get(key) ?? []), value])
  try {
    for (const subject of subjects) {
      const instance = await Instance.start(subject, { slots: 3 })
      running.push(instance)
      await instance.allStarted()
    }
    for (let round = 0; round < (quick ? 1 : 30); round++) {
      for (const instance of round % 2 === 0 ? running : running.toReversed()) {
        const { name } = instance.subject
        if (name === 'hermes') add('node', (await instance.inside(['node', '-e', '0'])).cpuMs)
        for (const verb of VERBS) {
          const command = instance.control(verb, 's1')
          const { ms, cpuMs, code } = await instance.inside(command)
          if (code !== 0) throw new Error(`${name}: ${command.join(' ')}: exit ${code}`)
          add(`${verb} ms ${name}`, ms)
          add(`${verb} CPU ${name}`, cpuMs)
        }
      }
    }
    const cells = (key: string): Row['cells'] =>
      Object.fromEntries(subjects.map(({ name }) => [name, cell(samples.get(`${key} ${name}`) ?? [])]))
    return VERBS.flatMap((verb): Row[] => [
      { title: `control: ${verb} one service, the command`, unit: 'ms', budget: null, cells: cells(`${verb} ms`) },
      {
        title: `control: ${verb}, CPU ÷ node -e 0`,
        unit: '×',
        budget: BUDGET,
        cells: Object.fromEntries(
          subjects.map(({ name }) => [name, cell([mean(samples, `${verb} CPU ${name}`) / mean(samples, 'node')])]),
        ),
      },
    ])
  } finally {
    for (const instance of running) await instance[Symbol.asyncDispose]()
  }
}

/** The kernel tells CPU time of children in steps of 10 ms, so only the mean of many means something. */
function mean(samples: ReadonlyMap<string, readonly number[]>, key: string): number {
  const found = samples.get(key) ?? []
  return found.reduce((sum, one) => sum + one, 0) / found.length
}
