import type { Server } from 'node:http'
import type { Clock } from '../../system/clock.ts'
import { HermesError } from '../../system/errors.ts'
import { addressText } from '../../system/net/address.ts'
import { holderText } from '../../system/programs/port-holder.ts'
import { type ApiSettings, misconfigured, type Owner, placeOf } from './http/settings.ts'

/** A predecessor that is just ending frees the port quickly; another owner will keep it. */
const RETRY_FOR_MS = 1000
const RETRY_EVERY_MS = 100

/** @throws HermesError that names the owner of the port, or with exit code 78 for an address that is not available */
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
      // Not parked: the owner may free the port, and the slot tries again after its backoff.
      return new HermesError('FAILED', `port ${port} is already in use by ${holderText(port)}`, {
        next: `set API_SERVER_PORT=${other} in ${place}, or stop the other one`,
      })
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
