import type { Server } from 'node:http'
import { addressText } from '../../system/address.ts'
import type { Clock } from '../../system/clock.ts'
import type { HermesError } from '../../system/errors.ts'
import { portHolder } from './port-holder.ts'
import { type ApiSettings, misconfigured, type Owner, placeOf } from './settings.ts'

/** A predecessor that is just ending gives the port back in no time; somebody who keeps it will keep it. */
const RETRY_FOR_MS = 1000
const RETRY_EVERY_MS = 100

/** @throws HermesError with exit code 78 that says who has the port and who should change what */
export async function listen(server: Server, settings: ApiSettings, owner: Owner, clock: Clock): Promise<void> {
  const untilMs = clock.nowMs() + RETRY_FOR_MS
  for (;;) {
    try {
      return await listenOnce(server, settings)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'EADDRINUSE' || clock.nowMs() >= untilMs) throw cannotListen(error as Error, settings, owner)
    }
    await new Promise<void>((wake) => clock.at(clock.nowMs() + RETRY_EVERY_MS, wake))
  }
}

const listenOnce = (server: Server, { host, port }: ApiSettings): Promise<void> =>
  new Promise((resolve, reject) => {
    const listening = (): void => {
      server.off('error', failed)
      resolve()
    }
    const failed = (error: Error): void => {
      server.off('listening', listening)
      reject(error)
    }
    server.once('error', failed)
    server.once('listening', listening)
    server.listen({ host, port, backlog: 1024 })
  })

function cannotListen(error: NodeJS.ErrnoException, { host, port }: ApiSettings, owner: Owner): HermesError {
  const where = `the API server of profile "${owner.profile}" cannot listen on ${addressText({ host, port })}`
  const place = placeOf(owner)
  switch (error.code) {
    case 'EADDRINUSE': {
      const other = port === 65_535 ? port - 1 : port + 1
      return misconfigured(
        `${where}: the port is taken by ${holderText(port)}`,
        `give this profile a port of its own: API_SERVER_PORT=${other} in ${place}`,
      )
    }
    case 'EACCES':
      return misconfigured(`${where}: ports below 1024 are for root`, `set API_SERVER_PORT to 1024 or more in ${place}`)
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return misconfigured(
        `${where}: this machine has no such address`,
        `set API_SERVER_HOST to 0.0.0.0 or 127.0.0.1 in ${place}`,
      )
    default:
      return misconfigured(`${where}: ${error.message}`, `see API_SERVER_HOST and API_SERVER_PORT in ${place}`)
  }
}

function holderText(port: number): string {
  const holder = portHolder(port)
  if (holder === undefined) return 'another program'
  if (holder.profile === undefined) return `${holder.program} (pid ${holder.pid})`
  return `the gateway of profile "${holder.profile}" (pid ${holder.pid})`
}
