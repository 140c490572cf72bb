// The dashboard: what 50 viewers of 20 loud slots cost the supervisor, how soon a browser sees a death, and memory.
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pageToken, type RunningDashboard, startDashboard } from '../support/dashboard/dashboard.ts'
import { readEvents } from '../support/dashboard/event-stream.ts'
import { type RunningHermes, startHermes } from '../support/hermes.ts'
import { waitFor } from '../support/wait.ts'
import { cell, type Effort, type Row } from './row.ts'
import { roundTrips } from './rows/latency.ts'
import { quantile } from './statistics.ts'

const LOUD = { command: ['sh', '-c', `exec yes ${'x'.repeat(99)}`], ready_after: '50ms' }
const QUIET = { command: ['sleep', '1000000'], ready_after: '50ms', restart_delay: { first: '10ms', max: '20ms' } }

/** @param install tree with bin/ and lib/ */
export async function dashboard(install: string, { quick, say }: Effort): Promise<Row[]> {
  const [slots, viewers] = quick ? [4, 10] : [20, 50]
  say(`dashboard: ${viewers} viewers of ${slots} loud slots`)
  const loud = Array.from({ length: slots }, (_, i) => ({ name: `loud${i}`, gateway: LOUD }))
  await using hermes = await startHermes({ profiles: [{ name: 'quiet', gateway: QUIET }, ...loud], install })
  await using running = await startDashboard(hermes, { install })
  const token = pageToken((await running.ask('/login')).body)
  const idleMb = pssMb(running)
  const socket = join(hermes.runDir, 'control.sock')
  const asks = quick ? 50 : 500
  const alone = await roundTrips(socket, asks)
  const watching = await watch(running, token, viewers, slots)
  const watched = await roundTrips(socket, asks)
  const seen = await deaths(hermes, running, token, quick ? 3 : 20)
  const busyMb = pssMb(running)
  watching.kill('SIGKILL')
  const title = `control: status while ${slots} slots log at full speed`
  const ours = (samples: readonly number[]): Row['cells'] => ({ hermes: cell(samples) })
  return [
    { title: `${title}, p99`, unit: 'ms', budget: null, cells: ours([quantile(alone, 0.99)]) },
    {
      title: `${title} and ${viewers} browsers follow, p99`,
      unit: 'ms',
      budget: 30,
      cells: ours([quantile(watched, 0.99)]),
    },
    {
      title: 'dashboard: from a kill to the event in a browser, meanwhile',
      unit: 'ms',
      budget: 200,
      cells: ours(seen),
    },
    { title: 'dashboard, PSS', unit: 'MB', budget: 60, cells: ours([idleMb]) },
    { title: `dashboard with ${viewers} viewers, PSS`, unit: 'MB', budget: 60, cells: ours([busyMb]) },
  ]
}

/** In a process of their own: what they take must not be taken for the supervisor's. */
async function watch({ port }: RunningDashboard, token: string, viewers: number, slots: number): Promise<ChildProcess> {
  const program = `
    const { request } = require('node:http')
    let begun = 0
    for (let i = 0; i < ${viewers}; i++) {
      const path = '/api/profiles/loud' + (i % ${slots}) + '/logs/follow'
      const headers = { 'X-Hermes-Token': ${JSON.stringify(token)} }
      request({ host: '127.0.0.1', port: ${port}, path, headers, agent: false }, (response) => {
        response.once('data', () => ++begun === ${viewers} && process.stdout.write('all'))
        response.resume()
      }).end()
    }`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  await waitFor('all viewers to read', () => said === 'all', { deadlineMs: 60_000 })
  return child
}

async function deaths(
  hermes: RunningHermes,
  { port }: RunningDashboard,
  token: string,
  rounds: number,
): Promise<readonly number[]> {
  using reader = await readEvents(port, '/api/events', { 'X-Hermes-Token': token })
  const samples: number[] = []
  for (let round = 0; round < rounds; round++) {
    const { pid } = await waitFor('the slot to be up', async () => {
      const slot = await hermes.slot('gateway-quiet')
      return slot?.state === 'up' && slot
    })
    const seen = reader.events.length
    const startedAtMs = performance.now()
    process.kill(pid ?? 0, 'SIGKILL')
    await waitFor('the event', () =>
      reader.events
        .slice(seen)
        .some(({ event, data }) => event === 'slot' && data.slot.slot === 'gateway-quiet' && data.slot.pid !== pid),
    )
    samples.push(performance.now() - startedAtMs)
  }
  return samples
}

const pssMb = ({ child }: RunningDashboard): number =>
  (Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/smaps_rollup`, 'utf8'))?.[1]) * 1024) / 1e6
