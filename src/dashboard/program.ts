import { randomBytes } from 'node:crypto'
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { AuditFile } from '../access/audit-file.ts'
import { connectControl } from '../control/client.ts'
import { heartbeat } from '../control/heartbeat.ts'
import { Peers } from '../control/peers.ts'
import type { Installation } from '../kanban/installation.ts'
import { findBoards } from '../kanban/store/boards.ts'
import { FileWatch } from '../kanban/watch/board-watch.ts'
import { DatabaseWatch } from '../kanban/watch/database-watch.ts'
import { profileExists } from '../profile/directory/disk.ts'
import { DATABASE_SECRET } from '../system/dashboard-secrets.ts'
import { EXIT, HermesError } from '../system/errors.ts'
import { SUPERVISED_MARKER } from '../system/markers.ts'
import { addressText } from '../system/net/address.ts'
import { announceReady } from '../system/notify.ts'
import { gatewaySlot } from '../system/paths.ts'
import { buildText, readBuildInfo } from '../system/programs/build-info.ts'
import { type Environment, isImageInstall } from '../system/programs/install.ts'
import { holderText } from '../system/programs/port-holder.ts'
import { plainText, warningLine } from '../system/text/foreign-text.ts'
import { allHandlers } from './api/handlers.ts'
import { ApiTokens } from './auth/api-tokens.ts'
import { AuditLog } from './auth/audit.ts'
import { chooseLoginStorage } from './auth/login-storage.ts'
import { noLogin } from './auth/none.ts'
import { openLogin } from './auth/open.ts'
import { hostName } from './gate/gate.ts'
import { SECURITY_HEADERS } from './gate/headers.ts'
import { PUBLIC } from './gate/public-paths.ts'
import type { RequestFacts } from './gate/request-facts.ts'
import { readHistory } from './history/read.ts'
import { HistoryRecorder } from './history/recorder.ts'
import { dashboardServer } from './http/server.ts'
import { Feed } from './live/feed.ts'
import { LogFollowers } from './live/log-follower.ts'
import { Streams } from './live/streams.ts'
import { usageReader } from './live/usage-reader.ts'
import type { Handed } from './settings/handover.ts'
import { type DashboardOptions, type DashboardSettings, misconfigured, readSettings } from './settings/settings.ts'
import { terminalEnvironment } from './terminal/environment.ts'
import { Terminals } from './terminal/terminals.ts'

export interface DashboardFacts extends Installation {
  /** The directory with bin/ and lib/. */
  readonly install: string
  readonly controlSocket: string
  readonly runDir: string
  readonly env: Environment
  readonly version: string
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly options: DashboardOptions
  /** Data that init has handed over; absent: init has not started this process. */
  readonly handed?: Handed
}

const NOTIFICATION_FD = 3

/** Exports of this program's bundle; the command line loads it on demand. */
export interface DashboardBundle {
  dashboardProgram(facts: Omit<DashboardFacts, 'version'>): Promise<number>
}

/**
 * `hermes dashboard`: serves until TERM or INT.
 * @returns 0
 * @throws HermesError with exit code 78 when the address is not allowed or not available; 1 while the port is in use
 */
export async function runDashboard(facts: DashboardFacts): Promise<number> {
  const { env, out, err } = facts
  const settings = readSettings(facts)
  const { host, port, gate } = settings
  for (const text of settings.warnings) err(warningLine(text))
  if (gate.kind === 'insecure')
    err(warningLine(`the dashboard on ${addressText({ host, port })} is open to anyone who reaches it`))
  const { server, close } = await assemble(facts, settings)
  await listen(server, settings)
  if (env[SUPERVISED_MARKER] === '1') announceReady(NOTIFICATION_FD)
  const supervised = env[SUPERVISED_MARKER] === '1' && env.HERMES_SLOT === 'dashboard'
  const endHeartbeat = supervised
    ? heartbeat('dashboard', () => connectControl(facts.controlSocket, facts.clock), facts.clock)
    : undefined
  out(`hermes: dashboard on http://${addressText({ host, port })}\n`)
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => resolve())
  })
  endHeartbeat?.()
  await close()
  return EXIT.done
}

async function assemble(
  facts: DashboardFacts,
  settings: DashboardSettings,
): Promise<{ server: Server; close(): Promise<void> }> {
  const { home, clock, version, err } = facts
  const build = readBuildInfo(facts.install)
  const { gate, publicApi, outside, terminal, metricsToken, nodeToken, clearText } = settings
  const warn = (text: string): void => err(warningLine(text))
  const connect = () => connectControl(facts.controlSocket, clock)
  const readUsage = usageReader(clock)
  const boards = await findBoards({ ...facts, database: facts.handed?.secrets[DATABASE_SECRET] })
  const onOpen = (session: string): void => tokens.watch(session)
  const streams = new Streams(clock, SECURITY_HEADERS, onOpen)
  const terminals = new Terminals({
    clock,
    command: [join(facts.install, 'bin', 'hermes'), 'chat'],
    cwd: home,
    env: terminalEnvironment(facts.env),
    onOpen,
  })
  const closeOf = (session: string): void => {
    streams.closeOf(session)
    terminals.closeOf(session)
  }
  const api = {
    home,
    clock,
    connect,
    version,
    gate,
    host: facts.host,
    builtIn: facts.builtIn,
    nodeLabels: facts.env.HERMES_NODE_LABELS,
    boards,
    peers: new Peers({ token: nodeToken, clearText, clock }),
    board: facts.env.HERMES_KANBAN_BOARD,
    readUsage,
    warn,
    feed: new Feed({
      connect,
      clock,
      readUsage,
      boards: boards.kept === 'database' ? new DatabaseWatch(boards, clock) : new FileWatch(home),
    }),
    logs: new LogFollowers({ connect, clock }),
    stream: streams.begin,
  }
  const keeping = chooseLoginStorage({
    home,
    clock,
    handed: facts.handed,
    inImage: isImageInstall(facts.install),
    keyFile: facts.env.HERMES_DASHBOARD_KEY_FILE || undefined,
    warn,
  })
  const audit = new AuditLog(home, clock, warn)
  if (gate.kind === 'login') audit.open()
  const changes = new AuditFile({ home, clock, warn })
  const tokens = new ApiTokens({
    clock,
    stored: keeping.tokens,
    audit,
    warn,
    openSessions: () => [...streams.sessions(), ...terminals.sessions()],
    closeOf,
  })
  const access =
    gate.kind === 'login'
      ? await openLogin({ clock, audit, keeping, setting: settings.setting, warn, closeOf })
      : noLogin()
  const app = {
    rules: { gate, list: PUBLIC, publicApi, publicHost: outside.publicUrl && hostName(outside.publicUrl.host) },
    outside,
    headers: SECURITY_HEADERS,
    handlers: allHandlers(api, access.handlers, { list: PUBLIC, publicApi }),
    pageToken: gate.kind === 'login' ? undefined : randomBytes(32).toString('base64url'),
    metricsToken,
    nodeToken,
    recognize: access.recognize,
    ownerOf: (token: string, request: RequestFacts) => tokens.ownerOf(token, request),
    admitted: new WeakSet<Socket>(),
    page: {
      dir: join(facts.install, 'lib', 'dashboard'),
      terminal,
      nodes: boards.kept === 'database',
      build: build && buildText(build),
      host: facts.host,
      historyOf: (profile: string) =>
        profileExists(home, profile) ? { profile, day: readHistory(facts, gatewaySlot(profile)) } : undefined,
    },
    version,
    record: changes.write.bind(changes),
    bug: (error: unknown) => err(plainText(`hermes: a bug: ${error instanceof Error ? error.stack : String(error)}\n`)),
  }
  const server = dashboardServer(app)
  const recorder = new HistoryRecorder(api)
  // A dashboard that cannot listen ends, and its alarm would keep it from that.
  server.once('listening', () => recorder.start())
  terminals.serve(server, app)
  return {
    server,
    async close() {
      recorder.stop()
      streams.closeAll()
      terminals.closeAll()
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
      tokens.close()
      await access.close()
      await audit.close()
      await boards.close()
    },
  }
}

function listen(server: Server, { host, port }: DashboardSettings): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      // Not parked: the other owner may free the port, and the slot tries again after its backoff.
      if (error.code === 'EADDRINUSE')
        return reject(
          new HermesError('FAILED', `port ${port} is already in use by ${holderText(port)}`, {
            next: 'set HERMES_DASHBOARD_PORT to another port, or stop the other program',
          }),
        )
      const why = `the dashboard cannot listen on ${addressText({ host, port })}: ${error.code}`
      const next = 'set HERMES_DASHBOARD_HOST and HERMES_DASHBOARD_PORT to an address of this machine that is free'
      reject(misconfigured(why, next))
    })
    server.listen(port, host, resolve)
  })
}
