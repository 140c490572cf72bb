import { type PostgresServer, startPostgres } from '../kanban/postgres.ts'
import { freePort } from '../port.ts'
import { docker } from './engine.ts'

/** A server that containers reach at the engine's own address, with this password. */
export async function startHostPostgres(password: string): Promise<PostgresServer> {
  const host = (await docker(['network', 'inspect', 'bridge', '--format', '{{(index .IPAM.Config 0).Gateway}}'])).trim()
  return startPostgres({ tcp: { host, port: await freePort(), password } })
}
