import { dirname, join } from 'node:path'
import { startServices } from '../../support/supervisor/service-box.ts'
import { timedInside } from '../instance.ts'
import { cell, type Effort, type Row } from '../row.ts'
import { median } from '../statistics.ts'

const HERMES = '/opt/hermes/bin/hermes'
const S6_SVC = join(import.meta.dirname, '..', '..', '..', 'docker', 'rootfs', 'command', 's6-svc')
const UID = 10_000
/** Of `node -e 0`, whose CPU time varies by a tenth between runs. */
const BUDGET = 1.25

const COMMANDS = [
  ['hermes gateway status', [HERMES, 'gateway', 'status']],
  ['hermes gateway stop', [HERMES, 'gateway', 'stop']],
  ['hermes gateway start', [HERMES, 'gateway', 'start']],
  ['s6-svc -y', [S6_SVC, '-y', '/run/service/service-web']],
] as const
const CHECK = [HERMES, 'healthcheck'] as const

/**
 * CPU time of the commands that scripts run all day, beside the least that a Node program costs, as the runtime user
 * and as root, who drops first. CPU and not wall time: a start and a stop wait for the gateway.
 */
export async function control(name: string, install: string, { quick, say }: Effort): Promise<Row[]> {
  say('control commands')
  await using box = await startServices({
    etc: { 'services.d/web/run': '#!/bin/sh\nexec sleep 1000000\n' },
    prepare: `printf 'gateway:\\n  command: [sleep, "1000000"]\\n  ready_after: 1ms\\n' >$home/config.yaml`,
    install,
  })
  await box.up('web')
  const env = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, HERMES_HOME: box.home }
  const cpuMs = new Map<string, number[]>()
  const measure = async (key: string, argv: readonly string[], as: 'root' | 'user'): Promise<void> => {
    const timed = await timedInside(box.pid1.pid, argv, { env, ...(as === 'user' && { uid: UID }) })
    cpuMs.set(key, [...(cpuMs.get(key) ?? []), timed.cpuMs])
    // A gateway that was stopped by the command before is 1 for status.
    if (timed.code !== 0 && argv.at(-1) !== 'status') throw new Error(`${argv.join(' ')}: exit ${timed.code}`)
  }
  for (let round = 0; round < (quick ? 2 : 25); round++) {
    await measure('node', [process.execPath, '-e', '0'], 'user')
    for (const as of ['user', 'root'] as const) {
      for (const [title, argv] of COMMANDS) await measure(`${title} ${as}`, argv, as)
      // The good path needs the image's layout, which this box has.
      await measure(`check ${as}`, CHECK, as)
    }
  }
  const mean = (key: string): number => {
    const found = cpuMs.get(key) ?? []
    return found.reduce((sum, one) => sum + one, 0) / found.length
  }
  const ratios = COMMANDS.flatMap(([title]) =>
    (['user', 'root'] as const).map((as): Row => {
      const ratio = mean(`${title} ${as}`) / mean('node')
      const who = as === 'root' ? ' as root' : ''
      return { title: `${title}${who} ÷ node -e 0, CPU`, unit: '×', budget: BUDGET, cells: { [name]: cell([ratio]) } }
    }),
  )
  const check = median(['check user', 'check root'].map(mean))
  return [...ratios, { title: 'hermes healthcheck, CPU', unit: 'ms', budget: 5, cells: { [name]: cell([check]) } }]
}
