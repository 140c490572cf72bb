import { networkInterfaces } from 'node:os'
import { type PostgresServer, startPostgres } from '../kanban/postgres.ts'
import { freePort } from '../port.ts'

/**
 * A server that containers reach at the engine's own address, with this password. The address is that of the bridge
 * itself: `docker network inspect bridge` has it no more after the engine has left a swarm.
 */
export async function startHostPostgres(password: string): Promise<PostgresServer> {
  const host = networkInterfaces().docker0?.find(({ family }) => family === 'IPv4')?.address
  if (host === undefined) throw new Error('this machine has no docker0: the engine is somewhere else')
  return startPostgres({ tcp: { host, port: await freePort(), password } })
}
