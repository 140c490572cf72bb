import { dirname, join } from 'node:path'
import { startServices } from '../../support/supervisor/service-box.ts'
import { timedInside } from '../instance.ts'
import { cell, type Effort, type Row } from '../row.ts'
import { onPath } from '../subjects/on-path.ts'

const COMMANDS = join(import.meta.dirname, '..', '..', '..', 'docker', 'rootfs', 'command')
const SLOT = '/run/service/service-web'
const STORE = '/run/s6/container_environment'
const UID = 10_000

interface Command {
  readonly title: string
  readonly ours: readonly string[]
  /** Debian's, on the same slot; absent: it has none. */
  readonly theirs?: readonly string[]
  readonly as?: 'root'
}

const slotCommand = (name: string, ...options: readonly string[]): Command => ({
  title: [name, ...options, 'SLOT'].join(' '),
  ours: [name, ...options, SLOT],
  theirs: [name, ...options, SLOT],
})

const list: readonly Command[] = [
  slotCommand('s6-svstat'),
  { ...slotCommand('s6-svstat'), title: 's6-svstat SLOT as root (ours drops first)', as: 'root' },
  slotCommand('s6-svc', '-y'),
  slotCommand('s6-svwait', '-u'),
  {
    title: 's6-setuidgid daemon true',
    ours: ['s6-setuidgid', 'daemon', 'true'],
    theirs: ['s6-setuidgid', 'daemon', 'true'],
    as: 'root',
  },
  { title: 'with-contenv true', ours: ['with-contenv', 'true'], theirs: ['s6-envdir', '-Lf', '--', STORE, 'true'] },
  { title: 'printcontenv HERMES_HOME', ours: ['printcontenv', 'HERMES_HOME'] },
]

/**
 * What one of s6's commands costs, ours and Debian's, on a slot that is up, beside the least that a Node program costs.
 */
export async function commands(name: string, install: string, { quick, say }: Effort): Promise<Row[]> {
  say('s6 commands')
  await using box = await startServices({
    etc: { 'services.d/web/run': '#!/bin/sh\nexec sleep 1000000\n' },
    install,
  })
  await box.up('web')
  const env = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` }
  const samples = new Map<string, number[]>()
  const measure = async (key: string, argv: readonly string[], as: 'root' | undefined): Promise<void> => {
    const { ms, code } = await timedInside(box.pid1.pid, argv, { env, ...(as === undefined && { uid: UID }) })
    if (code !== 0) throw new Error(`${argv.join(' ')}: exit ${code}`)
    samples.set(key, [...(samples.get(key) ?? []), ms])
  }
  for (let round = 0; round < (quick ? 2 : 15); round++) {
    await measure('node', [process.execPath, '-e', '0'], undefined)
    for (const { title, ours, theirs, as } of list) {
      const [program = '', ...args] = ours
      await measure(`ours ${title}`, [join(COMMANDS, program), ...args], as)
      if (theirs !== undefined && onPath(theirs[0] ?? '') !== undefined) await measure(`theirs ${title}`, theirs, as)
    }
  }
  const of = (key: string): Row['cells'][string] | undefined => {
    const found = samples.get(key)
    return found === undefined ? undefined : cell(found)
  }
  const rows: Row[] = list.map(({ title }) => {
    const [ours, theirs] = [of(`ours ${title}`), of(`theirs ${title}`)]
    return { title, unit: 'ms', budget: null, cells: { ...(ours && { [name]: ours }), ...(theirs && { s6: theirs }) } }
  })
  const medianOf = (key: string): number => {
    const found = of(key)
    return found !== undefined && 'median' in found ? found.median : Number.NaN
  }
  const ratio = medianOf('ours s6-svstat SLOT') / medianOf('node')
  return [{ title: 's6-svstat ÷ node -e 0', unit: '×', budget: 1.5, cells: { [name]: cell([ratio]) } }, ...rows]
}
