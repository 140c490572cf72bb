import { uptime } from 'node:os'
import { connectControl } from '../../control/client.ts'
import { heartbeat } from '../../control/heartbeat.ts'
import { isDatabaseVariable } from '../../system/dashboard-secrets.ts'
import { EXIT, errorLine, HermesError } from '../../system/errors.ts'
import type { Level } from '../../system/level.ts'
import { announceReady } from '../../system/notify.ts'
import { runPaths } from '../../system/paths.ts'
import type { Environment } from '../../system/programs/install.ts'
import { oneLine } from '../../system/text/foreign-text.ts'
import type { Installation } from '../installation.ts'
import { identityOf, type NodeIdentity } from '../nodes/identity.ts'
import { ownLease } from '../nodes/own-lease.ts'
import { findBoards } from '../store/boards.ts'
import { serveBoards } from './board-server.ts'
import { Dispatcher } from './dispatcher.ts'

export interface DispatcherFacts extends Installation {
  readonly controlSocket: string
  readonly runDir: string
  /** Address of the database, if init has handed it over. */
  readonly database?: string | undefined
  readonly env: Environment
  readonly version: string
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

/** The slot's notification fd. */
const READY_FD = 3

/** Exports of this program's bundle; the command line loads it on demand. */
export interface DispatcherBundle {
  dispatcherProgram(facts: Omit<DispatcherFacts, 'version'>): Promise<number>
}

/** Runs until TERM, INT, HUP or QUIT. @returns the exit code */
export async function runDispatcher(facts: DispatcherFacts): Promise<number> {
  const { home, controlSocket, runDir, clock, host, env, version, builtIn, database, out, err } = facts
  const json = env.LOG_FORMAT === 'json'
  const supervised = env.HERMES_SLOT === 'dispatcher'
  const log = (level: Level, text: string): void => {
    // Another tool may have put anything into a row's assignee.
    const message = oneLine(text)
    const time = new Date(clock.wallMs()).toISOString()
    const line = json ? JSON.stringify({ time, level, component: 'kanban', message }) : message
    ;(level === 'info' ? out : err)(`${line}\n`)
  }
  const hasDatabase = database !== undefined || Object.keys(env).some(isDatabaseVariable)
  // First of all: the boards read who this node is.
  const identity = hasDatabase ? nodeIdentity(facts, log) : undefined
  const boards = await findBoards(facts)
  const path = runPaths(runDir, 'image').boardSocket
  const warn = (text: string): void => log('warn', `kanban dispatcher: ${text}`)
  const server = database === undefined ? undefined : await serveBoards({ boards, path, clock, warn })
  const leases = identity === undefined ? undefined : boards.leases()
  const own =
    identity === undefined || leases === undefined
      ? undefined
      : ownLease({
          ...{ home, env, host, version, clock, controlSocket, identity, leases, log },
          bootMs: () => uptime() * 1000,
          wake: () => dispatcher.wake(),
        })
  const dispatcher = new Dispatcher({
    home,
    boards,
    controlSocket,
    clock,
    host,
    builtIn,
    lease: own?.keeper,
    nodeLabels: env.HERMES_NODE_LABELS,
    log,
    ready: () => {
      if (supervised) announceReady(READY_FD)
    },
  })
  const end = (): void => dispatcher.end()
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const
  for (const signal of signals) process.on(signal, end)
  const endHeartbeat = supervised
    ? heartbeat('dispatcher', () => connectControl(controlSocket, clock), clock)
    : undefined
  const keeping = own?.keeper.run()
  try {
    await dispatcher.run()
    return EXIT.done
  } finally {
    endHeartbeat?.()
    own?.keeper.end()
    // First the connection: a renewal that hangs ends with it.
    await own?.close()
    await keeping
    server?.close()
    await boards.close()
    for (const signal of signals) process.off(signal, end)
  }
}

/** undefined: it has none that can be used, and dispatches nothing; commands reach the board all the same. */
function nodeIdentity(
  { home, env, host }: DispatcherFacts,
  log: (level: Level, text: string) => void,
): NodeIdentity | undefined {
  try {
    return identityOf(home, env, host)
  } catch (error) {
    if (!(error instanceof HermesError)) throw error
    log('error', `kanban dispatcher: nothing is dispatched: ${errorLine(error)}`)
    return undefined
  }
}
