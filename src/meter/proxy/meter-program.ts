import { connectControl } from '../../control/client.ts'
import { heartbeat } from '../../control/heartbeat.ts'
import { METER, METER_HOST, meterPort } from '../../profile/environment/metered.ts'
import { type Clock, inTime } from '../../system/clock.ts'
import { EXIT, HermesError } from '../../system/errors.ts'
import type { Level } from '../../system/level.ts'
import { announceReady } from '../../system/notify.ts'
import type { RunPaths } from '../../system/paths.ts'
import type { Environment } from '../../system/programs/install.ts'
import { holderText } from '../../system/programs/port-holder.ts'
import { oneLine } from '../../system/text/foreign-text.ts'
import { openLedger } from '../ledger/ledger.ts'
import { Counter } from './counter.ts'
import { Endpoints } from './endpoints.ts'
import { PriceFile, pricesFile } from './price-file.ts'
import { meterServer } from './server.ts'

export interface MeterFacts {
  readonly home: string
  readonly paths: RunPaths
  readonly clock: Clock
  readonly env: Environment
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

/** Exports of this program's bundle; the command line loads it on demand. */
export interface MeterBundle {
  meterProgram(facts: MeterFacts): Promise<number>
}

/** The slot's notification fd. */
const READY_FD = 3
/** Shorter than the slot's stop time-out, after which it is killed. */
const DRAIN_MS = 8_000

/** Runs until TERM, INT, HUP or QUIT, then finishes what was forwarded. @returns the exit code */
export async function runMeter({ home, paths, clock, env, out, err }: MeterFacts): Promise<number> {
  const json = env.LOG_FORMAT === 'json'
  const log = (level: Level, text: string): void => {
    const message = oneLine(text)
    const time = new Date(clock.wallMs()).toISOString()
    const line = json ? JSON.stringify({ time, level, component: METER, message }) : `${METER}: ${message}`
    ;(level === 'info' ? out : err)(`${line}\n`)
  }
  const warn = (text: string): void => log('warn', text)
  const supervised = env.HERMES_SLOT === METER
  if (!supervised)
    throw new HermesError('REFUSED', 'the meter runs in its slot, which starts with the first profile that needs it', {
      next: 'set budget or agent.meter in the config.yaml of a profile, then restart its gateway',
    })
  const port = meterPort(env)
  const ledger = openLedger(home, warn)
  const endpoints = new Endpoints({ home, runDir: paths.runDir, environmentDir: paths.environmentDir, clock })
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>()
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const
  for (const signal of signals) process.on(signal, stop)
  const endHeartbeat = heartbeat(METER, () => connectControl(paths.controlSocket, clock), clock)
  try {
    const left = ledger.recover()
    if (left > 0) warn(`${left} request(s) were on their way when the meter was ended; what they used is not known`)
    const counter = new Counter({ ledger, clock, log, pricesFile: pricesFile(home) })
    const { server, drain } = meterServer({
      scanDir: paths.scanDir,
      endpoints,
      counter,
      prices: new PriceFile(home, warn),
      log,
    })
    await listening(server, port)
    announceReady(READY_FD)
    log('info', `ready on ${METER_HOST}:${port}`)
    await stopped
    const drained = drain()
    if (await inTime(clock, DRAIN_MS, drained)) return EXIT.done
    endpoints.close()
    server.closeAllConnections()
    await drained
    return EXIT.done
  } finally {
    endHeartbeat()
    for (const signal of signals) process.off(signal, stop)
    endpoints.close()
    ledger.close()
  }
}

/** @throws HermesError that names the owner of the port; the slot tries again after its backoff */
const listening = (server: ReturnType<typeof meterServer>['server'], port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const what = error.code === 'EADDRINUSE' ? `it is in use by ${holderText(port)}` : error.message
      reject(
        new HermesError('FAILED', `the meter cannot listen on ${METER_HOST}:${port}: ${what}`, {
          next: 'set HERMES_METER_PORT for the container, or stop the other program',
        }),
      )
    })
    server.listen({ host: METER_HOST, port, backlog: 1024 }, resolve)
  })
