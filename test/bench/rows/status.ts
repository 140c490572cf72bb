import { Instance } from '../instance.ts'
import { cell, type Effort, type Row } from '../row.ts'
import type { Subject } from '../subject.ts'

/** "How is this service?", as a command, beside the least that a Node program costs. */
export async function status(subjects: readonly Subject[], { quick, say }: Effort): Promise<Row[]> {
  say('status commands')
  const running: Instance[] = []
  try {
    for (const subject of subjects) {
      const instance = await Instance.start(subject, { slots: 3 })
      running.push(instance)
      await instance.allStarted()
    }
    const samples = new Map<string, number[]>()
    const add = (name: string, ms: number): void => void samples.set(name, [...(samples.get(name) ?? []), ms])
    for (let round = 0; round < (quick ? 2 : 15); round++) {
      for (const instance of running) {
        const { name } = instance.subject
        const command = instance.status('s0')
        const uid = name === 'hermes' && process.getuid?.() === 0 ? { uid: 10_000 } : {}
        const { ms, code } = await instance.inside(command, uid)
        if (name === 'hermes' && code !== 0 && round > 0) throw new Error(`${command.join(' ')}: exit ${code}`)
        add(name, ms)
        if (name !== 'hermes') continue
        add('as root', (await instance.inside(command)).ms)
        add('node -e 0', (await instance.inside([process.execPath, '-e', '0'], uid)).ms)
      }
    }
    const of = (name: string): Row['cells'][string] => cell(samples.get(name) ?? [])
    const cells = Object.fromEntries(subjects.map(({ name }) => [name, of(name)]))
    const rows: Row[] = [{ title: 'status of one service, the command', unit: 'ms', budget: null, cells }]
    if (!samples.has('node -e 0')) return rows
    const node = of('node -e 0')
    const ours = of('hermes')
    const ratio = 'median' in node && 'median' in ours ? ours.median / node.median : Number.NaN
    return [
      ...rows,
      { title: 'hermes gateway status ÷ node -e 0', unit: '×', budget: 1.5, cells: { hermes: cell([ratio]) } },
      { title: 'node -e 0, for comparison', unit: 'ms', budget: null, cells: { hermes: node } },
      {
        title: 'hermes gateway status as root (drops first)',
        unit: 'ms',
        budget: null,
        cells: { hermes: of('as root') },
      },
    ]
  } finally {
    for (const instance of running) await instance[Symbol.asyncDispose]()
  }
}
