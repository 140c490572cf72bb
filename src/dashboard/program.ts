import { closeSync, fstatSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { connectControl } from '../control/client.ts'
import { loadConfig } from '../profile/config.ts'
import type { StatusResult } from '../protocol/control.ts'
import type { Clock } from '../system/clock.ts'
import { EXIT, HermesError } from '../system/errors.ts'
import { type Environment, IMAGE_RUN_DIR } from '../system/install.ts'
import { SUPERVISED_MARKER, truthy } from '../system/markers.ts'
import { decideGate } from './gate.ts'
import { dashboardServer } from './server.ts'

export interface DashboardFacts {
  readonly home: string
  readonly runDir: string
  readonly controlSocket: string
  readonly env: Environment
  readonly clock: Clock
  readonly version: string
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  /** `--host`, `--port`, `--insecure`. */
  readonly options: { readonly host?: string; readonly port?: string; readonly insecure?: boolean }
}

const NOTIFICATION_FD = 3
const STATUS_MS = 5_000

/**
 * `hermes dashboard`: serves until TERM or INT.
 * @returns 0
 * @throws HermesError with exit code 78 when it may not, or cannot, listen where it was told
 */
export async function runDashboard(facts: DashboardFacts): Promise<number> {
  const { env, options, out, err } = facts
  const setting = settings(facts)
  const host = options.host ?? setting('HOST') ?? (facts.runDir === IMAGE_RUN_DIR ? '0.0.0.0' : '127.0.0.1')
  const port = parsePort(options.port ?? setting('PORT') ?? '9119')
  const insecure = options.insecure === true || truthy(env.HERMES_DASHBOARD_INSECURE)
  const gate = decideGate({ host, port, insecure, setting })
  if (gate.kind === 'refused') throw refused(gate.why, gate.next)
  if (gate.kind === 'insecure')
    err(`hermes: warning: the dashboard on ${host}:${port} is open to anyone who reaches it\n`)
  const server = dashboardServer({ gate, version: facts.version, status: () => askStatus(facts) })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = `the dashboard cannot listen on ${host}:${port}: ${error.code}`
      reject(
        refused(why, 'set HERMES_DASHBOARD_HOST and HERMES_DASHBOARD_PORT to an address of this machine that is free'),
      )
    })
    server.listen(port, host, resolve)
  })
  announceReady(env)
  out(`hermes: dashboard on http://${host}:${port}\n`)
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => resolve())
  })
  server.close()
  server.closeAllConnections()
  return EXIT.done
}

/** The variable, else the default profile's `dashboard:` key. */
function settings({ env, home }: DashboardFacts): (name: string) => string | undefined {
  const { dashboard } = loadConfig(join(home, 'config.yaml')).config
  return (name) => env[`HERMES_DASHBOARD_${name}`] || dashboard[`HERMES_DASHBOARD_${name}`] || undefined
}

function parsePort(value: string): number {
  const port = Number(value)
  if (/^\d+$/.test(value) && port >= 1 && port <= 65_535) return port
  throw refused(
    `HERMES_DASHBOARD_PORT: expected a port from 1 to 65535, got "${value}"`,
    'set it right, or leave it unset for 9119',
  )
}

const refused = (why: string, next: string): HermesError =>
  new HermesError('REFUSED', why, { next, exitCode: EXIT.configuration })

async function askStatus({ controlSocket, clock }: DashboardFacts): Promise<StatusResult | undefined> {
  try {
    const client = await connectControl(controlSocket, clock)
    try {
      return await client.request('status', {}, { timeoutMs: STATUS_MS })
    } finally {
      client.close()
    }
  } catch (error) {
    if (error instanceof HermesError) return undefined // being restarted, or gone: the page says so
    throw error
  }
}

function announceReady(env: Environment): void {
  if (env[SUPERVISED_MARKER] !== '1') return
  try {
    if (!fstatSync(NOTIFICATION_FD).isFIFO()) return
    writeSync(NOTIFICATION_FD, '\n')
    closeSync(NOTIFICATION_FD)
  } catch (error) {
    if (!['EBADF', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}
