/** The frame of a program that runs in a helper slot: its lines, its signals, its heartbeat, its end. */
import type { Server } from 'node:http'
import { type Clock, inTime } from '../system/clock.ts'
import { EXIT, HermesError } from '../system/errors.ts'
import type { Level } from '../system/level.ts'
import { type Address, addressText } from '../system/net/address.ts'
import { announceReady } from '../system/notify.ts'
import type { RunPaths } from '../system/paths.ts'
import type { Environment } from '../system/programs/install.ts'
import { holderText } from '../system/programs/port-holder.ts'
import { oneLine } from '../system/text/foreign-text.ts'
import { connectControl } from './client.ts'
import { heartbeat } from './heartbeat.ts'

export interface HelperFacts {
  readonly home: string
  readonly paths: RunPaths
  readonly clock: Clock
  readonly env: Environment
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

export type HelperLog = (level: Level, text: string) => void

/** The slot's notification fd. */
const READY_FD = 3
/** Shorter than the slot's stop time-out, after which it is killed. */
const DRAIN_MS = 8_000

/** Lines of a helper: text, or JSON with `LOG_FORMAT=json`. */
export function helperLog(component: string, { env, clock, out, err }: Omit<HelperFacts, 'home' | 'paths'>): HelperLog {
  const json = env.LOG_FORMAT === 'json'
  return (level, text) => {
    const message = oneLine(text)
    const time = new Date(clock.wallMs()).toISOString()
    const line = json ? JSON.stringify({ time, level, component, message }) : `${component}: ${message}`
    ;(level === 'info' ? out : err)(`${line}\n`)
  }
}

export interface HelperLife {
  /** Resolves with TERM, INT, HUP or QUIT. */
  readonly stopped: Promise<void>
  /** The slot is ready. */
  ready(): void
}

/** Runs `work` with the heartbeat of its slot, and takes the signals that end it. */
export async function asHelper<T>(
  component: string,
  { paths, clock }: Pick<HelperFacts, 'paths' | 'clock'>,
  work: (life: HelperLife) => Promise<T>,
): Promise<T> {
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>()
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const
  for (const signal of signals) process.on(signal, stop)
  const endHeartbeat = heartbeat(component, () => connectControl(paths.controlSocket, clock), clock)
  try {
    return await work({ stopped, ready: () => announceReady(READY_FD) })
  } finally {
    endHeartbeat()
    for (const signal of signals) process.off(signal, stop)
  }
}

export interface HelperServer {
  readonly server: Server
  /** Takes no new connection, and resolves when the requests that are at work are over. */
  drain(): Promise<void>
}

/**
 * Serves until the helper is stopped, then lets the requests that are at work end.
 * @param name of the helper in messages: `the meter`
 * @param next what to do where the address cannot be had
 * @param late called before the connections of requests that took too long are closed
 * @throws HermesError that names the owner of the port. The slot tries again after its backoff, because the other owner
 * may free the port; any other trouble with the address parks it
 */
export async function serveAsHelper(
  { server, drain }: HelperServer,
  {
    address,
    name,
    next,
    clock,
    life,
    log,
    late = () => undefined,
  }: {
    readonly address: Address
    readonly name: string
    readonly next: string
    readonly clock: Clock
    readonly life: HelperLife
    readonly log: HelperLog
    readonly late?: () => void
  },
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === 'EADDRINUSE'
      const what = isTaken ? `it is in use by ${holderText(address.port)}` : error.message
      reject(
        new HermesError('FAILED', `${name} cannot listen on ${addressText(address)}: ${what}`, {
          ...(!isTaken && { exitCode: EXIT.configuration }),
          next,
        }),
      )
    })
    server.listen({ ...address, backlog: 1024 }, resolve)
  })
  life.ready()
  log('info', `ready on ${addressText(address)}`)
  await life.stopped
  const drained = drain()
  if (await inTime(clock, DRAIN_MS, drained)) return
  late()
  server.closeAllConnections()
  await drained
}
