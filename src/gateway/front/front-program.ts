/** `hermes front-port`: one port for the APIs of all profiles, in a helper slot. */
import { connectControl } from '../../control/client.ts'
import { heartbeat } from '../../control/heartbeat.ts'
import { FRONT_PORT } from '../../profile/names.ts'
import { type Clock, inTime } from '../../system/clock.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import type { Level } from '../../system/level.ts'
import { type Address, addressText } from '../../system/net/address.ts'
import { announceReady } from '../../system/notify.ts'
import type { RunPaths } from '../../system/paths.ts'
import { type Environment, isImageInstall } from '../../system/programs/install.ts'
import { holderText } from '../../system/programs/port-holder.ts'
import { oneLine } from '../../system/text/foreign-text.ts'
import { type FrontServer, frontServer } from './server.ts'
import { frontSettings } from './settings.ts'

export interface FrontPortFacts {
  readonly home: string
  /** Directory that holds bin/ and lib/. */
  readonly install: string
  readonly paths: RunPaths
  readonly clock: Clock
  readonly env: Environment
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

/** Exports of this program's bundle; the command line loads it on demand. */
export interface FrontPortBundle {
  frontPortProgram(facts: FrontPortFacts): Promise<number>
}

/** The slot's notification fd. */
const READY_FD = 3
/** Shorter than the slot's stop time-out, after which it is killed. */
const DRAIN_MS = 8_000

/** Runs until TERM, INT, HUP or QUIT, then lets the answers that are on their way end. @returns the exit code */
export async function runFrontPort({ home, install, paths, clock, env, out, err }: FrontPortFacts): Promise<number> {
  const json = env.LOG_FORMAT === 'json'
  const log = (level: Level, text: string): void => {
    const message = oneLine(text)
    const time = new Date(clock.wallMs()).toISOString()
    const line = json ? JSON.stringify({ time, level, component: FRONT_PORT, message }) : `${FRONT_PORT}: ${message}`
    ;(level === 'info' ? out : err)(`${line}\n`)
  }
  if (env.HERMES_SLOT !== FRONT_PORT)
    throw new HermesError('REFUSED', 'the front port runs in its slot, which is there with HERMES_FRONT_PORT', {
      next: 'set HERMES_FRONT_PORT in the environment of the container, and create it anew',
    })
  const settings = frontSettings(env, isImageInstall(install))
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>()
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const
  for (const signal of signals) process.on(signal, stop)
  const endHeartbeat = heartbeat(FRONT_PORT, () => connectControl(paths.controlSocket, clock), clock)
  try {
    const { server, drain } = frontServer({
      home,
      failed: (error) => log('error', `a request went wrong: ${(error as Error).stack}`),
    })
    await listening(server, settings)
    announceReady(READY_FD)
    log('info', `ready on ${addressText(settings)}`)
    await stopped
    const drained = drain()
    if (await inTime(clock, DRAIN_MS, drained)) return EXIT.done
    server.closeAllConnections()
    await drained
    return EXIT.done
  } finally {
    endHeartbeat()
    for (const signal of signals) process.off(signal, stop)
  }
}

/** @throws HermesError that names the owner of the port; the slot tries again after its backoff */
const listening = (server: FrontServer['server'], address: Address): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === 'EADDRINUSE'
      const what = isTaken ? `it is in use by ${holderText(address.port)}` : error.message
      reject(
        new HermesError('FAILED', `the front port cannot listen on ${addressText(address)}: ${what}`, {
          // Not parked: the other owner may free the port.
          ...(!isTaken && { exitCode: EXIT.configuration }),
          next: 'set HERMES_FRONT_PORT and HERMES_FRONT_HOST for the container, or stop the other program',
        }),
      )
    })
    server.listen({ ...address, backlog: 1024 }, resolve)
  })
