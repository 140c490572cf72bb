// npm run bench: ours and every peer that is installed here, in one run.
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, release, tmpdir, totalmem } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { whyNoEngine } from '../support/container/engine.ts'
import { buildImage } from '../support/container/image.ts'
import { whyNoNamespace } from '../support/supervisor/namespace.ts'
import { dashboard } from './dashboard.ts'
import { dashboardPage } from './dashboard-page.ts'
import { kanban } from './kanban.ts'
import { besideOlder, isAbove, ratioTable } from './older.ts'
import { queues } from './queues.ts'
import type { Effort, Row } from './row.ts'
import { bootAndStop } from './rows/boot-and-stop.ts'
import { commands } from './rows/commands.ts'
import { control } from './rows/control.ts'
import { controlBeside } from './rows/control-beside.ts'
import { crashLoop } from './rows/crash-loop.ts'
import { deafStop } from './rows/deaf-stop.ts'
import { gatewayApi } from './rows/gateway/api.ts'
import { meter } from './rows/gateway/meter.ts'
import { latency } from './rows/latency.ts'
import { log } from './rows/log.ts'
import { manySlots } from './rows/many-slots.ts'
import { memory } from './rows/memory.ts'
import { restart } from './rows/restart.ts'
import { services } from './rows/services.ts'
import { status } from './rows/status.ts'
import { takeover } from './rows/takeover.ts'
import type { Found, Subject } from './subject.ts'
import { hermes, hermesImage } from './subjects/hermes.ts'
import { peersInContainers } from './subjects/peers-image.ts'
import { pm2 } from './subjects/pm2.ts'
import { runit } from './subjects/runit.ts'
import { s6, s6WithLog } from './subjects/s6.ts'
import { supervisord } from './subjects/supervisord.ts'
import { tini } from './subjects/tini.ts'
import { table } from './table.ts'

const root = dirname(dirname(import.meta.dirname))
const USAGE = `usage: npm run bench -- [options]
  --quick, --long        fewer or more rounds
  --only TEXT            only the rows whose name contains it
  --out FILE             where the results go; default: bench-results.json
  --pm2 DIR              also pm2, installed there
  --queues DIR           also pg-boss and graphile-worker, installed there
  --install DIR          compare with an older build: its dist/
  --strict               with --install: exit with 1 when a ratio is above its bound
  --container            in real containers instead of namespaces
  --old-image NAME       with --container: also an older image
`

const values = readOptions()

const say = (line: string): void => void process.stderr.write(`${line}\n`)
const why = values.container ? await whyNoEngine() : whyNoNamespace()
if (why !== undefined) {
  say(
    values.container
      ? `bench: no Docker engine answers (${why}); start one, or run without --container`
      : `bench: every supervisor is run as PID 1 of a namespace of its own, which is not possible here: ${why}`,
  )
  process.exit(1)
}

const dist = join(root, 'dist')
const scratch = mkdtempSync(join(tmpdir(), 'hermes-bench-ours-'))
chmodSync(scratch, 0o755)
// A Node of their own: on ours they would share most of their memory with this program, as they do not in a container.
const node = join(scratch, 'node')
mkdirSync(node)
copyFileSync(process.execPath, join(node, 'node'))
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }))
const effort: Effort = {
  quick: values.quick,
  long: values.long,
  say: (line) => say(`  ${((performance.now() - startedAtMs) / 1000).toFixed(0)} s: ${line}`),
}
const startedAtMs = performance.now()

if (values.install !== undefined) {
  const [older, ours] = [hermes(resolve(values.install), scratch, node, 'older'), hermes(dist, scratch, node)]
  for (const one of [older, ours]) {
    if (!('missing' in one)) continue
    say(`bench: ${one.missing}`)
    process.exit(1)
  }
  const ratios = await besideOlder(older as Subject, ours as Subject, effort, values.only ?? '')
  process.stdout.write(`${ratioTable(ratios)}\n`)
  writeFileSync(
    values.out,
    `${JSON.stringify({ at: new Date().toISOString(), older: values.install, ratios }, null, 2)}\n`,
  )
  process.exit(values.strict && ratios.some(isAbove) ? 1 : 0)
}

const found: readonly Found[] = values.container
  ? [
      hermesImage(await buildImage(say)),
      ...(values['old-image'] === undefined ? [] : [hermesImage(values['old-image'], 'older')]),
      ...(await peersInContainers(say)),
    ]
  : [
      hermes(dist, scratch, node),
      s6(),
      s6WithLog(),
      runit(),
      supervisord(),
      pm2(values.pm2 ?? process.env.HERMES_BENCH_PM2, node),
      tini(),
    ]
const subjects = found.filter((one): one is Subject => !('missing' in one))
const missing = found.filter((one): one is Extract<Found, { missing: string }> => 'missing' in one)
for (const { name, version } of subjects) say(`measuring ${name} (${version})`)
for (const { name, missing: reason } of missing) say(`left out ${name}: ${reason}`)

const ours = subjects.find(({ name }) => name === 'hermes')
// tini is the floor of a boot, a stop and of memory; it does none of the rest.
const supervising = subjects.filter(({ name }) => name !== 'tini')
// The pair with s6-log differs from s6 only where logs are.
const plain = supervising.filter(({ name }) => name !== 's6+s6-log')
type Plans = readonly (readonly [string, () => Promise<Row[]>])[]
const everywhere: Plans = [
  ['boot stop', () => bootAndStop(subjects, effort)],
  ['deaf stop', () => deafStop(plain, effort)],
  ['restart', () => restart(plain, effort)],
  ['memory', () => memory(subjects, effort)],
]
const inContainers: Plans = [['control', () => controlBeside(plain, effort)]]
const inNamespaces: Plans = [
  ['log', () => log(supervising, effort)],
  ['status', () => status(plain, effort)],
  ['commands', async () => (ours === undefined ? [] : commands(ours.name, dist, effort))],
  ['control', async () => (ours === undefined ? [] : control(ours.name, dist, effort))],
  ['latency', async () => (ours === undefined ? [] : latency(ours, effort))],
  ['takeover', async () => (ours === undefined ? [] : takeover(ours, effort))],
  ['many', async () => (ours === undefined ? [] : manySlots(ours, effort))],
  ['services', async () => (ours === undefined ? [] : services(ours.name, dist, effort))],
  ['crash', () => crashLoop(plain, effort)],
  ['gateway', () => gatewayApi(dist, effort)],
  ['meter', () => meter(dist, effort)],
  ['dashboard', () => dashboard(dist, effort)],
  ['page', () => dashboardPage(dist, effort)],
  ['kanban', () => kanban(dist, effort)],
  ...(values.queues === undefined ? [] : [['queues', () => queues(values.queues, effort)] as const]),
]

const rows: Row[] = []
const failures: string[] = []
for (const [name, measure] of [...everywhere, ...(values.container ? inContainers : inNamespaces)]) {
  if (values.only !== undefined && !name.includes(values.only)) continue
  try {
    rows.push(...(await measure()))
  } catch (error) {
    failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

// Also what only some rows know: the queues beside a board.
const names = [...new Set([...subjects.map(({ name }) => name), ...rows.flatMap(({ cells }) => Object.keys(cells))])]
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

/** @returns the options; wrong ones end the program with one line and exit code 2 */
function readOptions() {
  try {
    const { values: given } = parseArgs({
      options: {
        help: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        long: { type: 'boolean', default: false },
        pm2: { type: 'string' },
        queues: { type: 'string' },
        only: { type: 'string' },
        install: { type: 'string' },
        strict: { type: 'boolean', default: false },
        container: { type: 'boolean', default: false },
        'old-image': { type: 'string' },
        out: { type: 'string', default: join(root, 'bench-results.json') },
      },
    })
    if (given.help) {
      process.stdout.write(USAGE)
      return process.exit(0)
    }
    if (given.strict && given.install === undefined)
      throw new TypeError('--strict compares with an older build: name its dist/ with --install DIR')
    if (given['old-image'] !== undefined && !given.container)
      throw new TypeError('--old-image compares with an older image: add --container')
    if (given.container && given.install !== undefined)
      throw new TypeError(
        '--install compares builds in namespaces; for containers, name an image with --old-image NAME',
      )
    return given
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\n  next: npm run bench -- --help\n`)
    return process.exit(2)
  }
}
