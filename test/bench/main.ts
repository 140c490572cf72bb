// npm run bench: ours and every peer that is installed here, in one run.   [--quick | --long] [--pm2 DIR] [--only TEXT] [--install DIR] [--out FILE]
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, release, tmpdir, totalmem } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { whyNoNamespace } from '../support/supervisor/namespace.ts'
import { dashboard } from './dashboard.ts'
import { dashboardPage } from './dashboard-page.ts'
import { gatewayApi } from './gateway-api.ts'
import { kanban } from './kanban.ts'
import type { Effort, Row } from './row.ts'
import { bootAndStop } from './rows/boot-and-stop.ts'
import { commands } from './rows/commands.ts'
import { crashLoop } from './rows/crash-loop.ts'
import { latency } from './rows/latency.ts'
import { log } from './rows/log.ts'
import { manySlots } from './rows/many-slots.ts'
import { memory } from './rows/memory.ts'
import { restart } from './rows/restart.ts'
import { services } from './rows/services.ts'
import { status } from './rows/status.ts'
import { takeover } from './rows/takeover.ts'
import type { Found, Subject } from './subject.ts'
import { hermes } from './subjects/hermes.ts'
import { pm2 } from './subjects/pm2.ts'
import { runit } from './subjects/runit.ts'
import { s6, s6WithLog } from './subjects/s6.ts'
import { supervisord } from './subjects/supervisord.ts'
import { table } from './table.ts'

const root = dirname(dirname(import.meta.dirname))
const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    long: { type: 'boolean', default: false },
    pm2: { type: 'string' },
    only: { type: 'string' },
    install: { type: 'string', default: join(root, 'dist') },
    out: { type: 'string', default: join(root, 'bench-results.json') },
  },
})

const say = (line: string): void => void process.stderr.write(`${line}\n`)
const why = whyNoNamespace()
if (why !== undefined) {
  say(`bench: every supervisor is run as PID 1 of a namespace of its own, which is not possible here: ${why}`)
  process.exit(1)
}

const scratch = mkdtempSync(join(tmpdir(), 'hermes-bench-ours-'))
chmodSync(scratch, 0o755)
// A Node of their own: on ours they would share most of their memory with this program, as they do not in a container.
const node = join(scratch, 'node')
mkdirSync(node)
copyFileSync(process.execPath, join(node, 'node'))
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }))
const found: readonly Found[] = [
  hermes(resolve(values.install), scratch, node),
  s6(),
  s6WithLog(),
  runit(),
  supervisord(),
  pm2(values.pm2 ?? process.env.HERMES_BENCH_PM2, node),
]
const subjects = found.filter((one): one is Subject => !('missing' in one))
const missing = found.filter((one): one is Extract<Found, { missing: string }> => 'missing' in one)
for (const { name, version } of subjects) say(`measuring ${name} (${version})`)
for (const { name, missing: reason } of missing) say(`left out ${name}: ${reason}`)

const effort: Effort = {
  quick: values.quick,
  long: values.long,
  say: (line) => say(`  ${((performance.now() - startedAtMs) / 1000).toFixed(0)} s: ${line}`),
}
const startedAtMs = performance.now()
const ours = subjects.find(({ name }) => name === 'hermes')
// The pair with s6-log differs from s6 only where logs are.
const plain = subjects.filter(({ name }) => name !== 's6+s6-log')
const plans: readonly (readonly [string, () => Promise<Row[]>])[] = [
  ['boot stop', () => bootAndStop(subjects, effort)],
  ['restart', () => restart(plain, effort)],
  ['log', () => log(subjects, effort)],
  ['memory', () => memory(subjects, effort)],
  ['status', () => status(plain, effort)],
  ['commands', async () => (ours === undefined ? [] : commands(ours.name, resolve(values.install), effort))],
  ['latency', async () => (ours === undefined ? [] : latency(ours, effort))],
  ['takeover', async () => (ours === undefined ? [] : takeover(ours, effort))],
  ['many', async () => (ours === undefined ? [] : manySlots(ours, effort))],
  ['services', async () => (ours === undefined ? [] : services(ours.name, resolve(values.install), effort))],
  ['crash', () => crashLoop(plain, effort)],
  ['gateway', () => gatewayApi(resolve(values.install), effort)],
  ['dashboard', () => dashboard(resolve(values.install), effort)],
  ['page', () => dashboardPage(resolve(values.install), effort)],
  ['kanban', () => kanban(resolve(values.install), effort)],
]

const rows: Row[] = []
const failures: string[] = []
for (const [name, measure] of plans) {
  if (values.only !== undefined && !name.includes(values.only)) continue
  try {
    rows.push(...(await measure()))
  } catch (error) {
    failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

const names = subjects.map(({ name }) => name)
process.stdout.write(`${table(rows, names)}\n`)
process.stdout.write('Medians; (×n): times what ours takes. –: not measured, see the JSON.\n')
for (const failure of failures) process.stdout.write(`failed: ${failure}\n`)
const machine = {
  cpus: cpus().length,
  model: cpus()[0]?.model ?? '',
  memoryMb: Math.round(totalmem() / 1e6),
  kernel: release(),
  node: process.versions.node,
}
writeFileSync(
  values.out,
  `${JSON.stringify({ at: new Date().toISOString(), machine, quick: values.quick, subjects: subjects.map(({ name, version }) => ({ name, version })), missing, rows, failures }, null, 2)}\n`,
)
process.stdout.write(`${values.out}\n`)
process.exitCode = failures.length === 0 ? 0 : 1
